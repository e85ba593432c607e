"""R1, R3, R4, R5, R7: a lot's own share, to the cent, once, and the right act for every state of its invoice."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from deployments.sandbox.faults import Fault
from tasks import refunding
from tasks.lots import pauses
from tasks.lots.ledger import Kind, total
from tasks.lots.models import Lot
from tests.simulation.rehearsal import DAY, HOME, HOUR, Address, Rehearsal
from tests.stages.test_invoicing import FAULTS, PREMIUM

CREDIT = "POST /v1/credit_notes"


def give_back(stage: Rehearsal, lot: int) -> None:
    """As an operator's command will: the lot shall be refunded, whatever it is."""
    with stage.record.write() as session:
        session.execute(
            update(Lot).where(Lot.id == lot).values(refund_status="PLANNED", error_message="given back by hand")
        )


def share(stage: Rehearsal, lot: int) -> int:
    return sum(
        line["amount"]
        for lines in stage.bank.store.lines.values()
        for line in lines
        if line["metadata"]["lot_id"] == str(lot)
    )


def refunds(stage: Rehearsal) -> list[int]:
    return [row["amount"] for row in stage.bank.store.refunds.values()]


def test_one_of_three_lots_is_out_of_stock_and_its_share_goes_back_to_the_cent(stage: Rehearsal) -> None:
    """R1."""
    stage.house.options.fees = PREMIUM
    stage.person("ada")
    one, two, three = stage.sell("ada", "ada", "ada")
    stage.cj.delist(stage.lot(two).cj_vid)
    stage.cycles(3)
    assert stage.life(two)[-3:] == ["PAID", "CJ_OUT_OF_STOCK", "CANCELLED"]
    assert [stage.status(one), stage.status(three)] == ["CJ_PAID", "CJ_PAID"]
    assert refunds(stage) == [share(stage, two)]
    assert stage.lot(two).refund_cents == share(stage, two)
    (mail,) = stage.mails("order_refunded")
    cents = share(stage, two)
    assert f"${cents // 100}.{cents % 100:02d}" in mail.text
    (order,) = stage.house.orders.values()
    assert order.status == "PAID"


#: As in test_invoicing: one of each kind of not knowing, and forgotten keys where there was an effect.
@pytest.mark.parametrize(
    ("kind", "forgetful"), FAULTS, ids=[f"{kind}-keys {'forgotten' if lost else 'kept'}" for kind, lost in FAULTS]
)
def test_whatever_happens_to_the_call_the_buyer_is_refunded_once(stage: Rehearsal, kind: str, forgetful: bool) -> None:
    """R2 for faults: kills are the simulation's."""
    stage.person("ada")
    one, two = stage.sell("ada", "ada")
    stage.cj.delist(stage.lot(one).cj_vid)
    stage.world.faults.plan(Fault("stripe", CREDIT, kind))
    for _ in range(6):
        stage.cycle()
        if forgetful:
            stage.bank.forget_keys()
        stage.advance(300)
    assert refunds(stage) == [share(stage, one)]
    assert stage.lot(one).refund_status == "SUCCEEDED"
    assert len(stage.mails("order_refunded")) == 1
    assert stage.status(two) == "CJ_PAID"


