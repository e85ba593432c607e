"""Sourcing runs: counted at first contact, resumed rather than begun again, refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tasks.desk import Desk, working_at
from tasks.lots import approvals, keywords
from tasks.lots.engine import Record
from tasks.lots.models import SourcingRun
from tasks.settings import Settings
from tasks.sourcing import runs
from tests.conftest import HeldClock


@pytest.fixture(autouse=True)
def at_a_desk(
    sqlite_record: Record, held_clock: HeldClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    with working_at(Desk(Settings(), sqlite_record)) as desk:
        yield desk


def begin(word: str | None = "usb hub", cents: int = 5_000, products: int = 5) -> list[runs.Run]:
    return runs.begin(word, cents, products, False)


def complete(word: str) -> None:
    (run,) = begin(word)
    runs.mark_counted(run.id)
    runs.finish(run.id)


def test_the_third_run_of_a_day_is_refused_and_the_next_day_begins_anew(held_clock: HeldClock) -> None:
    complete("one")
    complete("two")
    with pytest.raises(runs.Refused, match="2 sourcing runs are used up"):
        begin("three")
    held_clock.advance(86_400)
    assert begin("three")


def test_a_run_that_never_reached_cj_does_not_count() -> None:
    for word in ("one", "two", "three"):
        (run,) = begin(word)
        runs.finish(run.id, error="the quota was low")
    assert begin("four")


def test_the_same_call_is_the_resume_of_an_unfinished_run_and_free() -> None:
    (first,) = begin()
    runs.mark_counted(first.id)
    complete_later = begin()
    assert complete_later == [first]


def test_another_call_finishes_the_old_run_first_with_its_own_parameters(sqlite_record: Record) -> None:
    (old,) = begin("usb hub", 2_000, 3)
    both = begin("desk lamp")
    assert [(run.keyword, run.max_cost_cents, run.max_products) for run in both] == [
        ("usb hub", 2_000, 3),
        ("desk lamp", 5_000, 5),
    ]
    assert both[0] == old


def test_six_products_and_an_empty_word_are_refused_and_leave_nothing(sqlite_record: Record) -> None:
    for word, products in (("usb hub", 6), ("  ", 5), (None, 5)):
        with pytest.raises(runs.Refused):
            begin(word, products=products)
    with sqlite_record.read() as session:
        assert session.scalars(select(SourcingRun)).all() == []


def test_a_cost_above_the_limit_asks_once_and_does_nothing(sqlite_record: Record) -> None:
    for _ in range(2):
        with pytest.raises(runs.AwaitingApproval, match=r"\$51\.00 a product is above \$50\.00"):
            begin(cents=5_100)
    with sqlite_record.read() as session:
        assert len(approvals.open_ones(session)) == 1
        assert session.scalars(select(SourcingRun)).all() == []


def answered(record: Record, yes: bool, granted_cents: int | None = None) -> None:
    with record.write() as session:
        (question,) = approvals.open_ones(session)
        assert approvals.answer(
            session, question.id, yes, "the operator", lasts=timedelta(hours=24), granted_cents=granted_cents
        )


def test_a_yes_lets_it_begin_once_and_the_next_one_is_asked_for_again(sqlite_record: Record) -> None:
    with pytest.raises(runs.AwaitingApproval):
        begin(cents=8_000)
    answered(sqlite_record, yes=True)
    (first,) = begin(cents=8_000)
    (again,) = begin(cents=8_000)
    assert first == again, "the same call is the run's resume, and needs no second yes"
    runs.finish(first.id)
    with pytest.raises(runs.AwaitingApproval):
        begin(cents=8_000)


def test_a_yes_for_less_bounds_the_run_and_its_resume(sqlite_record: Record) -> None:
    with pytest.raises(runs.AwaitingApproval):
        begin(cents=8_000)
    answered(sqlite_record, yes=True, granted_cents=6_000)
    assert [run.max_cost_cents for run in begin(cents=8_000)] == [6_000]
    assert [run.max_cost_cents for run in begin(cents=8_000)] == [6_000]


def test_a_no_ends_it(sqlite_record: Record) -> None:
    with pytest.raises(runs.AwaitingApproval):
        begin(cents=5_200)
    answered(sqlite_record, yes=False)
    with pytest.raises(runs.Refused, match=r"the operator said no to \$52\.00"):
        begin(cents=5_200)
    with sqlite_record.read() as session:
        assert session.scalars(select(SourcingRun)).all() == []


def test_the_rotation_takes_the_words_own_cap_and_marks_it_when_the_search_starts(sqlite_record: Record) -> None:
    with sqlite_record.write() as session:
        keywords.add(session, "usb hub", 2_000)
    (run,) = begin(None)
    assert (run.keyword, run.max_cost_cents) == ("usb hub", 2_000)
    with sqlite_record.read() as session:
        assert keywords.every(session)[0].last_sourced_at is None
    runs.mark_counted(run.id)
    with sqlite_record.read() as session:
        assert keywords.every(session)[0].last_sourced_at is not None
