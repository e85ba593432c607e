"""Couriers: what the vendors send is brought to the real receiver, and brought again when it was not taken.

The receiver is a process of its own. It may die in the middle of what it does: then its vendor hears nothing, what was
in its memory is gone, and a fresh one takes what comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar
from unittest import mock

import httpx

from deployments import webhooks
from deployments.sandbox.server import PATIENCE
from deployments.sandbox.world import Delivery, World
from tasks.lots.engine import Record
from tasks.settings import Settings
from tests.simulation.holding import HeldLoop, in_its_own_thread
from tests.simulation.knife import Killed, Neighbour

RECEIVER_URL = "http://127.0.0.1:2"
BASTA_ACTIONS = ("SALE_STATUS_CHANGED", "ITEMS_STATUS_CHANGED")
#: What a vendor notes of a receiver that does not answer.
SILENCE = 0
#: Turns of the loop in which all that a receiver does of itself when it starts is done.
TURNS = 8
Said = TypeVar("Said")


class Courier:
    """Carries webhooks, in the order in which they were given.

    Args:
        process: the receiver's, where it can die; it then also does what it does of itself beside its answers: it
            notes that it lives, writes down what it refused, and lets go of what is old.
    """

    def __init__(self, world: World, record: Record, settings: Settings, process: Neighbour | None = None) -> None:
        self._world, self._record, self._settings, self.process = world, record, settings, process
        self._loop = HeldLoop(world.clock.now)
        self.answers: list[tuple[str, str, int]] = []
        self._start()

    def _start(self) -> None:
        """A fresh receiver; one that dies while it starts is followed by another."""
        while True:
            app = webhooks.receiver(self._settings, self._record)
            self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=RECEIVER_URL)
            if self.process is None or self._lives(self._begun(app)) is not None:
                return
            self._bury()

    async def _begun(self, app: Any) -> bool:
        self._life = app.router.lifespan_context(app)
        await self._life.__aenter__()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return True

    def register(self, desk: Any) -> bool:
        """Have every vendor tell us, through its own API where it has one; what is there is not added again."""
        known = desk.basta.hooks()
        url = f"{RECEIVER_URL}/webhooks"
        for action in BASTA_ACTIONS:
            if (action, f"{url}/basta") not in known:
                desk.basta.subscribe(action, f"{url}/basta")
        desk.cj.set_webhooks(f"{url}/cj")
        stripe: Any = self._world.vendors["stripe"]
        stripe.options.webhook_url = f"{url}/stripe"
        return True

    def deliver(self) -> int:
        """Bring everything that waits; how many were taken. What was not taken waits for the next round."""
        waiting, taken = list(self._world.deliveries), 0
        self._world.deliveries.clear()
        for delivery in waiting:
            status = self._lives(self._bring(delivery))
            if status is None:
                status = SILENCE
                self._bury()
                self._start()
            self.answers.append((delivery.source, delivery.label, status))
            if status and PATIENCE[delivery.source][1](status):
                taken += 1
            elif delivery.tries_left > 1:
                delivery.tries_left -= 1
                self._world.deliveries.append(delivery)
        return taken

    async def _bring(self, delivery: Delivery) -> int:
        answer = await self._http.post(delivery.url, content=delivery.body, headers=delivery.headers)
        return answer.status_code

    def _lives(self, work: Awaitable[Said]) -> Said | None:
        """What comes of it; None where the receiver died meanwhile, whatever it would still have said."""
        try:
            with mock.patch.object(webhooks, "run_sync", in_its_own_thread):
                said = self._loop.run_until_complete(work)
        except Killed:
            if self.process is None or not self.process.dead:
                raise
            return None
        return None if self.process is not None and self.process.dead else said

    def _bury(self) -> None:
        """What was in its memory is gone; a new process may begin."""
        self._loop.end_all()
        assert self.process
        self.process.revive()

    def close(self) -> None:
        """Go home."""
        self._loop.end_all()
        self._loop.close()
