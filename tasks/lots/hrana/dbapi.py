"""PEP 249 over a Hrana stream.

A transaction is a stream. Nothing is sent before the first statement, which goes in one request with BEGIN; COMMIT goes
with the stream's end in another. Every later statement is sent on the condition that the transaction still
stands: a server takes a writer's transaction away when it was idle for five seconds and somebody waits, and would
then run the statement on its own, committed at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import SecretStr

from tasks.lots.hrana.errors import (
    Busy,
    CommitUnknown,
    DatabaseError,
    DataError,
    Disconnected,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
    error_of,
)
from tasks.lots.hrana.stream import CLOSE, Json, Stream
from tasks.lots.hrana.values import decode, encode

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
]

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"
Binary = bytes
#: The SQLite inside sqld 0.24; SQLAlchemy asks it for what it may use.
sqlite_version_info = (3, 45, 1)
sqlite_version = "3.45.1"

#: Statements in one request; more go in several, in the same transaction.
BATCH = 200
STANDING: Json = {"type": "not", "cond": {"type": "is_autocommit"}}

Statement = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class Result:
    """What one statement gave."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int = -1
    last_id: int | None = None

    @classmethod
    def parse(cls, told: Json) -> Result:
        """Read a statement's result as the server tells it."""
        last_id = told.get("last_insert_rowid")
        return cls(
            tuple(column.get("name") or "" for column in told["cols"]),
            tuple(tuple(decode(value) for value in row) for row in told["rows"]),
            told["affected_row_count"],
            None if last_id is None else int(last_id),
        )


def connect(
    url: str,
    token: SecretStr | None = None,
    *,
    seconds: float = 30,
    connect_seconds: float = 10,
    busy_seconds: float = 15,
) -> Connection:
    """A connection to a server at http:// or https://; nothing is asked of it yet.

    Args:
        seconds: how long one answer may take; a writer waits for its turn within it.
        busy_seconds: how long BEGIN is tried again while the server says that it is busy.
    """
    return Connection(Stream(url, token, seconds=seconds, connect_seconds=connect_seconds), busy_seconds)


class Connection:
    """One transaction after another."""

    def __init__(self, stream: Stream, busy_seconds: float) -> None:
        self._stream, self._busy_seconds = stream, busy_seconds
        self._begun = False
        self._immediate, self._foreign_keys = False, True

    def begin(self, *, immediate: bool, foreign_keys: bool = True) -> None:
        """Say how the next transaction begins; its first statement begins it.

        Raises:
            InterfaceError: one is under way.
        """
        if self._begun:
            raise InterfaceError("a transaction is under way")
        self._immediate, self._foreign_keys = immediate, foreign_keys

    def cursor(self) -> Cursor:
        """A cursor."""
        return Cursor(self)

    def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run statements in order within the transaction, the first of all with its BEGIN; none after a failed one.

        Raises:
            DatabaseError: one failed. The transaction stands, unless the error is a lost one.
            Busy: another writer did not finish in time; nothing was begun.
            Disconnected: the transaction is gone.
        """
        if not self._begun:
            return self._begin_with(statements)
        return self._batch([(sql, args, _after(number) or STANDING) for number, (sql, args) in enumerate(statements)])

    def commit(self) -> None:
        """Keep what the transaction did.

        Raises:
            CommitUnknown: no answer came; it may have been kept.
            DatabaseError: nothing was kept.
        """
        if not self._begun:
            return
        self._begun = False
        try:
            (told, _) = self._stream.ask(_batch_of([("COMMIT", (), STANDING)]), CLOSE)
        except Disconnected as error:
            raise CommitUnknown(f"{error}; whether the last transaction was kept is not known") from error
        _results(told)

    def rollback(self) -> None:
        """Undo what the transaction did, if one is under way."""
        self._begun = False
        if self._stream.is_open:
            self._stream.ask(_batch_of([("ROLLBACK", (), STANDING)]), CLOSE)

    def close(self) -> None:
        """Let go; what was not committed is lost."""
        self._stream.close()

    def _begin_with(self, statements: Sequence[Statement]) -> list[Result]:
        opening = [
            (f"PRAGMA foreign_keys={'ON' if self._foreign_keys else 'OFF'}", (), None),
            ("BEGIN IMMEDIATE" if self._immediate else "BEGIN", (), _after(1)),
        ]
        rest = [(sql, args, _after(number)) for number, (sql, args) in enumerate(statements, start=len(opening))]
        ends = time.monotonic() + self._busy_seconds
        while True:
            (told,) = self._stream.ask(_batch_of([*opening, *rest]))
            self._begun = _succeeded(told, len(opening))
            try:
                return _results(told)[len(opening) :]
            except Busy:
                if self._begun or time.monotonic() >= ends:
                    raise
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - so that two who wait do not meet again

    def _batch(self, steps: Sequence[tuple[str, Sequence[Any], Json | None]]) -> list[Result]:
        (told,) = self._stream.ask(_batch_of(steps))
        return _results(told)


def _after(number: int) -> Json | None:
    return {"type": "ok", "step": number - 1} if number else None


def _batch_of(steps: Sequence[tuple[str, Sequence[Any], Json | None]]) -> Json:
    return {
        "type": "batch",
        "batch": {
            "steps": [
                {
                    "stmt": {"sql": sql, "args": [encode(value) for value in args], "want_rows": True},
                    **({"condition": condition} if condition else {}),
                }
                for sql, args, condition in steps
            ]
        },
    }


def _succeeded(told: Json, steps: int) -> bool:
    """Whether the first so many steps of a batch went well."""
    return told["type"] == "ok" and all(told["response"]["result"]["step_results"][:steps])


def _results(told: Json) -> list[Result]:
    """The results of a batch whose steps all ran, or the error of the one that did not."""
    if told["type"] == "error":
        raise error_of(told["error"])
    result = told["response"]["result"]
    for error in result["step_errors"]:
        if error is not None:
            raise error_of(error)
    if any(step is None for step in result["step_results"]):
        raise OperationalError("the database had ended this transaction: nothing of it was kept")
    return [Result.parse(step) for step in result["step_results"]]


class Cursor:
    """What a statement gave, held here in whole: the server keeps nothing open."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self._take(Result())

    def execute(self, sql: str, args: Sequence[Any] = ()) -> Cursor:
        """Run one statement."""
        (result,) = self.connection.run([(sql, args)])
        self._take(result)
        return self

    def executemany(self, sql: str, many: Iterable[Sequence[Any]]) -> Cursor:
        """Run one statement for each set of arguments, many in one request."""
        left, affected = [(sql, args) for args in many], 0
        while left:
            affected += sum(result.affected for result in self.connection.run(left[:BATCH]))
            left = left[BATCH:]
        self._take(Result(affected=affected))
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows."""
        return list(islice(self._rows, size or self.arraysize))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """Forget the rows."""
        self._rows = iter(())

    def setinputsizes(self, sizes: Any) -> None:
        """Nothing to do."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to do."""

    def _take(self, result: Result) -> None:
        self.description = [(name, *[None] * 6) for name in result.columns] or None
        self.rowcount, self.lastrowid = result.affected, result.last_id
        self._rows = iter(result.rows)
