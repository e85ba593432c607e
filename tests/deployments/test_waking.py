"""A stored webhook wakes a cycle in the background: told once, told again, never waited for, never lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from deployments.waking import EVENT, RESOURCE, Bell
from deployments.webhooks import receiver
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.records import FlowLease, InboxEvent, WebhookRefusal
from tasks.settings import Settings
from tests.deployments.hostile import HEADERS, genuine, signature

PAUSE = 0.3


class Ear:
    """A Prefect server's ear: it remembers the events it was told, may be slow, and may fail."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.status, self.seconds = 204, 0.0
        self.logins: list[str | None] = []
        self.times: list[float] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(ear.seconds)
                ear.logins.append(self.headers.get("authorization"))
                ear.times.append(time.monotonic())
                if ear.status == 204 and self.path == "/api/events":
                    ear.heard += body
                self.send_response(ear.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    found = Ear()
    yield found
    found.server.shutdown()
    found.server.server_close()


Knock = Callable[[str], Awaitable[float]]


def live(record: Record, url: str | None, story: Callable[[Knock], Awaitable[None]], **more: str) -> None:
    """Let the receiver live for the length of a story, which knocks and learns how long the answer took."""
    given = {"PREFECT_API_URL": url, **more} if url else more
    known = Settings(STRIPE_WEBHOOK_SECRET="whsec_s", **given)  # type: ignore[arg-type]
    app = receiver(known, record, Bell(known, PAUSE))

    async def go() -> None:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid") as http:

                async def knock(name: str) -> float:
                    body, began = genuine("stripe", name), time.monotonic()
                    header = {HEADERS["stripe"]: signature("stripe", body, int(now().timestamp()))}
                    answer = await http.post("/webhooks/stripe", content=body, headers=header)
                    assert answer.status_code == 200
                    return time.monotonic() - began

                await story(knock)

    asyncio.run(go())


async def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come"
        await asyncio.sleep(0.02)


def test_the_first_is_told_at_once_and_a_burst_once_a_pause_so_that_nothing_is_left_untold(
    ear: Ear, sqlite_record: Record
) -> None:
    async def story(knock: Knock) -> None:
        await knock("0")
        await until(lambda: len(ear.heard) == 1)
        for number in range(1, 20):
            await knock(str(number))
        await until(lambda: sum(one["payload"]["stripe"] for one in ear.heard) == 20)
        await asyncio.sleep(3 * PAUSE)

    live(sqlite_record, ear.url, story)
    assert {one["event"] for one in ear.heard} == {EVENT}
    assert {one["resource"]["prefect.resource.id"] for one in ear.heard} == {RESOURCE}
    assert ear.heard[0]["payload"] == {"stripe": 1}
    assert sum(one["payload"]["stripe"] for one in ear.heard) == 20
    assert all(later - sooner >= 0.9 * PAUSE for sooner, later in pairwise(ear.times))


def test_what_was_told_before_wakes_nobody(ear: Ear, sqlite_record: Record) -> None:
    async def story(knock: Knock) -> None:
        await knock("same")
        await until(lambda: len(ear.heard) == 1)
        await knock("same")
        await asyncio.sleep(3 * PAUSE)

    live(sqlite_record, ear.url, story)
    assert len(ear.heard) == 1


def test_a_slow_server_delays_no_answer(ear: Ear, sqlite_record: Record) -> None:
    ear.seconds = 4.0

    async def story(knock: Knock) -> None:
        assert sum([await knock(str(number)) for number in range(3)]) < 4.0
        await until(lambda: len(ear.heard) >= 1)

    live(sqlite_record, ear.url, story)


def test_a_server_that_fails_is_told_when_it_is_back(ear: Ear, sqlite_record: Record) -> None:
    ear.status = 500

    async def story(knock: Knock) -> None:
        await knock("1")
        await until(lambda: len(ear.logins) >= 2)
        ear.status = 204
        await until(lambda: len(ear.heard) == 1)

    live(sqlite_record, ear.url, story, PREFECT_API_AUTH_STRING="admin:change-me")
    assert ear.heard[0]["payload"] == {"stripe": 1}
    assert ear.logins[0] == "Basic YWRtaW46Y2hhbmdlLW1l"


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9/api"], ids=["no server", "a server that is down"])
def test_without_a_server_it_stores_and_answers(url: str | None, ear: Ear, sqlite_record: Record) -> None:
    async def story(knock: Knock) -> None:
        assert await knock("1") < 3.0
        await asyncio.sleep(2 * PAUSE)

    live(sqlite_record, url, story)
    with sqlite_record.read() as session:
        assert [event.external_id for event in session.scalars(select(InboxEvent))] == ["evt_1"]
    assert ear.heard == []


def test_the_receiver_writes_down_that_it_lives_and_whom_it_refused(ear: Ear, sqlite_record: Record) -> None:
    known = Settings(STRIPE_WEBHOOK_SECRET="whsec_s")
    app = receiver(known, sqlite_record)

    async def go() -> None:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid") as http:
                for header in ("", "t=1,v1=0"):
                    body = genuine("stripe", "x")
                    answer = await http.post("/webhooks/stripe", content=body, headers={"stripe-signature": header})
                    assert answer.status_code == 401
                assert (await http.get("/healthz")).json() == {"status": "ok"}
                await asyncio.sleep(0.2)

    asyncio.run(go())
    with sqlite_record.read() as session:
        rows = session.scalars(select(WebhookRefusal).order_by(WebhookRefusal.reason))
        assert [(row.source, row.reason, row.count) for row in rows] == [
            ("stripe", "unsigned", 1),
            ("stripe", "wrong", 1),
        ]
        assert session.get_one(FlowLease, "receiver").outcome == "alive"
