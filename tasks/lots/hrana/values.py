"""SQLite's five kinds of value as Hrana's JSON has them: integers as text, blobs as base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from tasks.lots.hrana.errors import DataError, InterfaceError

INTEGERS = range(-(2**63), 2**63)


def encode(value: Any) -> dict[str, Any]:
    """One argument of a statement.

    Raises:
        DataError: the number does not fit into 64 bits, or is none.
        InterfaceError: SQLite knows no such kind of value.
    """
    match value:
        case None:
            return {"type": "null"}
        case int():  # a bool is one, as in SQLite
            if value not in INTEGERS:
                raise DataError("a number is too large for 64 bits")
            return {"type": "integer", "value": str(int(value))}
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise DataError(f"{value} is no number that can be kept")
            return {"type": "float", "value": value}
        case str():
            return {"type": "text", "value": value}
        case bytes() | bytearray() | memoryview():
            return {"type": "blob", "base64": b64encode(value).decode().rstrip("=")}
    raise InterfaceError(f"SQLite cannot hold a {type(value).__name__}")


def decode(told: Mapping[str, Any]) -> int | float | str | bytes | None:
    """One value of a row.

    Raises:
        InterfaceError: the server speaks of a kind that is none.
    """
    match told:
        case {"type": "null"}:
            return None
        case {"type": "integer", "value": value}:
            return int(value)
        case {"type": "float", "value": value}:
            return float(value)
        case {"type": "text", "value": str(value)}:
            return value
        case {"type": "blob", "base64": str(value)}:
            return b64decode(value + "=" * (-len(value) % 4))
    raise InterfaceError(f"the database answered with a value of the kind {told.get('type')!r}")
