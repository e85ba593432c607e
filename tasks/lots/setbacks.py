"""Whom no vendor answered comes last the next time, so that nobody waits behind it for ever.

A stage ends after some absences in a row, as the vendor is away then; a few subjects whose calls are never answered
look the same, and at the head of a stage they would end it in every cycle. One that was not answered `OFTEN` times
in a row waits until all the stages of a cycle are done: from then on it costs the others nothing. Where no time was
left for it then, cycle after cycle, it is done in its stage again, after the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.records import Setback

Subject = TypeVar("Subject")

#: One that has no work any more is forgotten then.
KEEP = timedelta(days=7)
#: After so many times in a row it is no hiccup.
OFTEN = 3
#: One that was put off is tried so long after the last time, whatever else there is to do: a refund may be waiting.
LONGEST = timedelta(hours=3)
_NEVER = datetime.min.replace(tzinfo=UTC)


def known(session: Session, stage: str) -> dict[str, Setback]:
    """A stage's subjects that were not answered when they were last tried."""
    return {row.subject: row for row in session.scalars(select(Setback).where(Setback.stage == stage))}


def those_last(subjects: Iterable[Subject], setbacks: Mapping[str, Setback]) -> list[Subject]:
    """All in their order, but those with a setback after them, and of these the longest untried first."""
    return sorted(subjects, key=lambda one: setbacks[str(one)].at if str(one) in setbacks else _NEVER)


def is_put_off(setback: Setback) -> bool:
    """Whether it waits until all else is done."""
    return setback.times >= OFTEN and now() < setback.at + LONGEST


def note(session: Session, stage: str, silent: Collection[str], answered: Collection[str]) -> None:
    """Keep who was not answered now, and forget who was."""
    at, before = now(), {subject: row.times for subject, row in known(session, stage).items()}
    gone = delete(Setback).where(Setback.stage == stage)
    session.execute(gone.where(Setback.subject.in_([*answered, *silent]) | (Setback.at < at - KEEP)))
    for subject in sorted(silent):
        insert_once(session, Setback, stage=stage, subject=subject, at=at, times=before.get(subject, 0) + 1)


__all__ = ["LONGEST", "OFTEN", "is_put_off", "known", "note", "those_last"]
