"""A vendor with memory, and an effect that is planned and performed at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from tasks.lots import effects
from tasks.lots.engine import Record
from tasks.lots.manners import Answer, Attempt, Manner, Outcome
from tasks.lots.records import Effect

KEY = "refund:7:1"
QUIET = timedelta(seconds=120)


class Lost(Exception):
    """Nobody knows what happened."""


class NotEvenSent(Exception):
    """The vendor certainly did nothing."""

    executed = False


class No(Exception):
    """The vendor said no."""


class Vendor:
    """A vendor with memory, which fails as it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fail: list[Exception] = []
        self.fail_after: list[Exception] = []
        self.records = 0
        self.hidden = False

    def look(self, attempt: Attempt) -> Answer | None:
        return Answer(self.done[0], {}) if self.done and not self.hidden else None

    def act(self, attempt: Attempt) -> Answer:
        if self.fail:
            raise self.fail.pop(0)
        self.done.append(attempt.vendor_key)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return Answer(attempt.vendor_key, {"cents": 5})

    def record(self, session: Session, attempt: Attempt, answer: Answer) -> None:
        self.records += 1

    def manner(self, **changes: Any) -> Manner:
        return Manner(**{"look": self.look, "act": self.act, "record": self.record, **changes})


def plan(record: Record) -> None:
    with record.write() as session:
        effects.plan(session, KEY, {"cents": 5})


def perform(record: Record, manner: Manner) -> Outcome:
    return effects.perform(record, KEY, manner, refusal=No, quiet=QUIET)


def row(record: Record) -> Effect:
    with record.read() as session:
        return session.get_one(Effect, KEY)
