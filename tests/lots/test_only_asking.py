"""What became of an effect is asked at its vendor, and nothing is done there."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.lots import effects, pauses, restored
from tasks.lots.engine import Record
from tasks.lots.manners import Answer, Attempt, Came, Manner, Resume
from tests.conftest import HeldClock
from tests.lots.acting import KEY, QUIET, Lost, No, Vendor, perform, plan, row


class TestAskingWithoutActing:
    """Who asks adopts what is there, proves absent what is not, and does nothing."""

    @staticmethod
    def ask(record: Record, manner: Manner) -> Came:
        return effects.ask(record, KEY, manner, quiet=QUIET).came

    def lose(self, record: Record, vendor: Vendor, *, landed: bool, **changes: Any) -> Manner:
        plan(record)
        (vendor.fail_after if landed else vendor.fail).append(Lost())
        manner = vendor.manner(**changes)
        perform(record, manner)
        return manner

    def test_what_is_there_is_adopted_with_all_that_belongs_to_it(self, record: Record, vendor: Vendor) -> None:
        manner = self.lose(record, vendor, landed=True)
        assert self.ask(record, manner) is Came.DONE
        assert (row(record).state, vendor.records, len(vendor.done)) == ("ADOPTED", 1, 1)
        assert self.ask(record, manner) is Came.DONE
        assert vendor.records == 1

    @pytest.mark.parametrize("conclusive", [False, True], ids=["", "though the vendor refuses a second one"])
    def test_what_is_not_there_is_proven_absent_after_the_quiet_time_and_done_once_by_who_wants_it(
        self, record: Record, vendor: Vendor, held_clock: HeldClock, conclusive: bool
    ) -> None:
        manner = self.lose(record, vendor, landed=False, conclusive=conclusive)
        held_clock.advance(119)
        assert self.ask(record, manner) is Came.WAITING
        assert row(record).state == "UNKNOWN"
        held_clock.advance(2)
        assert self.ask(record, manner) is Came.ABSENT
        assert (row(record).state, vendor.done) == ("PLANNED", [])
        assert perform(record, manner).ok
        assert vendor.done == [record.known_as(f"{KEY}:g2")]

    def test_what_lands_after_that_is_found_by_who_wants_it_and_by_who_asks(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        manner = self.lose(record, vendor, landed=False)
        held_clock.advance(121)
        assert self.ask(record, manner) is Came.ABSENT
        with record.read() as session:
            assert [one.key for one in effects.to_ask(session)] == [KEY]
        vendor.done.append("late")
        assert perform(record, manner).vendor_id == "late"
        assert vendor.done == ["late"]

    def test_money_without_a_vendor_key_is_proven_absent_by_two_looks(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        manner = self.lose(record, vendor, landed=False, twice=True)
        held_clock.advance(300)
        assert self.ask(record, manner) is Came.WAITING
        held_clock.advance(121)
        assert self.ask(record, manner) is Came.ABSENT

    def test_a_restored_record_forgets_that_it_was_seen_absent(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        manner = self.lose(record, vendor, landed=False, twice=True)
        held_clock.advance(300)
        self.ask(record, manner)
        held_clock.advance(121)
        with record.write() as session:
            restored.mark(session)
        held_clock.advance(121)
        assert self.ask(record, manner) is Came.WAITING
        assert row(record).state == "UNKNOWN"

    def test_what_is_half_built_goes_on_under_its_key_and_is_not_given_up(
        self, record: Record, vendor: Vendor, held_clock: HeldClock
    ) -> None:
        manner = self.lose(record, vendor, landed=False, look=lambda attempt: Resume.HALF_BUILT)
        held_clock.advance(121)
        assert self.ask(record, manner) is Came.ABSENT
        with record.write() as session:
            assert effects.drop(session, KEY, "not wanted") is False
        assert perform(record, manner).ok
        assert vendor.done == [record.known_as(f"{KEY}:g1")]

    def test_what_is_proven_absent_can_be_given_up(self, record: Record, vendor: Vendor, held_clock: HeldClock) -> None:
        manner = self.lose(record, vendor, landed=False)
        held_clock.advance(121)
        self.ask(record, manner)
        with record.write() as session:
            assert effects.drop(session, KEY, "not wanted") is True

    def test_nobody_asks_beside_a_worker_or_before_one(self, record: Record, vendor: Vendor) -> None:
        plan(record)
        assert self.ask(record, vendor.manner()) is Came.ABSENT
        assert row(record).acted_at is None

        def act(attempt: Attempt) -> Answer:
            assert self.ask(record, vendor.manner()) is Came.BUSY
            return vendor.act(attempt)

        assert perform(record, vendor.manner(act=act)).ok

    def test_a_pause_stops_no_look(self, record: Record, vendor: Vendor, held_clock: HeldClock) -> None:
        with record.write() as session:
            effects.plan(session, "cj-pay:7", {})
        vendor.fail_after = [Lost()]
        effects.perform(record, "cj-pay:7", vendor.manner(), refusal=No, quiet=QUIET)
        with record.write() as session:
            pauses.pause(session, "buying")
        assert effects.ask(record, "cj-pay:7", vendor.manner(), quiet=QUIET).ok
