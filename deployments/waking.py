"""How a webhook wakes a processing cycle: an event for the Prefect server, whose automation starts the run.

Nobody waits for it. A server that is away, slow or not there at all delays no answer to a vendor and loses
nothing: the row is in the inbox, and the next cycle of the schedule reads it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter

import httpx

from tasks.lots.clock import now
from tasks.settings import Settings

#: What the automation is called, what it waits for, and what it starts (`deployments/automations`).
AUTOMATION, DEPLOYMENT = "webhooks wake a cycle", "processing/every-10-minutes"
EVENT, RESOURCE = "dropship.inbox.received", "dropship.inbox"
#: Between two events. What comes meanwhile is told at the end of it, so that nothing is left untold.
PAUSE_SECONDS = 15.0
DEADLINE_SECONDS = 5.0
#: Tried so often while the server is away; by then a cycle of the schedule has read the inbox.
TRIES = 40
_logger = logging.getLogger("dropship.webhooks")


class Bell:
    """Rings at the first event at once, and then at most once a pause, from a task of its own."""

    def __init__(self, settings: Settings, pause: float = PAUSE_SECONDS) -> None:
        self._url, self._pause = settings.prefect_api_url, pause
        secret = settings.prefect_api_auth_string
        user, _, password = secret.get_secret_value().partition(":") if secret else ("", "", "")
        self._auth = (user, password) if secret else None
        self._waiting: Counter[str] = Counter()
        self._came = asyncio.Event()

    def ring(self, source: str) -> None:
        """Something new of this vendor is in the inbox. Returns at once."""
        if self._url is not None:
            self._waiting[source] += 1
            self._came.set()

    async def run(self) -> None:
        """Ring, until cancelled."""
        if self._url is None:
            return
        async with httpx.AsyncClient(base_url=self._url, timeout=DEADLINE_SECONDS, auth=self._auth) as http:
            tries = 0
            while True:
                await self._came.wait()
                self._came.clear()
                told = Counter(self._waiting)
                if await self._tell(http, told):
                    tries = 0
                    self._waiting -= told
                else:
                    tries += 1
                    if tries < TRIES:
                        self._came.set()
                    else:
                        tries = 0
                        self._waiting.clear()
                await asyncio.sleep(self._pause)

    async def _tell(self, http: httpx.AsyncClient, told: Counter[str]) -> bool:
        event = {
            "id": str(uuid.uuid4()),
            "occurred": now().isoformat(),
            "event": EVENT,
            "resource": {"prefect.resource.id": RESOURCE, "prefect.resource.name": "webhooks"},
            "payload": dict(told),
        }
        try:
            (await http.post("/events", json=[event])).raise_for_status()
        except (httpx.HTTPError, OSError) as error:
            status = isinstance(error, httpx.HTTPStatusError) and error.response.status_code
            reason = f"HTTP {status}" if status else type(error).__name__
            _logger.warning("the Prefect server was not told of new webhooks (%s): the schedule reads them", reason)
            return False
        return True