@pytest.mark.parametrize("call", [0, 1])
def test_a_worker_who_read_the_lot_before_another_refunded_it_leaves_it_refunded(stage: Rehearsal, call: int) -> None:
    """R2: the other does all of it at one of the slow one's calls, so that what the slow one read is old."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cj.delist(stage.lot(lot).cj_vid)
    while stage.status(lot) != "CJ_OUT_OF_STOCK":
        stage.cycle()
    calls: list[str] = []

    def meanwhile(label: str) -> None:
        if label.startswith("stripe"):
            calls.append(label)
            if len(calls) == call + 1:
                stage.exchange.after = lambda _: None
                assert refunding.refund_lot(lot) == "pending"

    stage.exchange.after = meanwhile
    refunding.refund_lot(lot)
    assert len(calls) == call + 1
    stage.cycles(3)
    assert refunds(stage) == [share(stage, lot)]
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    assert len(stage.mails("order_refunded")) == 1


class TestTheRightActForEachInvoice:
    """R3."""

    def test_not_built_yet_the_lot_leaves_the_bill_and_the_others_get_a_new_one(self, stage: Rehearsal) -> None:
        stage.person("ada")
        one, two = stage.sell("ada", "ada")
        with stage.record.write() as session:
            pauses.pause(session, "charging")
        stage.cycle()
        give_back(stage, one)
        stage.cycle()
        assert stage.status(one) == "CANCELLED"
        assert stage.lot(one).refund_status == "NONE_DUE"
        with stage.record.write() as session:
            pauses.resume(session, "all")
        stage.cycles(2)
        (invoice,) = stage.bank.store.invoices.values()
        assert invoice["amount_paid"] == stage.lot(two).winning_bid_cents
        assert stage.status(two) == "CJ_PAID"

    def test_half_built_it_is_first_finished_then_credited_and_the_rest_is_charged(self, stage: Rehearsal) -> None:
        stage.person("ada")
        one, two = stage.sell("ada", "ada")
        stage.world.faults.plan(Fault("stripe", "POST /v1/invoices/{id}/finalize", "500_before", times=1))
        stage.cycle()
        (invoice,) = stage.bank.store.invoices.values()
        assert invoice["status"] == "draft"
        give_back(stage, one)
        stage.cycles(4)
        assert stage.status(one) == "CANCELLED"
        assert invoice["amount_paid"] == stage.lot(two).winning_bid_cents
        assert refunds(stage) == []
        assert stage.status(two) == "CJ_PAID"

    def test_open_less_is_due_and_nothing_goes_back(self, stage: Rehearsal) -> None:
        stage.person("ada", "no_card", pays_after=2 * DAY)
        one, two = stage.sell("ada", "ada")
        stage.cycle()
        give_back(stage, one)
        stage.cycle()
        assert stage.status(one) == "CANCELLED"
        assert stage.lot(one).refund_status == "NONE_DUE"
        (invoice,) = stage.bank.store.invoices.values()
        assert invoice["amount_remaining"] == stage.lot(two).winning_bid_cents
        stage.advance(3 * DAY)
        stage.cycles(2)
        assert stage.status(two) == "CJ_PAID"
        assert refunds(stage) == []
        assert len(stage.cj.orders) == 1

    def test_open_and_paid_in_the_same_moment_what_was_captured_goes_back(self, stage: Rehearsal) -> None:
        stage.person("ada", "ignores")
        one, two = stage.sell("ada", "ada")
        stage.cycle()
        give_back(stage, one)
        (invoice,) = stage.bank.store.invoices

        def pay(label: str) -> None:
            if label == f"stripe {CREDIT}":
                stage.bank.pay_by_hand(invoice)

        stage.exchange.before = pay
        stage.cycles(4)
        assert refunds(stage) == [share(stage, one)]
        assert stage.lot(one).refund_status == "SUCCEEDED"
        assert stage.status(one) == "CANCELLED"
        assert stage.status(two) == "CJ_PAID"

    def test_partly_paid_less_is_due_and_of_the_captured_part_the_rest_goes_back(self, stage: Rehearsal) -> None:
        stage.person("ada", "ignores")
        one, two = stage.sell("ada", "ada")
        stage.cycle()
        (invoice,) = stage.bank.store.invoices.values()
        paid = share(stage, one) + 100  # the first lot, and a dollar of the second
        stage.bank.pay_by_hand(invoice["id"], paid)
        assert (invoice["status"], invoice["amount_remaining"]) == ("open", share(stage, two) - 100)
        stage.cycle()
        assert stage.status(one) == "AUCTION_CLOSED"  # a part pays for nothing yet
        give_back(stage, two)
        stage.cycles(4)
        assert refunds(stage) == [100]
        with stage.record.read() as session:
            assert total(session, Kind.HAMMER) == invoice["amount_paid"] == paid
            assert total(session, Kind.REFUND) == -100
        assert stage.status(two) == "CANCELLED"
        assert stage.lot(two).refund_status == "SUCCEEDED"
        assert stage.status(one) == "CJ_PAID"

    def test_all_of_an_open_invoice_is_credited_and_nobody_pays(self, stage: Rehearsal) -> None:
        stage.person("ada", "ignores")
        (lot,) = stage.sell("ada")
        stage.cycle()
        give_back(stage, lot)
        stage.cycles(3)
        assert stage.status(lot) == "CANCELLED"
        (invoice,) = stage.bank.store.invoices.values()
        assert invoice["amount_remaining"] == 0
        assert refunds(stage) == []
        assert stage.invoices()[0].status == "CREDITED"
        (order,) = stage.house.orders.values()
        assert order.status == "CANCELLED"

    def test_void_there_is_nothing_to_give(self, stage: Rehearsal) -> None:
        stage.person("ada", "ignores")
        (lot,) = stage.sell("ada")
        stage.cycle()
        stage.advance(8 * DAY)
        stage.cycle()
        give_back(stage, lot)
        stage.cycles(2)
        assert stage.lot(lot).refund_status == "NONE_DUE"
        assert stage.calls("stripe", CREDIT) == 0

    def test_paid_its_share_goes_back(self, stage: Rehearsal) -> None:
        stage.person("ada")
        (lot,) = stage.sell("ada")
        stage.cj.delist(stage.lot(lot).cj_vid)
        stage.cycles(3)
        assert refunds(stage) == [share(stage, lot)]


def test_cj_cancels_a_paid_order_and_the_buyer_is_refunded_and_the_operator_told(stage: Rehearsal) -> None:
    """R4."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    assert stage.status(lot) == "CJ_PAID"
    stage.cj.cancel_order(stage.lot(lot).cj_order_number)
    stage.advance(2 * HOUR)
    stage.cycles(4)
    assert stage.life(lot)[-1] == "CANCELLED"
    assert refunds(stage) == [share(stage, lot)]
    (incident,) = stage.incidents("cancelled:", closed=True)
    assert incident.severity == "HIGH"
    assert any("is cancelled" in post.text for post in stage.sink.posts)


