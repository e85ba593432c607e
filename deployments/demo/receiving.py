"""The demo's receiver: the real one, on a socket of its own, which the vendors are told of as in life."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from deployments.demo.stage import LOCAL, Stage

STARTS_WITHIN = 20.0


@contextmanager
def receiving(stage: Stage) -> Iterator[None]:
    """Receive what the vendors tell, until the block ends.

    Raises:
        RuntimeError: it does not come up, or a vendor cannot be told of it.
    """
    from deployments.registering import address, register
    from deployments.webhooks import receiver
    from tasks.desk import desk

    at = desk()
    application = receiver(at.settings, at.record)
    server = uvicorn.Server(uvicorn.Config(application, host=LOCAL, port=stage.receiver_port, log_level="critical"))
    thread = threading.Thread(target=server.run, name="receiver", daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + STARTS_WITHIN
        while not server.started:
            if time.monotonic() > ends or not thread.is_alive():
                raise RuntimeError("the webhook receiver did not come up")
            time.sleep(0.05)
        for one in register(at):
            if not one.ok:
                raise RuntimeError(f"{one.vendor}'s webhooks: {one.text}")
        stripe: Any = stage.world.vendors["stripe"]  # its endpoint is made by hand, in its dashboard
        stripe.options.webhook_url = address(stage.receiver_url, "stripe")
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def taken(stage: Stage) -> Counter[str]:
    """How many webhooks of each vendor were taken."""
    return Counter(source for _, source, _, status in stage.world.webhook_log if status == 200)
