"""Refused webhooks are counted by the hour, so that failing signatures can be told from a stranger's knocking."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from tasks.lots import inbox, refusals
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.records import WebhookRefusal
from tests.conftest import HeldClock

DAY = timedelta(days=1)


def count(record: Record, **numbers: int) -> None:
    with record.write() as session:
        refusals.count(session, {("stripe", reason): number for reason, number in numbers.items()})


def test_refusals_of_an_hour_are_one_row_and_of_the_next_another(record: Record, held_clock: HeldClock) -> None:
    count(record, wrong=2, unsigned=1)
    held_clock.advance(60)
    count(record, wrong=3)
    held_clock.advance(3_600)
    count(record, wrong=1)
    with record.read() as session:
        rows = session.scalars(select(WebhookRefusal).order_by(WebhookRefusal.hour, WebhookRefusal.reason))
        assert [(row.reason, row.count) for row in rows] == [("unsigned", 1), ("wrong", 5), ("wrong", 1)]
        assert refusals.signatures(session, "stripe", now() - DAY).failing == 6
        assert refusals.signatures(session, "stripe", now()).failing == 1
        assert refusals.signatures(session, "basta", now() - DAY).failing == 0


def test_signatures_fail_until_a_genuine_one_comes_and_an_unsigned_knock_is_nothing(
    record: Record, held_clock: HeldClock
) -> None:
    def failing() -> bool:
        with record.read() as session:
            return refusals.signatures(session, "stripe", now() - DAY).is_failing

    count(record, unsigned=100, unreadable=5)
    assert not failing()
    inbox.receive(record, "stripe", "evt_1", "invoice.paid", {})
    held_clock.advance(60)
    count(record, wrong=1)
    assert failing()
    held_clock.advance(60)
    inbox.receive(record, "stripe", "evt_2", "invoice.paid", {})
    assert not failing()


def test_a_clock_that_is_wrong_shows_in_the_reason(record: Record, held_clock: HeldClock) -> None:
    count(record, stale=4, wrong=1)
    with record.read() as session:
        seen = refusals.signatures(session, "stripe", now() - DAY)
    assert (seen.failing, seen.stale, seen.genuine) == (5, 4, 0)


def test_counts_are_forgotten_after_thirty_days(record: Record, held_clock: HeldClock) -> None:
    count(record, wrong=1)
    held_clock.advance(31 * 86_400)
    count(record, stale=1)
    with record.read() as session:
        assert [row.reason for row in session.scalars(select(WebhookRefusal))] == ["stale"]
