"""The database, and every difference between a SQLite file, libSQL (Turso) and PostgreSQL.

Sessions are short, and none is open while somebody outside is called. Objects stay readable after their
session (nothing expires on commit), and no relation loads by surprise, as there is none.

An error at COMMIT over a network means "not known", as a kill does: the transaction may have been kept. Nobody acts
on it as on a no. An effect is looked at again, a webhook told again is known, a lease runs out.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from tasks.lots.clock import now
from tasks.lots.hrana.errors import TakenAway

BUSY_SECONDS = 15
CONNECT_SECONDS = 10
#: libSQL's longest answer: a writer who waits for its turn gets it within five seconds, others queue before it.
ANSWER_SECONDS = 30
CONNECTIONS = 20
MIGRATION_LOCK = 72_177_001  # any number, so long as every process uses the same

registry.register("sqlite.hrana", "tasks.lots.hrana.dialect", "HranaDialect")


def connect(url: str, token: SecretStr | None = None) -> Engine:
    """An engine that keeps our rules, at a SQLite file, a libSQL server (with its token) or PostgreSQL."""
    if url.startswith("sqlite+hrana:"):
        return _libsql(url, token)
    if url.startswith("sqlite"):
        return _sqlite_file(url)
    return create_engine(
        url,
        hide_parameters=True,  # a buyer's address would stand in an error's text otherwise
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )


def _sqlite_file(url: str) -> Engine:
    """WAL, full sync, foreign keys, and BEGIN IMMEDIATE for every write.

    IMMEDIATE because a transaction that reads first and writes later fails at once on SQLite, whatever the
    timeout, when another writer came between.
    """
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver opens no transactions by itself
        _keep_a_wal(raw)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("foreign_keys") is False:  # no effect within a transaction
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN" if options.get("readonly") else "BEGIN IMMEDIATE")

    return engine


def _keep_a_wal(raw: Any) -> None:
    """The first process at a file turns its log on; to those who come in the same moment SQLite says "locked" at
    once, however long they would wait.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # whichever kind of it, as after a kill
            if not busy or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _libsql(url: str, token: SecretStr | None) -> Engine:
    """The same rules over HTTP, where the server decides on WAL and sync.

    A connection keeps nothing at the server between transactions, so no ping goes before each: one that broke is
    thrown away at its error, and the next transaction has a new one.
    """
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
        connect_args={
            "token": token,
            "seconds": ANSWER_SECONDS,
            "connect_seconds": CONNECT_SECONDS,
            "busy_seconds": BUSY_SECONDS,
        },
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options, raw = connection.get_execution_options(), connection.connection.dbapi_connection
        raw.begin(immediate=not options.get("readonly"), foreign_keys=options.get("foreign_keys", True))  # type: ignore[union-attr]

    return engine


class Record:
    """Our record, open for reading and writing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def dialect(self) -> str:
        """ "sqlite" (a file, or libSQL) or "postgresql"."""
        return self.engine.dialect.name

    @cached_property
    def name(self) -> str:
        """A short name that this record was given at birth, and no other record has."""
        with self.read() as session:
            return str(session.execute(text("select value from stamp where name = 'record'")).scalar_one())

    @cached_property
    def _looking(self) -> Engine:
        """The same engine, for transactions that write nothing."""
        return self.engine.execution_options(readonly=True)

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
        with Session(self._looking, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection for migrations, one process at a time, that is thrown away afterwards.

        Its foreign keys are off: a rewritten parent table would else drop its children on SQLite and libSQL.
        """
        with self.engine.connect() as connection:
            connection.detach()
            connection.execution_options(foreign_keys=False)
            with _migration_lock(connection):
                yield connection

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


@lru_cache(maxsize=8)
def open_record(url: str, token: SecretStr | None = None) -> Record:
    """The record at this address, one engine a process."""
    return Record(connect(url, token))


def database_milliseconds(session: Session) -> int:
    """The database's own clock, in milliseconds since 1970: hosts disagree, the database does not.

    A SQLite file lives on one host, whose clock is the database's; a simulation that holds the clock holds this too.
    """
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        return int(session.execute(text("select (extract(epoch from clock_timestamp()) * 1000)::bigint")).scalar_one())
    if dialect.driver == "hrana":
        return int(session.execute(text("select cast(unixepoch('subsec') * 1000 as integer)")).scalar_one())
    return round(now().timestamp() * 1000)


def taken_away(error: DBAPIError) -> bool:
    """Whether the database gave a transaction's place to another; nothing of it was kept, and it may be run again.

    libSQL does so to a writer who took five seconds while somebody waited, PostgreSQL to one of two who wait for each
    other (40P01) or whose reading grew old (40001).
    """
    return isinstance(error.orig, TakenAway) or getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


def unreachable(error: DBAPIError) -> str:
    """One sentence for the operator: what the driver says first names hosts and reasons, and no password."""
    lines = str(error.orig or type(error).__name__).splitlines() or [type(error).__name__]
    return f"The database does not work: {lines[0].strip().rstrip('.')}."


def insert_once(session: Session, model: type[DeclarativeBase], **values: Any) -> bool:
    """Insert a row unless one of its unique keys is taken; whether it is ours.

    Where another transaction is just taking the key, this waits for its end: both workers then see one row, and
    neither fails. Callers read the row afterwards.
    """
    session.flush()  # the rows it names come first
    connection = session.connection()
    return connection.execute(_insert_once(model, connection.dialect.name), values).first() is not None


@cache
def _insert_once(model: type[DeclarativeBase], dialect: str) -> Insert:
    """Built once for a table: building it anew takes longer than the row."""
    table = cast(Table, model.__table__)
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_nothing().returning(table.primary_key.columns[0])


@contextmanager
def _migration_lock(connection: Connection) -> Iterator[None]:
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
