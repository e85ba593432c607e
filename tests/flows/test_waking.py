"""A webhook at the receiver starts one processing run on a real Prefect server, however many came."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.settings import PREFECT_API_URL

from deployments.sandbox.world import World
from deployments.webhooks import receiver
from tasks.desk import desk
from tasks.lots.clock import now
from tasks.settings import Settings
from tests.deployments.hostile import HEADERS, genuine, signature


def runs(deployment: Any) -> list[Any]:
    with get_client(sync_client=True) as client:
        answer = client._client.post("/flow_runs/filter", json={"deployments": {"id": {"any_": [str(deployment)]}}})
    found: list[Any] = answer.json()
    return found


async def knock_often(settings: Settings, number: int) -> None:
    app = receiver(settings, desk().record)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid") as http:
            for name in range(number):
                body = genuine("basta", str(name))
                at, secret = int(now().timestamp()), settings.basta_webhook_secret.get_secret_value()
                header = {HEADERS["basta"]: signature("basta", body, at, secret)}
                answer = await http.post("/webhooks/basta", content=body, headers=header)
                assert answer.status_code == 200
            await asyncio.sleep(3)  # the bell rings beside the answers


def test_twenty_webhooks_start_one_cycle(world: World) -> None:
    from deployments import automations
    from flows.processing import processing

    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    flow: Any = processing
    deployment = flow.to_deployment("every-10-minutes", concurrency_limit=one).apply()
    settings = Settings.load(PREFECT_API_URL=PREFECT_API_URL.value())
    assert "webhooks wake a cycle" in automations.apply(settings).names
    time.sleep(2)  # the server's triggers learn of a new automation a moment after it answers
    asyncio.run(knock_often(settings, 20))
    ends = time.monotonic() + 30
    while not runs(deployment) and time.monotonic() < ends:
        time.sleep(0.2)
    (run,) = runs(deployment)
    assert run["created_by"]["type"] == "AUTOMATION"
    assert run["parameters"] == {}
