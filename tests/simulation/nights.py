"""What a night's comparison may say in the midst of a fault, each with its reason; all else is a violation.

And the other way round: what calls itself clean must be so, by the vendors' own figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.lots.records import Effect
from tasks.reconciling.finding import What
from tasks.reconciling.here import LONG_UNKNOWN
from tests.simulation.knife import CRASH, Point
from tests.simulation.promises import PROMISES
from tests.simulation.rehearsal import Rehearsal

#: What a clean night vouches for, of that which can be judged while lots are still on their way.
VOUCHED_FOR = (
    "ordered and bought once",
    "charged once, and exactly",
    "no refund above its share",
    "bought only when paid for, within the cap",
    "the books tie",
    "our record breaks no promise by itself",
    "only lawful moves",
)


#: What no clean night has.
UNCLEAN = ("differences", "unread", "unlooked", "unknown_yet")


@dataclass(frozen=True)
class Blow:
    """What was done to the pipeline, and when."""

    at: datetime
    point: Point
    kind: str


@dataclass(frozen=True)
class Night:
    """One comparison: from when to when, what it said, and all that had been done to the pipeline by then."""

    began: datetime
    ended: datetime
    said: Mapping[str, Any]
    blows: tuple[Blow, ...]

    @property
    def own(self) -> list[Blow]:
        """Faults that fell into this very night: into its cycle, or into the comparison."""
        return [one for one in self.blows if one.at >= self.began and one.kind != CRASH]


def unfounded(stage: Rehearsal, night: Night) -> Iterator[str]:
    """What a night said without a reason."""
    said = night.said
    yield from (
        f"{vendor} could not be read: {why}" for vendor, why in said["unread"].items() if not _hit(night, vendor)
    )
    if said["unlooked"] and not night.own:
        # Reason: a call of its own cycle was struck, so that a stage could not read its work.
        yield f"not all was asked about: {said['unlooked']}"
    for row in said["unknown_yet"]:
        if not _young(stage, night, row["about"]):
            yield f"not known yet: {row['about']}: {row['text']}"
    for row in said["differences"]:
        if row["what"] != What.UNKNOWN or not _asked_once(stage, night, row["about"]):
            yield f"{row['vendor']}, {row['what']} {row['about']}: {row['text']}"
    if said["clean"]:
        yield from (f"it is called clean, and has {what}: {said[what]}" for what in UNCLEAN if said[what])
        for name in VOUCHED_FOR:
            yield from (f"it is called clean, and {name}: {what}" for what in PROMISES[name](stage))


def _hit(night: Night, vendor: str) -> bool:
    """A step has one try here: the vendor whose call was struck this very night is not read to the end."""
    return any((one.point.call or "").startswith(f"{vendor.lower()} ") for one in night.own)


def _young(stage: Rehearsal, night: Night, key: str) -> bool:
    """It was begun within the hour, and something fell since: no look has had the time to tell."""
    effect = _effect(stage, key)
    begun = effect.acted_at or effect.created_at
    return night.ended - begun < LONG_UNKNOWN and _fell_since(night, begun)


def _asked_once(stage: Rehearsal, night: Night, key: str) -> bool:
    """It was begun more than an hour ago, and something fell since; the first look at it was this very night's.

    That look was struck, or it is the first of the two that are needed before money is sent again.
    """
    effect = _effect(stage, key)
    begun = effect.acted_at or effect.created_at
    first = effect.absent_since is not None and effect.absent_since >= night.began
    return night.ended - begun >= LONG_UNKNOWN and _fell_since(night, begun) and (bool(night.own) or first)


def _fell_since(night: Night, begun: datetime) -> bool:
    return any(one.at >= begun for one in night.blows)


def _effect(stage: Rehearsal, key: str) -> Effect:
    with stage.record.read() as session:
        return session.get_one(Effect, key)


__all__ = ["Blow", "Night", "unfounded"]