def test_a_refund_that_fails_days_later_is_a_persons_and_never_repeated(stage: Rehearsal) -> None:
    """R5."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cj.delist(stage.lot(lot).cj_vid)
    stage.bank.options.refund_settles_after = 5 * DAY
    stage.cycles(2)
    assert stage.lot(lot).refund_status == "PENDING"
    (refund,) = stage.bank.store.refunds
    stage.advance(DAY)
    stage.bank.fail_refund(refund)
    stage.cycles(20, apart=6 * HOUR)
    assert stage.lot(lot).refund_status == "FAILED"
    (incident,) = stage.incidents("refund:failed")
    assert incident.severity == "CRITICAL"
    assert len(stage.bank.store.refunds) == 1
    assert stage.mails("order_refunded") == []


def test_a_refund_is_frozen_while_the_payment_is_disputed_and_goes_on_when_it_is_won(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.cycle()
    dispute = stage.bank.open_dispute(next(iter(stage.bank.store.invoices)))
    give_back(stage, lot)
    stage.cycles(3)
    assert stage.calls("stripe", CREDIT) == 0
    assert stage.status(lot) == "PAID"
    (incident,) = stage.incidents("refund:disputed")
    assert incident.severity == "CRITICAL"
    assert dispute["status"] == "needs_response"


class TestNoAddress:
    """R7."""

    @pytest.mark.parametrize(
        "address", [None, Address("Ada Demo", "1 Orchard Row", "", "IL", "62701")], ids=["none", "without a city"]
    )
    def test_the_lot_waits_and_its_buyer_is_asked_once(self, stage: Rehearsal, address: Address | None) -> None:
        stage.person("ada", address=address)
        (lot,) = stage.sell("ada")
        stage.cycles(12, apart=12 * HOUR)
        assert stage.status(lot) == "PAID"
        assert stage.lot(lot).hold_reason == "no address"
        assert len(stage.mails("address_needed")) == 1
        assert stage.cj.orders == []

    def test_an_address_that_comes_is_used_and_frozen(self, stage: Rehearsal) -> None:
        stage.person("ada", address=None)
        (lot,) = stage.sell("ada")
        stage.cycles(2)
        stage.person("ada")
        stage.cycles(2)
        assert stage.status(lot) == "CJ_PAID"
        assert (stage.lot(lot).ship_to or {})["line1"] == HOME.line1

    def test_at_the_deadline_the_money_goes_back_and_the_others_of_the_invoice_are_untouched(
        self, stage: Rehearsal
    ) -> None:
        stage.person("ada")
        one, two = stage.sell("ada", "ada")

        def forget(label: str) -> None:
            if label == "cj POST /shopping/order/createOrderV2":
                stage.person("ada", address=None)

        stage.exchange.after = forget
        stage.cycle()
        assert [stage.status(one), stage.status(two)] == ["CJ_PAID", "PAID"]
        stage.cycles(13, apart=DAY)
        assert stage.status(two) == "PAID"
        stage.cycles(4, apart=DAY)
        assert stage.status(two) == "CANCELLED"
        assert refunds(stage) == [share(stage, two)]
        assert "SHIPPED" in stage.life(one)
