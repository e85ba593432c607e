"""What one check found: how bad it is, in a sentence, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """In rising order."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    level: Level
    name: str
    text: str
    fix: str | None = None


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, name, text)


def warn(name: str, text: str, fix: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(Level.WARN, name, text, fix)


def fail(name: str, text: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, name, text, fix)


def worst(findings: list[Finding]) -> Level:
    """The worst level among them."""
    order = list(Level)
    return max((one.level for one in findings), key=order.index, default=Level.OK)
