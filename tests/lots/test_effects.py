"""How nothing happens twice: run again, refused, lost, killed, late, raced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tasks.lots import effects, pauses, restored
from tasks.lots.engine import Record
from tasks.lots.manners import Answer, Attempt, Came, Outcome, Resume, State
from tasks.lots.records import Effect, Incident
from tests.conftest import HeldClock
from tests.lots.acting import KEY, QUIET, Lost, No, NotEvenSent, Vendor, perform, plan, row


def test_it_is_done_once_and_a_second_run_finds_it_done(record: Record, vendor: Vendor) -> None:
    plan(record)
    first, second = perform(record, vendor.manner()), perform(record, vendor.manner())
    assert (first.came, first.first_time, second.came, second.first_time) == (Came.DONE, True, Came.DONE, False)
    assert vendor.done == [record.known_as(f"{KEY}:g1")]
    assert vendor.records == 1


def test_a_second_plan_keeps_the_first_request(record: Record) -> None:
    plan(record)
    with record.write() as session:
        assert effects.plan(session, KEY, {"cents": 99}).request == {"cents": 5}


def test_nothing_is_performed_that_nobody_planned(record: Record, vendor: Vendor) -> None:
    with pytest.raises(LookupError):
        perform(record, vendor.manner())
    assert vendor.done == []


def test_a_no_is_settled_and_never_asked_again(record: Record, vendor: Vendor) -> None:
    plan(record)
    vendor.fail = [No("never")]
    told: list[str] = []
    manner = vendor.manner(refused=lambda session, attempt, error: told.append(str(error)))
    assert perform(record, manner).came is Came.REFUSED
    assert perform(record, manner).came is Came.REFUSED
    assert (told, vendor.done, row(record).state) == (["never"], [], State.REFUSED)


def test_an_effect_whose_answer_was_lost_is_found_and_adopted(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail_after = [Lost()]
    assert perform(record, vendor.manner()).came is Came.WAITING
    assert perform(record, vendor.manner()).came is Came.DONE
    assert (len(vendor.done), row(record).state, vendor.records) == (1, State.ADOPTED, 1)


def test_an_absent_effect_proves_nothing_before_the_quiet_time(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail = [Lost()]
    perform(record, vendor.manner())
    held_clock.advance(119)
    assert perform(record, vendor.manner()).came is Came.WAITING
    assert vendor.done == []
    held_clock.advance(2)
    assert perform(record, vendor.manner()).came is Came.DONE
    assert vendor.done == [record.known_as(f"{KEY}:g2")]


def test_an_effect_that_lands_late_is_found_by_the_later_look(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail_after, vendor.hidden = [Lost()], True
    perform(record, vendor.manner())
    held_clock.advance(60)
    assert perform(record, vendor.manner()).came is Came.WAITING
    vendor.hidden = False
    held_clock.advance(61)
    assert perform(record, vendor.manner()).came is Came.DONE
    assert len(vendor.done) == 1


def test_an_error_that_swears_nothing_happened_takes_the_attempt_back(record: Record, vendor: Vendor) -> None:
    plan(record)
    vendor.fail = [NotEvenSent()]
    assert perform(record, vendor.manner()).came is Came.WAITING
    assert (row(record).state, row(record).attempts) == (State.PLANNED, 0)
    assert perform(record, vendor.manner()).came is Came.DONE
    assert vendor.done == [record.known_as(f"{KEY}:g1")]


def test_a_worker_killed_before_its_call_leaves_a_lease_and_then_a_look(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail = [KeyboardInterrupt()]  # type: ignore[list-item] # as SIGKILL, it runs no handler of ours
    with pytest.raises(KeyboardInterrupt):
        perform(record, vendor.manner())
    assert row(record).state == State.IN_FLIGHT
    assert perform(record, vendor.manner()).came is Came.BUSY
    held_clock.advance(91)
    assert perform(record, vendor.manner()).came is Came.WAITING  # within the quiet time: not blind
    held_clock.advance(120)
    assert perform(record, vendor.manner()).came is Came.DONE
    assert len(vendor.done) == 1


def test_a_worker_killed_between_the_answer_and_the_commit_repeats_nothing(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)

    def dies(session: Session, attempt: Attempt, answer: Answer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(record, vendor.manner(record=dies))
    held_clock.advance(91)
    assert perform(record, vendor.manner()).came is Came.DONE
    assert (len(vendor.done), vendor.records, row(record).state) == (1, 1, State.ADOPTED)


def alerts(record: Record, *, closed: bool = False) -> list[tuple[str, str]]:
    with record.read() as session:
        rows = session.scalars(select(Incident).order_by(Incident.id))
        return [(one.severity, one.text) for one in rows if one.closed_at is None or closed]


def test_a_worker_whose_lease_was_taken_still_leaves_the_vendors_id_and_tells_the_operator(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)

    def slow(attempt: Attempt) -> Answer:
        answer, vendor.hidden = vendor.act(attempt), True
        held_clock.advance(91)
        assert perform(record, vendor.manner()).came is Came.WAITING  # its look finds nothing yet
        return answer

    assert perform(record, vendor.manner(act=slow)).came is Came.BUSY
    assert row(record).vendor_id == vendor.done[0]
    assert [severity for severity, _ in alerts(record)] == ["HIGH"]
    vendor.hidden = False
    assert perform(record, vendor.manner()).came is Came.DONE
    assert (row(record).state, alerts(record)) == (State.ADOPTED, [])  # it was one and the same


def test_an_answer_that_comes_late_beside_another_is_told_as_a_duplicate(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)

    def slow(attempt: Attempt) -> Answer:
        answer, vendor.hidden = vendor.act(attempt), True
        held_clock.advance(500)
        assert perform(record, vendor.manner()).came is Came.DONE  # it proved nothing had happened, and was wrong
        return answer

    assert perform(record, vendor.manner(act=slow)).came is Came.BUSY
    first, second = vendor.done
    assert row(record).vendor_id == second
    ((severity, text),) = alerts(record)
    assert severity == "CRITICAL"
    assert first in text
    assert second in text


def test_a_second_act_does_not_hide_the_id_that_came_late(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)

    def slow(attempt: Attempt) -> Answer:
        answer, vendor.hidden = vendor.act(attempt), True
        held_clock.advance(91)
        assert perform(record, vendor.manner()).came is Came.WAITING
        return answer

    perform(record, vendor.manner(act=slow))
    held_clock.advance(500)
    assert perform(record, vendor.manner()).came is Came.DONE
    ((severity, text),) = alerts(record)
    assert severity == "CRITICAL"
    assert all(one in text for one in vendor.done)


class TestTwice:
    """A worker slept past its lease in the middle of its call, and another had acted meanwhile."""

    @staticmethod
    def twice(record: Record, vendor: Vendor, held_clock: HeldClock, undo: Callable[[str], None]) -> Outcome:
        plan(record)

        def slow(attempt: Attempt) -> Answer:
            answer, vendor.hidden = vendor.act(attempt), True
            held_clock.advance(500)
            assert perform(record, vendor.manner(undo=undo)).came is Came.DONE
            return answer

        return perform(record, vendor.manner(act=slow, undo=undo))

    def test_what_is_there_twice_is_taken_back_where_the_vendor_lets_us(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        def undo(one: str) -> None:
            ((severity, text),) = alerts(record)  # written down first: who dies here leaves it before a person
            assert (severity, one in text) == ("HIGH", True)
            vendor.done.remove(one)

        assert self.twice(record, vendor, held_clock, undo).came is Came.BUSY
        assert vendor.done == [row(record).vendor_id]
        assert alerts(record) == []

    def test_what_cannot_be_taken_back_is_a_persons(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        def undo(one: str) -> None:
            raise No(f"{one} has bids")

        self.twice(record, vendor, held_clock, undo)
        ((severity, text),) = alerts(record)
        assert severity == "CRITICAL"
        assert all(one in text for one in vendor.done)
        assert "has bids" in (row(record).error or "")

    def test_the_id_that_came_first_goes_where_the_second_was_recorded(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        plan(record)
        undo = vendor.done.remove

        def slow(attempt: Attempt) -> Answer:
            answer, vendor.hidden = vendor.act(attempt), True
            held_clock.advance(91)
            assert perform(record, vendor.manner()).came is Came.WAITING
            return answer

        perform(record, vendor.manner(act=slow, undo=undo))
        held_clock.advance(500)
        assert perform(record, vendor.manner(undo=undo)).came is Came.DONE
        assert vendor.done == [row(record).vendor_id]
        assert alerts(record) == []

    def test_what_was_given_up_meanwhile_is_taken_back_too(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        plan(record)

        def slow(attempt: Attempt) -> Answer:
            answer, vendor.hidden = vendor.act(attempt), True
            held_clock.advance(500)

            def no(_: Attempt) -> Answer:
                raise No("not such a one")

            assert perform(record, vendor.manner(act=no)).came is Came.REFUSED
            return answer

        assert perform(record, vendor.manner(act=slow, undo=vendor.done.remove)).came is Came.BUSY
        assert (vendor.done, alerts(record)) == ([], [])


def test_a_claim_that_another_worker_is_just_committing_is_not_overwritten(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail = [Lost()]
    perform(record, vendor.manner())
    held_clock.advance(600)
    taking, taken = threading.Event(), threading.Event()

    def take() -> None:
        with record.write() as session:
            session.execute(update(Effect).where(Effect.key == KEY).values(owner="another"))
            session.flush()
            taking.set()
            taken.wait(0.5)

    def look(attempt: Attempt) -> None:
        thief.start()
        taking.wait(5)

    thief = threading.Thread(target=take)
    assert perform(record, vendor.manner(look=look)).came is Came.BUSY
    thief.join()
    assert vendor.done == []


def test_half_built_work_goes_on_at_once_under_the_same_vendor_key(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail = [Lost()]
    perform(record, vendor.manner())
    outcome = perform(record, vendor.manner(look=lambda attempt: Resume.HALF_BUILT))
    assert outcome.came is Came.DONE
    assert vendor.done == [record.known_as(f"{KEY}:g1")]


def test_what_is_half_built_and_was_refused_is_asked_anew_under_another_key(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    """Stripe repeats its no for a day to whoever asks under the same key."""
    plan(record)
    vendor.fail = [No()]
    assert perform(record, vendor.manner()).came is Came.REFUSED
    with record.write() as session:
        assert effects.reopen(session, KEY, {"share_cents": 5})
    perform(record, vendor.manner(look=lambda attempt: Resume.HALF_BUILT))
    assert vendor.done == [record.known_as(f"{KEY}:g2")]


def test_money_without_a_vendor_key_needs_two_absent_looks_and_two_attempts_are_the_most(
    record: Record, vendor: Vendor, held_clock: HeldClock
) -> None:
    plan(record)
    vendor.fail = [Lost(), Lost(), Lost()]
    manner = vendor.manner(twice=True, most=2)
    perform(record, manner)
    held_clock.advance(121)
    assert perform(record, manner).came is Came.WAITING  # the first absent look
    assert len(vendor.fail) == 2
    held_clock.advance(121)
    perform(record, manner)  # the second: it acts
    assert len(vendor.fail) == 1
    for _ in range(4):
        held_clock.advance(121)
        outcome = perform(record, manner)
    assert len(vendor.fail) == 1
    assert "a person must decide" in (outcome.error or "")


def test_a_pause_is_read_before_every_effect(record: Record, vendor: Vendor) -> None:
    with record.write() as session:
        effects.plan(session, "cj-pay:7", {})
        pauses.pause(session, "buying")
    outcome = effects.perform(record, "cj-pay:7", vendor.manner(), refusal=No, quiet=QUIET)
    assert (outcome.came, vendor.done) == (Came.PAUSED, [])
    with record.write() as session:
        pauses.resume(session, "all")
    assert effects.perform(record, "cj-pay:7", vendor.manner(), refusal=No, quiet=QUIET).ok


def test_what_a_person_did_at_the_vendor_is_adopted_once(record: Record, vendor: Vendor) -> None:
    with record.write() as session:
        assert effects.adopt(session, KEY, Answer("by-hand", {}), {}) is True
        assert effects.adopt(session, KEY, Answer("again", {}), {}) is False
    assert perform(record, vendor.manner()).vendor_id == "by-hand"
    assert vendor.done == []


def test_only_what_nobody_acted_on_can_be_dropped(record: Record, vendor: Vendor, held_clock: HeldClock) -> None:
    plan(record)
    vendor.fail = [Lost()]
    perform(record, vendor.manner())
    with record.write() as session:
        assert effects.drop(session, KEY, "not wanted") is False
        effects.plan(session, "refund:8:1", {})
        assert effects.drop(session, "refund:8:1", "not wanted") is True


@pytest.mark.parametrize("put_back", [False, True], ids=["", "in a restored record"])
def test_what_was_given_up_before_anybody_acted_can_be_taken_up_again(
    record: Record, vendor: Vendor, held_clock: HeldClock, put_back: bool
) -> None:
    plan(record)
    with record.write() as session:
        assert effects.drop(session, KEY, "not wanted")
        if put_back:
            restored.mark(session)
    with record.write() as session:
        assert effects.reopen(session, KEY, {"share_cents": 5})
    assert row(record).acted_at == (held_clock.now() if put_back else None)
    assert perform(record, vendor.manner()).ok is not put_back  # where it may have happened, a look comes first
    held_clock.advance(121)
    assert perform(record, vendor.manner()).ok
    assert len(vendor.done) == 1


@pytest.mark.parametrize("round_", range(5))
def test_eight_workers_on_one_effect_act_once(record: Record, vendor: Vendor, round_: int) -> None:
    plan(record)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: perform(record, vendor.manner()).came, range(8)))
    assert len(vendor.done) == 1
    assert vendor.records == 1
    assert set(outcomes) <= {Came.DONE, Came.BUSY}
