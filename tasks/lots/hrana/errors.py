"""PEP 249's errors, and which of the server's codes is which.

Error
  InterfaceError
  DatabaseError
    DataError  IntegrityError  InternalError  ProgrammingError  NotSupportedError
    OperationalError
      Busy            another writer is in: nothing was begun
      Disconnected    the conversation broke off, and its transaction with it
        CommitUnknown   it broke off at COMMIT: nobody knows
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Warning(Exception):
    """Never raised; PEP 249 asks for it."""


class Error(Exception):
    """Whatever went wrong at the database."""


class InterfaceError(Error):
    """The driver was used wrongly."""


class DatabaseError(Error):
    """The server said no, with the code it gave."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class DataError(DatabaseError):
    """A value does not fit."""


class IntegrityError(DatabaseError):
    """A constraint failed."""


class InternalError(DatabaseError):
    """The server is in trouble with itself."""


class ProgrammingError(DatabaseError):
    """The statement is wrong."""


class NotSupportedError(DatabaseError):
    """The server cannot do this."""


class OperationalError(DatabaseError):
    """The server could not do it now."""


class Busy(OperationalError):
    """Another writer is in."""


class TakenAway(OperationalError):
    """The server ended a transaction that took too long, as somebody waited: nothing of it was kept."""


class Disconnected(OperationalError):
    """The conversation broke off; the server lets go of its transaction."""


class CommitUnknown(Disconnected):
    """COMMIT was sent and no answer came: it may have happened. Read again before doing anything."""


#: By the beginning of the code, as SQLite's extended codes go on after it.
KINDS: Mapping[str, type[DatabaseError]] = {
    "SQLITE_CONSTRAINT": IntegrityError,
    "SQLITE_BUSY": Busy,
    "TRANSACTION_TIMEOUT": TakenAway,
    "SQLITE_MISMATCH": DataError,
    "SQLITE_TOOBIG": DataError,
    "SQLITE_RANGE": ProgrammingError,
    "SQLITE_ERROR": ProgrammingError,
    "SQLITE_INTERNAL": InternalError,
    "SQLITE_CORRUPT": InternalError,
    "SQL_": ProgrammingError,
    "ARGS_": ProgrammingError,
}


def error_of(told: Mapping[str, Any]) -> DatabaseError:
    """The error for what the server told: `{"message": ..., "code": ...}`."""
    code, message = told.get("code") or "", told.get("message") or "no reason given"
    kind = next((kind for prefix, kind in KINDS.items() if code.startswith(prefix)), OperationalError)
    return kind(f"{message} ({code})" if code else message, code)
