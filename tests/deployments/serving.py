"""The receiver, served over a real socket in a thread of the test's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from deployments import listening
from deployments.sandbox.run import listen


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Its address, while it lives."""
    listener = listen(0)
    server = listening.server(app, log_level="critical")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < ends, "the receiver did not come up"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
