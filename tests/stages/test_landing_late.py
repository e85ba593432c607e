"""What lands when it was proven absent and given up, or is found in a restored record: no one buys or sells by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.sandbox.faults import Fault
from tasks import handling
from tasks.lots import copies, pauses, spending
from tasks.lots.moving import move
from tasks.lots.states import LotStatus
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR, Rehearsal
from tests.stages.test_asking import source
from tests.stages.test_handling import WHERE, cancel
from tests.stages.test_restoring import marked, put_back


def slow(stage: Rehearsal, vendor: str, write: str) -> None:
    """A call that nobody has an answer to, and that lands an hour later."""
    stage.world.faults.plan(Fault(vendor, write, "late", effect_after=HOUR))


def buying(stage: Rehearsal, *, paused: bool) -> None:
    with stage.record.write() as session:
        (pauses.pause if paused else pauses.resume)(session, "buying")


def order_under_way(stage: Rehearsal) -> int:
    """A paid lot whose order lands in an hour and is proven absent now; buying is paused meanwhile."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    slow(stage, "cj", "POST /shopping/order/createOrderV2")
    stage.cycle()
    buying(stage, paused=True)
    stage.advance(200)
    assert stage.reconcile().clean
    assert stage.effect(f"cj-order:{lot}").state == "PLANNED"
    return lot


def test_an_address_is_not_replaced_while_an_order_to_the_old_one_may_land(stage: Rehearsal) -> None:
    lot = order_under_way(stage)
    plan = handling.plan_address(stage.desk, lot)
    with pytest.raises(handling.Refused, match="its order may be made already"):
        handling.set_address(stage.desk, plan, handling.address_of(WHERE))
    stage.advance(HOUR)
    buying(stage, paused=False)
    stage.cycles(2)
    (order,) = stage.cj.book.orders
    assert order.address["line1"] == (stage.lot(lot).ship_to or {})["line1"]


def test_an_order_that_lands_when_its_lot_was_given_back_is_named_until_it_is_deleted(stage: Rehearsal) -> None:
    lot = order_under_way(stage)
    cancel(stage, lot)
    stage.advance(HOUR)
    (order,) = stage.cj.book.orders
    buying(stage, paused=False)
    report = stage.reconcile()
    assert stage.status(lot) is LotStatus.CANCELLED
    ((about, text),) = [(one.about, one.text) for one in report.findings]
    assert about == order.order_id
    assert text == f"lot {lot} is CANCELLED, and its order {order.number} is CREATED: delete it at CJ"
    assert stage.incidents("reconcile:CJ:orphan")
    stage.desk.cj.delete_order(order.order_id)
    assert stage.reconcile().clean
    assert stage.incidents("reconcile:CJ:") == []


def test_a_payment_that_lands_when_its_order_was_to_be_cancelled_is_adopted_and_told(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    slow(stage, "cj", "POST /shopping/pay/payBalance")
    stage.cycle()
    buying(stage, paused=True)
    for _ in range(2):  # so often it must read as unpaid
        stage.advance(200)
        stage.reconcile()
    assert cancel(stage, lot).endswith("delete it at CJ by hand, and the rest follows")
    assert stage.effect(f"cj-pay:{lot}").state == "DROPPED"
    stage.advance(HOUR)
    stage.cycle()
    assert stage.status(lot) is LotStatus.CJ_PAID
    assert len(stage.events("dropship.order.paid-all-the-same")) == 1
    assert stage.reconcile().clean


def test_a_payment_that_was_given_up_is_made_when_a_retry_asks_for_it_after_all(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.world.faults.plan(Fault("cj", "POST /shopping/pay/payBalance", "timeout_before"))
    stage.cycle()
    buying(stage, paused=True)
    for _ in range(2):
        stage.advance(200)
        stage.reconcile()
    cancel(stage, lot)
    handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    buying(stage, paused=False)
    stage.cycles(2)
    assert stage.status(lot) is LotStatus.CJ_PAID
    with stage.record.read() as session:
        assert spending.reserved(session) == stage.lot(lot).cj_amount_cents, "it takes of the day's cap once"
    assert [one.kind for one in stage.cj.payments] == ["opening", "pay"]


class TestAnItemThatLandsWhenItsLotWasCancelled:
    """Nobody could be given what is won there."""

    def test_it_leaves_the_sale_before_that_is_published(self, stage: Rehearsal) -> None:
        slow(stage, "basta", "createItemForSale")
        assert not source(stage)
        stage.advance(200)
        stage.reconcile()
        cancel(stage, 1)
        stage.advance(HOUR)
        (sale,) = stage.house.sales.values()
        assert len(sale.items) == 2
        assert source(stage)
        assert [item.external_id for item in sale.items] == [stage.record.known_as("lot-2")]
        assert [stage.status(lot) for lot in (1, 2)] == [LotStatus.CANCELLED, LotStatus.PUBLISHED]
        assert stage.reconcile().clean

    def test_where_basta_keeps_it_nothing_is_published(self, stage: Rehearsal) -> None:
        slow(stage, "basta", "createItemForSale")
        assert not source(stage)
        stage.advance(200)
        stage.reconcile()
        cancel(stage, 1)
        stage.advance(HOUR)
        stage.world.faults.plan(Fault("basta", "removeItemFromSale", "timeout_before"))
        assert not source(stage)
        assert stage.calls("basta", "publishSale") == 0

    def test_where_it_stays_the_night_names_it(self, stage: Rehearsal) -> None:
        assert source(stage)
        with stage.record.write() as session:
            move(session, 1, LotStatus.CANCELLED)
        (item, _) = next(iter(stage.house.sales.values())).items
        ((about, text),) = [(one.about, one.text) for one in stage.reconcile().findings]
        assert about == item.id
        assert text.endswith("is of lot 1, which is CANCELLED: remove it at Basta before it sells")


def test_a_lot_that_was_given_back_in_the_lost_time_is_not_bought_again(stage: Rehearsal, tmp_path: Path) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    buying(stage, paused=True)
    stage.cycle()
    copies.back_up(stage.record, tmp_path / "copy")
    cancel(stage, lot)
    stage.cycles(2, apart=HOUR)
    put_back(stage, tmp_path / "copy")
    assert stage.status(lot) is LotStatus.PAID
    buying(stage, paused=False)
    stage.advance(200)
    stage.cycle()
    assert stage.reconcile().clean
    assert not marked(stage)
    assert stage.cj.book.orders == []
    stage.until_quiet()
    assert stage.status(lot) is LotStatus.CANCELLED
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    assert stage.calls("stripe", "POST /v1/credit_notes") == 1
    assert broken(stage) == []
