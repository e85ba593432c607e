"""What a vendor tells by itself, before it is believed: who signed it, and a body that can be read in one way only."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

#: Ids and words of vendors; longer ones are nobody's.
LONGEST_WORD = 255
#: Signed with a vendor's secret this is answered with 204, and is nothing: `pipeline doctor` tries the secrets so.
SELF_TEST = b'{"selftest":true}'


class Verdict(StrEnum):
    """What a signature is worth; only a genuine one is true."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"  # no signature at all: hardly the vendor
    WRONG = "wrong"  # a signature, and not of our secret: a stranger, or the secret was changed
    STALE = "stale"  # of our secret, and of another time: a replay, or our clock is wrong
    CLOSED = "closed"  # we have no secret to judge by

    def __bool__(self) -> bool:
        return self is Verdict.GENUINE


def judge(
    raw: bytes, header: str, secret: str, now: datetime, sign: Callable[[bytes, str, int], str], tolerance: int
) -> Verdict:
    """A header of "t=<seconds>,v1=<signature>", as Stripe and Basta send it, within so many seconds either way.

    Several `v1` stand in it while a secret is being changed. Every one is compared in constant time.
    """
    if not secret:
        return Verdict.CLOSED
    pairs = [part.strip().split("=", 1) for part in header.split(",") if "=" in part]
    times = [value for name, value in pairs if name == "t"]
    given = [value.encode("utf-8", "replace") for name, value in pairs if name == "v1"]
    if not given or not times:
        return Verdict.UNSIGNED
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        return Verdict.WRONG
    at = int(times[0])
    expected = sign(raw, secret, at).encode()
    if not any([hmac.compare_digest(expected, one) for one in given]):
        return Verdict.WRONG
    return Verdict.GENUINE if abs(now.timestamp() - at) <= tolerance else Verdict.STALE


def timed(raw: bytes, secret: str, at: int) -> str:
    """The hex HMAC-SHA256 over "<t>.<body>"."""
    return hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()


def strict(raw: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 with every key once, as a body that two readers read in two ways proves nothing.

    Raises:
        ValueError: it is none. RecursionError: it is nested without end.
    """
    body = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(body, dict):
        raise ValueError("it is no JSON object")
    return body


def word(value: Any) -> str:
    """An id or a word of the vendor's: a text or a whole number, short, printable.

    Raises:
        ValueError: it is none. PostgreSQL keeps no NUL, and no database keeps half a surrogate.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_WORD or not value.isprintable():
        raise ValueError("an id is no short, printable text")
    return value


def maybe_word(value: Any) -> str | None:
    """The same, where it may be absent: None, empty, or not given."""
    return None if value is None or value == "" else word(value)


def inner(value: Any) -> dict[str, Any]:
    """A part of a body that must be an object where it is given."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("a part of it is no object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
