"""Couriers: what the vendors send is brought to the real receiver, and brought again when it was not taken."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from deployments.sandbox.server import PATIENCE
from deployments.sandbox.world import Delivery, World
from deployments.webhooks import receiver
from tasks.lots.engine import Record
from tasks.settings import Settings

RECEIVER_URL = "http://127.0.0.1:2"
BASTA_ACTIONS = ("SALE_STATUS_CHANGED", "ITEMS_STATUS_CHANGED")


class Courier:
    """Carries webhooks, in the order in which they were given."""

    def __init__(self, world: World, record: Record, settings: Settings) -> None:
        self._world = world
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app=receiver(settings, record))
        self._http = httpx.AsyncClient(transport=transport, base_url=RECEIVER_URL)
        self.answers: list[tuple[str, str, int]] = []

    def register(self, desk: Any) -> None:
        """Have every vendor tell us, through its own API where it has one."""
        for action in BASTA_ACTIONS:
            desk.basta.subscribe(action, f"{RECEIVER_URL}/webhooks/basta")
        desk.cj.set_webhooks(f"{RECEIVER_URL}/webhooks/cj")
        stripe: Any = self._world.vendors["stripe"]
        stripe.options.webhook_url = f"{RECEIVER_URL}/webhooks/stripe"

    def deliver(self) -> int:
        """Bring everything that waits; how many were taken. What was not taken waits for the next round."""
        waiting, taken = list(self._world.deliveries), 0
        self._world.deliveries.clear()
        for delivery in waiting:
            status = self._loop.run_until_complete(self._bring(delivery))
            self.answers.append((delivery.source, delivery.label, status))
            if PATIENCE[delivery.source][1](status):
                taken += 1
            elif delivery.tries_left > 1:
                delivery.tries_left -= 1
                self._world.deliveries.append(delivery)
        return taken

    async def _bring(self, delivery: Delivery) -> int:
        answer = await self._http.post(delivery.url, content=delivery.body, headers=delivery.headers)
        return answer.status_code

    def close(self) -> None:
        """Go home."""
        self._loop.run_until_complete(self._http.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
