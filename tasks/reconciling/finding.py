"""What a reconciliation finds, and how its sums stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots.records import Stamp


class What(StrEnum):
    """The kinds of difference."""

    BOOKS = "books"  # a sum of ours is not the vendor's
    ORPHAN = "orphan"  # it bears our mark at the vendor, and we do not know it
    MISSING = "missing"  # we know it, and the vendor does not
    DUPLICATE = "duplicate"  # the vendor has it twice
    UNKNOWN = "unknown"  # an effect whose end nobody knows
    PROMISE = "promise"  # our own record breaks a promise
    UNDONE = "undone"  # known not to have happened, and nobody does it but a person


@dataclass(frozen=True)
class Finding:
    """One difference. `about` names the thing by the vendor's id or ours."""

    vendor: str
    what: What
    about: str
    text: str
    ours_cents: int | None = None
    theirs_cents: int | None = None

    def row(self) -> dict[str, str]:
        """As a table shows it."""
        return {
            "vendor": self.vendor,
            "what": self.what.value,
            "about": self.about,
            "text": self.text,
            "ours_cents": "" if self.ours_cents is None else str(self.ours_cents),
            "theirs_cents": "" if self.theirs_cents is None else str(self.theirs_cents),
        }


@dataclass
class Tie:
    """One sum of ours beside the vendor's."""

    vendor: str
    what: str
    ours_cents: int = 0
    theirs_cents: int = 0

    def add(self, ours: int, theirs: int) -> bool:
        """Count one pair; whether it is equal."""
        self.ours_cents += ours
        self.theirs_cents += theirs
        return ours == theirs

    def row(self) -> dict[str, str | int]:
        """As a table shows it."""
        return {
            "vendor": self.vendor,
            "what": self.what,
            "ours_cents": self.ours_cents,
            "theirs_cents": self.theirs_cents,
            "difference_cents": self.ours_cents - self.theirs_cents,
        }


@dataclass
class Report:
    """All that one reconciliation found."""

    findings: list[Finding] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)  # vendor -> why it could not be read
    unlooked: str | None = None  # why not every effect of unknown end was asked about at its vendor; None when all were
    unknown_yet: list[Finding] = field(default_factory=list)  # effects that are so young that they are no difference
    undone: list[Finding] = field(default_factory=list)  # what was begun by hand, did not happen, and waits for a hand

    @property
    def clean(self) -> bool:
        """Whether everything was asked about and read, nothing differs, and nothing is unknown."""
        return not (self.findings or self.unread or self.unknown_yet or self.unlooked)

    @property
    def ends_as(self) -> str:
        """The name of the run's end."""
        if self.clean:
            return "Completed"
        return "Differs" if self.findings or self.unread else "NotKnownYet"

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON may hold it."""
        return {
            "clean": self.clean,
            "sentence": self.sentence(),
            "differences": [finding.row() for finding in self.findings],
            "books": [tie.row() for tie in self.ties],
            "unread": self.unread,
            "unlooked": self.unlooked,
            "unknown_yet": [effect.row() for effect in self.unknown_yet],
            "undone": [effect.row() for effect in self.undone],
        }

    def sentence(self) -> str:
        """For the log, the run's end and the terminal."""
        if self.clean:
            return "The books tie to the cent, and nothing is unknown."
        parts = [f"{len(self.findings)} differences"] if self.findings else []
        parts += [f"{vendor} could not be read" for vendor in self.unread]
        if self.unknown_yet:
            parts.append(f"not known yet: {', '.join(one.about for one in self.unknown_yet)}")
        if self.unlooked:
            parts.append(f"not every unknown effect could be asked about, as {self.unlooked.rstrip('.')}")
        return f"{'; '.join(parts)}."


def lasting(first: Sequence[Finding], second: Sequence[Finding]) -> list[Finding]:
    """What both looks found, as the second one saw it."""
    known = {(one.what, one.about) for one in first}
    return [one for one in second if (one.what, one.about) in known]


def record_name(session: Session) -> str:
    """The name that all of this record's things bear at the vendors; "" for a record older than names."""
    return session.execute(select(Stamp.value).where(Stamp.name == "record")).scalar_one_or_none() or ""


def bears_our_mark(name: str, shape: str, text: str | None) -> bool:
    """Whether a vendor's text is a name that this record gives: `shape` is a pattern such as "lot-[0-9]+"."""
    mark = f"-{re.escape(name)}" if name else ""
    return text is not None and re.fullmatch(f"{shape}{mark}", text) is not None
