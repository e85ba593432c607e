"""The database, and every difference between SQLite and PostgreSQL.

Sessions are short, and none is open while somebody outside is called. Objects stay readable after their
session (nothing expires on commit), and no relation loads by surprise, as there is none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

BUSY_SECONDS = 15
CONNECT_SECONDS = 10
MIGRATION_LOCK = 72_177_001  # any number, so long as every process uses the same


def connect(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine that keeps our rules: WAL, full sync, foreign keys, and BEGIN IMMEDIATE for every write.

    IMMEDIATE because a transaction that reads first and writes later fails at once on SQLite, whatever the
    timeout, when another writer came between.
    """
    if not url.startswith("sqlite"):
        return create_engine(
            url,
            hide_parameters=True,  # a buyer's address would stand in an error's text otherwise
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=15,
            connect_args={"connect_timeout": CONNECT_SECONDS},
        )
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver opens no transactions by itself
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        readonly = connection.get_execution_options().get("readonly")
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


class Record:
    """Our record, open for reading and writing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    @cached_property
    def name(self) -> str:
        """A short name that this record was given at birth, and no other record has."""
        with self.read() as session:
            return str(session.execute(text("select value from stamp where name = 'record'")).scalar_one())

    def known_as(self, thing: str) -> str:
        """What the vendors know a thing of this record by: our ids begin anew with every record, accounts do not."""
        return f"{thing}-{self.name}" if self.name else thing

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that commits at the end, or leaves nothing."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking only; it never waits for a writer."""
        with self.engine.connect().execution_options(readonly=True) as connection:
            with Session(connection, expire_on_commit=False, autoflush=False) as session:
                yield session
            connection.rollback()

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


@lru_cache(maxsize=8)
def open_record(url: str) -> Record:
    """The record at this address, one engine a process."""
    return Record(connect(url))


def database_milliseconds(session: Session) -> int:
    """The database's own clock, in milliseconds since 1970: hosts disagree, the database does not.

    A SQLite file lives on one host, whose clock is the database's.
    """
    if session.get_bind().dialect.name == "postgresql":
        return int(session.execute(text("select (extract(epoch from clock_timestamp()) * 1000)::bigint")).scalar_one())
    return time.time_ns() // 1_000_000


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """Let one process migrate at a time; SQLite's BEGIN IMMEDIATE does it there."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
