"""The one source of the time, so that a simulation can hold it in its hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def _wall() -> datetime:
    return datetime.now(UTC)


_now: Callable[[], datetime] = _wall
_sleep: Callable[[float], None] = time.sleep


def now() -> datetime:
    """The moment, aware, in UTC."""
    return _now()


def sleep(seconds: float) -> None:
    """Wait that long."""
    if seconds > 0:
        _sleep(seconds)


@contextmanager
def held_by(now: Callable[[], datetime], sleep: Callable[[float], None]) -> Iterator[None]:
    """Let somebody else keep the time for a while."""
    global _now, _sleep
    before = _now, _sleep
    _now, _sleep = now, sleep
    try:
        yield
    finally:
        _now, _sleep = before
