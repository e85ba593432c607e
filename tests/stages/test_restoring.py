"""W9: a backup that is hours old is put back in mid-flight: nothing happens twice, what happened since is adopted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.faults import Fault
from tasks.lots import copies, effects, pauses, restored, spending
from tasks.lots.models import Lot
from tests.simulation.promises import broken
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal


def put_back(stage: Rehearsal, copy: Path) -> None:
    copies.check(stage.record, copy)
    copies.put_back(stage.record, copy)
    with stage.record.write() as session:
        restored.mark(session)


def marked(stage: Rehearsal) -> bool:
    with stage.record.read() as session:
        return restored.since(session) is not None


class TestABackupSixHoursOld:
    """W9: taken at every stage of two lots' life, and put back six hours later."""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        return tmp_path / "record.backup"

    @pytest.mark.parametrize("cycles", [0, 1], ids=["just closed", "paid at CJ"])
    @pytest.mark.parametrize("fate", ["delivered", "refunded"])
    def test_everything_that_happened_since_is_adopted(
        self, stage: Rehearsal, copy: Path, cycles: int, fate: str
    ) -> None:
        stage.person("ada")
        one, two = stage.sell("ada", "ada")
        if fate == "refunded":
            stage.cj.delist(stage.lot(one).cj_vid)
        stage.cycles(cycles)
        copies.back_up(stage.record, copy)
        stage.cycles(6, apart=HOUR)
        before = stage.lives()
        put_back(stage, copy)
        assert marked(stage)
        stage.cycles(5)
        assert [life[-1] for life in stage.lives().values()] == [life[-1] for life in before.values()]
        assert stage.reconcile().clean
        assert not marked(stage)
        stage.until_quiet()
        assert stage.status(two) == "DELIVERED"
        assert stage.status(one) == ("CANCELLED" if fate == "refunded" else "DELIVERED")
        assert broken(stage) == []
        mails = [(mail.to, mail.subject, mail.text) for mail in stage.post.mails]
        assert len(set(mails)) == len(mails)
        assert stage.reconcile().clean

    def test_an_order_that_only_the_lost_record_knew_is_found_before_one_is_made(
        self, stage: Rehearsal, copy: Path
    ) -> None:
        stage.person("ada")
        (lot,) = stage.sell("ada")
        with stage.record.write() as session:
            pauses.pause(session, "buying")
        stage.cycle()
        with stage.record.write() as session:
            pauses.resume(session, "all")
        copies.back_up(stage.record, copy)
        stage.cycle()
        (order,) = stage.cj.orders
        put_back(stage, copy)
        creates = stage.calls("cj", "POST /shopping/order/createOrderV2")
        stage.cycles(2)
        assert stage.calls("cj", "POST /shopping/order/createOrderV2") == creates
        assert stage.effect(f"cj-order:{lot}").state == "ADOPTED"
        assert stage.lot(lot).cj_order_id == order.order_id
        assert stage.status(lot) == "CJ_PAID"

    def test_what_the_lost_time_spent_of_the_days_cap_is_counted_before_anything_more_is_bought(
        self, rehearse: Callable[..., Rehearsal], copy: Path
    ) -> None:
        stage = rehearse(DAILY_SPEND_CAP_USD="25")
        stage.person("ada")
        lots = stage.sell("ada", "ada", "ada")
        for lot in lots:  # alike, at 10 dollars and something: two fit into a day
            with stage.record.write() as session:
                row, first = session.get_one(Lot, lot), stage.lot(lots[0])
                row.cj_vid, row.cj_pid, row.goods_cents = first.cj_vid, first.cj_pid, first.goods_cents
                row.freight_cents, row.landed_cents = first.freight_cents, first.landed_cents
                row.logistic_name, row.from_country = first.logistic_name, first.from_country
        with stage.record.write() as session:
            pauses.pause(session, "buying")
        stage.cycle()
        copies.back_up(stage.record, copy)
        with stage.record.write() as session:
            pauses.resume(session, "all")
        stage.cycles(2)
        assert sorted(stage.status(lot) for lot in lots) == ["CJ_ORDERED", "CJ_PAID", "CJ_PAID"]
        spent = stage.cj.purse.sum_of("pay")
        put_back(stage, copy)
        with stage.record.write() as session:
            pauses.resume(session, "all")
        stage.cycle()
        assert stage.cj.purse.sum_of("pay") == spent
        stage.cycles(2)
        assert stage.reconcile().clean
        assert not marked(stage)
        stage.cycles(3)
        assert stage.cj.purse.sum_of("pay") == spent  # the rest of the day has no room for the third
        with stage.record.read() as session:
            assert spending.reserved(session) == -spent
        stage.advance(DAY)
        stage.cycles(2)
        assert sum(one.kind == "pay" for one in stage.cj.payments) == 3
        assert [one for one in broken(stage) if "cap" in one] == []

    def test_rows_made_afterwards_take_no_lost_rows_id_and_lost_ones_are_named(
        self, stage: Rehearsal, copy: Path
    ) -> None:
        stage.source("phone stand", 1)
        copies.back_up(stage.record, copy)
        stage.source("desk lamp", 1)
        (_, lost) = [lot.id for lot in stage.lots()]
        put_back(stage, copy)
        with stage.record.read() as session:
            assert pauses.paused(session, "sourcing")
        report = stage.reconcile()
        assert {(one.vendor, one.what.value) for one in report.findings} == {("Basta", "orphan")}
        assert marked(stage)
        with stage.record.write() as session:
            pauses.resume(session, "all")
        stage.advance(200)
        stage.source("usb hub", 1)
        ids = [lot.id for lot in stage.lots()]
        assert len(ids) == 2
        assert ids[1] > 1_000_000 > lost


def test_an_effect_planned_before_a_restore_looks_first_and_acts_after_the_quiet_time(
    stage: Rehearsal, tmp_path: Path
) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.world.faults.plan(Fault("stripe", "POST /v1/invoices", "429"))
    stage.cycle()
    assert stage.effect("invoice:1:1:0").state == "PLANNED"
    copies.back_up(stage.record, tmp_path / "copy")
    put_back(stage, tmp_path / "copy")
    stage.cycle()
    assert stage.effect("invoice:1:1:0").state == "UNKNOWN"
    assert stage.bank.store.invoices == {}
    stage.cycles(4)
    assert stage.status(lot) == "CJ_PAID"
    assert len(stage.bank.store.invoices) == len(stage.cj.orders) == 1


def test_several_new_rows_of_one_flush_get_ids_of_their_own(stage: Rehearsal) -> None:
    stage.source("phone stand", 1)
    with stage.record.write() as session:
        floor = restored.mark(session)
        row = {name: getattr(stage.lots()[0], name) for name in Lot.__mapper__.columns.keys()}  # noqa: SIM118
        for name in ("id", "basta_item_id", "cj_order_number", "cj_order_id"):
            row[name] = None
        first, second = Lot(**row), Lot(**row)
        session.add_all([first, second])
        session.flush()
        assert [first.id, second.id] == [floor, floor + 1]
        session.rollback()


def test_nothing_planned_while_marked_is_dropped_unseen(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        restored.mark(session)
        effects.plan(session, "cj-order:7", {})
        assert not effects.drop(session, "cj-order:7", "no need")
