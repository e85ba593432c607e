"""A payment whose answer was lost, and then somebody cancels or deletes the order at CJ by hand.

Nobody knows whether the balance moved, and the order is not to be bought any more. It is the order that tells of the
payment, and the purse that tells of the money: the books are right either way.
"""

from __future__ import annotations

import polars as pl
import pytest
from sqlalchemy import select

from deployments.sandbox.cj import ERROR_WITH_EFFECT
from deployments.sandbox.faults import Fault
from tasks import tracking
from tasks.lots import purse
from tasks.lots.records import LedgerEntry
from tasks.reports.money import lot_frame
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR, Rehearsal

CREATE, CONFIRM = "POST /shopping/order/createOrderV2", "PATCH /shopping/order/confirmOrder"
PAY, DETAIL = "POST /shopping/pay/payBalance", "GET /shopping/order/getOrderDetail"
BATCH = "POST /shopping/order/getOrderDetailBatch"


def sold(stage: Rehearsal) -> int:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    return lot


def then(stage: Rehearsal, what: str, call: str = PAY) -> None:
    """Let it happen by hand right after this call of ours."""

    def by_hand(label: str) -> None:
        if label == f"cj {call}":
            stage.exchange.after = lambda _: None
            (order,) = stage.cj.orders
            stage.cj.cancel_order(order.number) if what == "cancel" else stage.cj.book.delete(order)

    stage.exchange.after = by_hand


def sums(stage: Rehearsal) -> dict[str, int]:
    with stage.record.read() as session:
        rows = session.scalars(select(LedgerEntry).where(LedgerEntry.vendor == "cj", LedgerEntry.lot_id.is_not(None)))
        found: dict[str, int] = {}
        for row in rows:
            found[row.kind] = found.get(row.kind, 0) + row.cents
        return found


def ended_well(stage: Rehearsal, lot: int, *, pays: int = 1) -> None:
    """Refunded, never paid again, and every cent of the purse explained."""
    assert stage.status(lot) == "CANCELLED"
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    assert stage.unsettled() == []
    assert stage.calls("cj", PAY) == pays
    assert stage.reconcile().clean
    with stage.record.read() as session:
        assert purse.expected(session) == stage.cj.purse.balance_cents
        row = lot_frame(session).row(by_predicate=pl.col("lot_id") == lot, named=True)
    assert row["cost_cents"] == 0
    assert broken(stage) == []


@pytest.mark.parametrize("lost", ["timeout_after", "500_after", "reset_after"])
def test_paid_and_then_cancelled_it_was_bought_and_cj_gave_its_price_back(stage: Rehearsal, lost: str) -> None:
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", PAY, lost))
    then(stage, "cancel")
    stage.cycles(4, apart=2 * HOUR)
    assert stage.effect(f"cj-pay:{lot}").state == "ADOPTED"
    booked, price = sums(stage), stage.lot(lot).cj_amount_cents
    assert (booked["goods"] + booked["freight"], booked["cj_credit"]) == (-price, price)
    ended_well(stage, lot)


@pytest.mark.parametrize("lost", ["timeout_before", "500_before", "reset_before"])
def test_never_paid_and_cancelled_nothing_is_booked(stage: Rehearsal, lost: str) -> None:
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", PAY, lost))
    then(stage, "cancel")
    stage.cycles(4, apart=2 * HOUR)
    assert stage.effect(f"cj-pay:{lot}").state == "REFUSED"
    assert sums(stage) == {}
    ended_well(stage, lot)


def test_an_error_that_had_an_effect_is_no_proof_either(stage: Rehearsal) -> None:
    lot = sold(stage)
    stage.cj.options.pay_lies.append(ERROR_WITH_EFFECT)
    then(stage, "cancel")
    stage.cycles(4, apart=2 * HOUR)
    assert stage.effect(f"cj-pay:{lot}").state == "ADOPTED"
    ended_well(stage, lot)


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
def test_the_order_is_asked_before_anything_is_given_up(stage: Rehearsal, fault: str) -> None:
    """While CJ does not show the order, the payment is neither repeated nor given up, and nobody is refunded."""
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", PAY, fault))
    stage.world.faults.plan(Fault("cj", BATCH, "500_before", nth=2, times=3))
    stage.world.faults.plan(Fault("cj", DETAIL, "500_before", times=2))
    then(stage, "cancel")
    stage.cycle()
    assert stage.effect(f"cj-pay:{lot}").state == "UNKNOWN"
    assert stage.lot(lot).refund_status is None
    stage.cycles(8, apart=2 * HOUR)
    ended_well(stage, lot)


class TestDeleted:
    """An order can be deleted at CJ, by hand, till it is confirmed; it is never shown again."""

    @pytest.mark.parametrize("fault", ["timeout_before", "500_before"])
    def test_before_it_was_confirmed_the_buyer_is_refunded(self, stage: Rehearsal, fault: str) -> None:
        lot = sold(stage)
        stage.world.faults.plan(Fault("cj", CONFIRM, fault))
        then(stage, "delete", CONFIRM)
        stage.cycles(8, apart=2 * HOUR)
        assert stage.cj.orders == []
        assert "deleted" in (stage.lot(lot).error_message or "")
        assert stage.calls("cj", CREATE) == 1
        ended_well(stage, lot, pays=0)

    def test_one_look_that_does_not_show_it_decides_nothing(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.world.faults.plan(Fault("cj", CONFIRM, "timeout_before"))
        stage.cycle()
        (order,) = stage.cj.orders
        stage.cj.book.delete(order)
        for _ in range(2):  # two looks at once are one
            tracking.poll(stage.desk, [lot])
            assert (stage.lot(lot).cj_status, stage.lot(lot).refund_status) == ("NOT_SHOWN", None)
        stage.cj.book.orders.append(stage.cj.book.deleted.pop())
        stage.cycles(4, apart=2 * HOUR)
        assert stage.status(lot) == "CJ_PAID"
        assert stage.lot(lot).cj_status == order.status

    def test_a_paid_order_that_cj_does_not_show_is_a_persons_and_its_buyer_is_not_refunded(
        self, stage: Rehearsal
    ) -> None:
        lot = sold(stage)
        stage.cycles(2)
        assert stage.status(lot) == "CJ_PAID"
        (order,) = stage.cj.orders
        stage.cj.book.delete(order)
        stage.cycles(8, apart=12 * HOUR)
        (told,) = stage.incidents("not-shown:")
        assert told.lot_id == lot
        assert (stage.status(lot), stage.lot(lot).refund_status) == ("CJ_PAID", None)
        stage.cj.book.orders.append(stage.cj.book.deleted.pop())
        stage.cycles(2, apart=12 * HOUR)
        assert stage.incidents("not-shown:") == []

    @pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
    def test_after_its_payment_was_called_the_purse_tells_and_a_person_is_told(
        self, stage: Rehearsal, fault: str
    ) -> None:
        lot = sold(stage)
        stage.world.faults.plan(Fault("cj", PAY, fault))
        then(stage, "delete", PAY)
        stage.cycles(8, apart=2 * HOUR)
        (told,) = stage.incidents("cancelled:")
        assert "see in CJ's wallet" in told.text
        assert (told.lot_id, told.cents) == (lot, stage.lot(lot).cj_amount_cents)
        assert stage.lot(lot).refund_status == "SUCCEEDED"
        assert stage.calls("cj", PAY) == 1
        assert stage.unsettled() == []
        with stage.record.read() as session:
            assert purse.expected(session) == stage.cj.purse.balance_cents
