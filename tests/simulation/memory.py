"""A record in this process's memory: SQLite itself, without a disk, so that a forked process has its own copy."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tests import warm
from tests.simulation.knife import AFTER, BEFORE, COMMIT, Knife, Neighbour

_numbers = itertools.count(1)


class Mortal(Record):
    """A record whose commits are places for its process to die at; a dead one reads and writes nothing more."""

    def __init__(self, engine: Engine, process: Knife | Neighbour) -> None:
        super().__init__(engine)
        self._process = process
        self.reads_are_points = False
        self._open = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction; killed before its commit it leaves nothing, after it everything."""
        self._process.must_live()
        self._open += 1
        try:
            with super().write() as session:
                yield session
                self._process.point(f"{BEFORE}{COMMIT}")
        finally:
            self._open -= 1
        self._process.point(f"{AFTER}{COMMIT}")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Look; what was read may be old before it is acted on, where that is asked for."""
        self._open += 1
        try:
            with super().read() as session:
                yield session
        finally:
            self._open -= 1
        if self.reads_are_points and not self._open:
            self._process.point("after a read")

    @contextmanager
    def quietly(self) -> Iterator[Session]:
        """One transaction of somebody else's process, which nothing strikes."""
        with super().write() as session:
            yield session


class MortalRecord(Mortal):
    """The pipeline's own, made in memory; `beside` is the same one, in another process's hands."""

    def __init__(self, knife: Knife) -> None:
        name = f"file:/record-{next(_numbers)}"
        # The file lives while one is open.
        self._anchor = sqlite3.connect(f"{name}?vfs=memdb", uri=True, check_same_thread=False)
        _fill(self._anchor)
        self._warm = warm.lend(name, "?vfs=memdb&uri=true")
        super().__init__(self._warm.engine, knife)
        if not event.contains(self.engine, "connect", _in_a_hurry):
            event.listen(self.engine, "connect", _in_a_hurry)
        assert self.name  # read once, here: nothing is read beside a writer in memory

    def beside(self, process: Neighbour) -> Mortal:
        """The same record, as that process has it open."""
        return Mortal(self.engine, process)

    def close(self) -> None:
        """Forget everything."""
        super().close()
        self._anchor.close()
        warm.give_back(self._warm)


def _in_a_hurry(raw: Any, _record: Any) -> None:
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("PRAGMA busy_timeout=100")  # there is nobody to wait for


def _fill(empty: sqlite3.Connection) -> None:
    with sqlite3.connect(":memory:") as template:
        template.deserialize(_migrated())
        template.backup(empty)


@lru_cache(maxsize=1)
def _migrated() -> bytes:
    """What the migrations make of an empty database, made once."""
    name = "file:/template?vfs=memdb"
    anchor = sqlite3.connect(name, uri=True)
    record = Record(connect(f"sqlite:///{name}&uri=true"))
    try:
        migrate(record)
        with anchor:  # every run is the same record's
            anchor.execute("update stamp set value = 'c0ffee00' where name = 'record'")
        return anchor.serialize()
    finally:
        record.close()
        anchor.close()
