"""C9, R5, R6, R8: money that goes back without us — by webhook, and by poll alone."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.lots import pauses
from tasks.lots.ledger import Kind, total
from tests.simulation.promises import broken
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_refunding import give_back, share

CREATE = "POST /shopping/order/createOrderV2"
FEE = 1_500
POLL_OR_HOOK = pytest.mark.parametrize("webhooks", [False, True], ids=["by poll", "by webhook"])


def paid(stage: Rehearsal, *winners: str, webhooks: bool, order: bool = False) -> list[int]:
    """Lots that are PAID and not ordered, or CJ_PAID."""
    if webhooks:
        stage.listen()
    for name in set(winners):
        stage.person(name)
    lots = stage.sell(*winners)
    if not order:
        stop(stage)
    stage.cycle()
    assert {stage.status(lot) for lot in lots} == {"CJ_PAID" if order else "PAID"}
    return lots


def stop(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        pauses.pause(session, "buying")


def go_on(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        pauses.resume(session, "all")


def booked(stage: Rehearsal, *kinds: Kind) -> int:
    with stage.record.read() as session:
        return total(session, *kinds)


def invoice_of(stage: Rehearsal) -> Any:
    (invoice,) = stage.bank.store.invoices.values()
    return invoice


class TestADisputeBeforeTheOrder:
    """R6."""

    @POLL_OR_HOOK
    def test_its_lots_are_held_and_a_person_is_told_until_when_to_answer(
        self, stage: Rehearsal, webhooks: bool
    ) -> None:
        one, two = paid(stage, "ada", "ada", webhooks=webhooks)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.cycle()
        go_on(stage)
        stage.cycles(3)
        assert {stage.lot(lot).hold_reason for lot in (one, two)} == {"dispute"}
        assert stage.cj.orders == []
        (incident,) = stage.incidents("dispute:")
        assert incident.severity == "CRITICAL"
        assert incident.cents == dispute["amount"]
        assert "before 10 March 2026, 09:00 UTC" in incident.text
        assert booked(stage, Kind.DISPUTE) == -invoice_of(stage)["amount_paid"]
        assert booked(stage, Kind.DISPUTE_FEE) == -FEE

    @POLL_OR_HOOK
    def test_won_the_money_returns_and_the_lots_go_on(self, stage: Rehearsal, webhooks: bool) -> None:
        one, two = paid(stage, "ada", "ada", webhooks=webhooks)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.cycle()
        go_on(stage)
        stage.cycles(2)
        stage.bank.close_dispute(dispute["id"], won=True)
        stage.cycles(2)
        assert [stage.status(one), stage.status(two)] == ["CJ_PAID", "CJ_PAID"]
        assert booked(stage, Kind.DISPUTE) == booked(stage, Kind.DISPUTE_FEE) == 0
        assert stage.incidents("dispute:") == []
        stage.until_quiet()
        assert broken(stage) == []

    @POLL_OR_HOOK
    def test_lost_the_lots_end_and_nothing_is_ever_bought(self, stage: Rehearsal, webhooks: bool) -> None:
        one, two = paid(stage, "ada", "ada", webhooks=webhooks)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.cycle()
        go_on(stage)
        stage.cycles(2)
        stage.bank.close_dispute(dispute["id"], won=False)
        stage.cycles(4)
        for lot in (one, two):
            assert stage.life(lot)[-2:] == ["PAID", "CANCELLED"]
            assert stage.lot(lot).error_message == "lost to a dispute"
            assert stage.lot(lot).refund_status == "LOST"
        assert stage.cj.orders == []
        assert stage.bank.store.refunds == {}
        assert booked(stage, Kind.DISPUTE) == -invoice_of(stage)["amount_paid"]
        assert [event.payload["severity"] for event in stage.events("dropship.dispute.lost")] == ["HIGH"]
        assert broken(stage) == []


class TestADisputeAfterTheOrder:
    """R6."""

    @POLL_OR_HOOK
    def test_bought_goods_are_named_and_a_lost_dispute_stops_no_parcel(self, stage: Rehearsal, webhooks: bool) -> None:
        (lot,) = paid(stage, "ada", webhooks=webhooks, order=True)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.cycle()
        (incident,) = stage.incidents("dispute:")
        assert f"lot {lot}" in incident.text
        stage.bank.close_dispute(dispute["id"], won=False)
        stage.cycles(2)
        (lives,) = stage.incidents("order-lives:")
        assert lives.severity == "CRITICAL"
        stage.until_quiet()
        assert stage.life(lot)[-1] == "DELIVERED"
        assert stage.lot(lot).refund_status == "LOST"
        assert broken(stage) == []

    def test_an_order_cancelled_by_hand_ends_the_lot_and_gives_nothing_back_twice(self, stage: Rehearsal) -> None:
        (lot,) = paid(stage, "ada", webhooks=False, order=True)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.bank.close_dispute(dispute["id"], won=False)
        stage.cycle()
        stage.cj.cancel_order(stage.lot(lot).cj_order_number)
        stage.until_quiet()
        assert stage.life(lot)[-2:] == ["CJ_PAID", "CANCELLED"]
        assert stage.bank.store.refunds == {}
        assert stage.incidents("order-lives:") == []

    def test_an_order_that_waits_for_the_balance_is_not_paid(self, stage: Rehearsal) -> None:
        stage.person("ada")
        (lot,) = stage.sell("ada")
        stage.cj.set_balance(1)
        stage.cycle()
        assert stage.status(lot) == "CJ_ORDERED"
        stage.cj.top_up(100_000)
        stage.bank.open_dispute(invoice_of(stage)["id"])
        stage.cycles(4)
        assert stage.status(lot) == "CJ_ORDERED"
        assert stage.lot(lot).hold_reason == "dispute"
        assert stage.cj.payments == [] or all(one.kind != "pay" for one in stage.cj.payments)


class TestARefundUnderADispute:
    """R6."""

    def disputed(self, stage: Rehearsal) -> tuple[int, Any]:
        (lot,) = paid(stage, "ada", webhooks=False)
        dispute = stage.bank.open_dispute(invoice_of(stage)["id"])
        give_back(stage, lot)
        stage.cycles(3)
        assert stage.bank.store.refunds == {}
        return lot, dispute

    def test_won_it_goes_on(self, stage: Rehearsal) -> None:
        lot, dispute = self.disputed(stage)
        stage.bank.close_dispute(dispute["id"], won=True)
        stage.cycles(3)
        assert stage.lot(lot).refund_status == "SUCCEEDED"
        assert [row["amount"] for row in stage.bank.store.refunds.values()] == [share(stage, lot)]
        assert stage.incidents("refund:disputed") == []

    def test_lost_the_buyer_has_the_money_once(self, stage: Rehearsal) -> None:
        lot, dispute = self.disputed(stage)
        stage.bank.close_dispute(dispute["id"], won=False)
        stage.cycles(3)
        assert stage.bank.store.refunds == {}
        assert stage.lot(lot).refund_status == "LOST"
        assert stage.status(lot) == "CANCELLED"
        assert broken(stage) == []


class TestRefundedByHand:
    """R8."""

    @POLL_OR_HOOK
    def test_before_we_ordered_it_is_adopted_and_not_ordered(self, stage: Rehearsal, webhooks: bool) -> None:
        one, two = paid(stage, "ada", "ada", webhooks=webhooks)
        assert share(stage, one) != share(stage, two)
        stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, one))
        go_on(stage)
        stage.cycles(3)
        assert stage.life(one)[-2:] == ["PAID", "CANCELLED"]
        assert stage.lot(one).refund_status == "SUCCEEDED"
        assert stage.lot(one).refund_cents == share(stage, one)
        assert booked(stage, Kind.REFUND) == -share(stage, one)
        assert stage.status(two) == "CJ_PAID"
        assert len(stage.cj.orders) == 1
        stage.until_quiet()
        assert broken(stage) == []

    def test_all_of_it_ends_every_lot_and_the_basta_order(self, stage: Rehearsal) -> None:
        lots = paid(stage, "ada", "ada", webhooks=False)
        stage.bank.refund_by_hand(invoice_of(stage)["id"], invoice_of(stage)["amount_paid"])
        go_on(stage)
        stage.cycles(3)
        assert {stage.status(lot) for lot in lots} == {"CANCELLED"}
        assert [order.status for order in stage.house.orders.values()] == ["CANCELLED"]
        assert stage.cj.orders == []
        assert broken(stage) == []

    def test_a_sum_that_is_no_lots_share_holds_the_unordered_for_a_person(self, stage: Rehearsal) -> None:
        lots = paid(stage, "ada", "ada", webhooks=False)
        stage.bank.refund_by_hand(invoice_of(stage)["id"], 123)
        go_on(stage)
        stage.cycles(3)
        assert {stage.lot(lot).hold_reason for lot in lots} == {"refunded elsewhere"}
        assert stage.cj.orders == []
        (incident,) = stage.incidents("refund:by-hand")
        assert incident.cents == 123
        assert booked(stage, Kind.REFUND) == -123

    @POLL_OR_HOOK
    def test_after_we_ordered_it_is_adopted_and_a_person_told(self, stage: Rehearsal, webhooks: bool) -> None:
        (lot,) = paid(stage, "ada", webhooks=webhooks, order=True)
        stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, lot))
        stage.cycles(2)
        assert stage.lot(lot).refund_status == "SUCCEEDED"
        assert booked(stage, Kind.REFUND) == -share(stage, lot)
        (incident,) = stage.incidents("order-lives:")
        assert incident.severity == "CRITICAL"
        stage.until_quiet()
        assert stage.life(lot)[-1] == "DELIVERED"
        assert broken(stage) == []

    def test_in_the_moment_before_the_order_the_guard_sees_it(self, stage: Rehearsal) -> None:
        (lot,) = paid(stage, "ada", webhooks=False)
        go_on(stage)

        def refund(label: str) -> None:
            if label == "stripe GET /v1/events":
                stage.exchange.after = lambda _: None
                stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, lot))

        stage.exchange.after = refund
        stage.cycle()
        assert stage.status(lot) == "CANCELLED"
        assert stage.cj.orders == []


class TestARefundThatFailsAfterAll:
    """R5."""

    @POLL_OR_HOOK
    @pytest.mark.parametrize("by_hand", [False, True], ids=["ours", "by hand"])
    def test_it_is_reversed_in_the_books_told_and_never_repeated(
        self, stage: Rehearsal, webhooks: bool, by_hand: bool
    ) -> None:
        (lot,) = paid(stage, "ada", webhooks=webhooks)
        if by_hand:
            stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, lot))
        else:
            give_back(stage, lot)
        stage.cycles(3)
        assert stage.lot(lot).refund_status == "SUCCEEDED"
        (refund,) = stage.bank.store.refunds
        stage.advance(6 * DAY)
        stage.bank.fail_refund(refund)
        go_on(stage)
        stage.cycles(5, apart=6 * HOUR)
        assert stage.lot(lot).refund_status == "FAILED"
        assert booked(stage, Kind.REFUND_FAILED) == share(stage, lot)
        (incident,) = stage.incidents("refund:failed")
        assert incident.severity == "CRITICAL"
        assert len(stage.bank.store.refunds) == 1
        assert stage.cj.orders == []
