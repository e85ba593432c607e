"""Copies of the record: a consistent one while everything runs, and putting one back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.records import FlowLease

SQLITE, POSTGRES = b"SQLite format 3\x00", b"PGDMP"
DEADLINE_SECONDS = 600


class NoCopy(Exception):
    """A copy cannot be made or put back; the sentence says why, and nothing was done."""


def back_up(record: Record, to: Path) -> None:
    """Write a whole copy, consistent while others write. It is complete, or it is not there.

    Raises:
        NoCopy: this database cannot be copied from here.
    """
    if to.exists():
        raise NoCopy(f"{to} exists already: name another file.")
    part = to.with_name(f"{to.name}.part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        if record.dialect == "postgresql":
            _run("pg_dump", "--format=custom", "--no-owner", "--file", str(part), url=record)
        else:
            with closing(sqlite3.connect(_file(record))) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, that can be carried away
        part.chmod(0o600)  # it holds buyers' addresses
        part.rename(to)
    except (OSError, sqlite3.OperationalError) as error:
        raise NoCopy(f"{to} cannot be written: {(getattr(error, 'strerror', None) or str(error)).lower()}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def check(record: Record, given: Path) -> None:
    """Whether a file is a whole copy of a record of this kind of database.

    Raises:
        NoCopy: it is not.
    """
    if not given.is_file():
        raise NoCopy(f"{given} is no file.")
    with given.open("rb") as opened:
        head = opened.read(16)
    if record.dialect == "postgresql":
        if not head.startswith(POSTGRES):
            raise NoCopy(f"{given} is no backup of a PostgreSQL record.")
        listed = _run("pg_restore", "--list", str(given))
        if " lots " not in listed:
            raise NoCopy(f"{given} is no backup of this pipeline's record.")
        return
    if head != SQLITE:
        raise NoCopy(f"{given} is no backup of a SQLite record.")
    try:
        with closing(sqlite3.connect(f"file:{given}?mode=ro", uri=True)) as copy:
            sound = copy.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {row[0] for row in copy.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise NoCopy(f"{given} is damaged: {error}.") from error
    if sound != "ok" or not {"alembic_version", "effects", "lots", "stamp"} <= tables:
        raise NoCopy(f"{given} is no backup of this pipeline's record.")


def running(session: Session) -> str | None:
    """Who holds a lease now; None when nobody does."""
    held = select(FlowLease).where(FlowLease.owner.is_not(None), FlowLease.until > now())
    lease = session.scalars(held).first()
    return None if lease is None else f"{lease.flow} ({lease.runner or 'another run'})"


def put_back(record: Record, given: Path) -> None:
    """Let the record be what it was in the copy. Who reads it meanwhile sees the old one or the new one, whole.

    Raises:
        NoCopy: the database's own tool refused.
    """
    if record.dialect == "postgresql":
        tables = ("--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error")
        _run("pg_restore", *tables, "--dbname", "", str(given), url=record)
    else:
        came = closing(sqlite3.connect(f"file:{given}?mode=ro", uri=True))
        with came as source, closing(sqlite3.connect(_file(record), timeout=30)) as target:
            source.backup(target)
    record.engine.dispose()  # nobody goes on with what an old connection remembers
    record.__dict__.pop("name", None)


def _file(record: Record) -> str:
    url = record.engine.url
    if not url.drivername.startswith("sqlite") or url.host or not url.database:
        raise NoCopy("This database is a server's own: make its copies there.")
    return url.database


def _run(tool: str, *words: str, url: Record | None = None) -> str:
    """One of PostgreSQL's own tools; the address goes in by the environment, as a command line can be read by all."""
    found = shutil.which(tool)
    if found is None:
        raise NoCopy(f"{tool} is not installed here: a PostgreSQL record is copied with PostgreSQL's own tools.")
    environment = dict(os.environ)
    arguments = list(words)
    if url is not None:
        address = make_url(url.engine.url.render_as_string(hide_password=False))
        given = {
            "PGHOST": address.host or address.query.get("host"),
            "PGPORT": address.port,
            "PGUSER": address.username,
            "PGPASSWORD": address.password,
            "PGDATABASE": address.database,
        }
        environment |= {name: str(value) for name, value in given.items() if value}
        if "--dbname" in arguments:
            arguments[arguments.index("--dbname") + 1] = address.database or ""
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own tool, our own arguments
        [found, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
    )
    if done.returncode:
        raise NoCopy(f"{tool} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


__all__ = ["NoCopy", "back_up", "check", "put_back", "running"]
