"""B3 to B6, B9, B12, B14 and W10: nothing is bought that is not proven good, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from deployments.sandbox.cj import ERROR_WITH_EFFECT, SUCCESS_WITHOUT_EFFECT
from deployments.sandbox.faults import Fault
from deployments.sandbox.wire import Reply
from tasks import tracking
from tasks.fulfilment import steps
from tasks.lots import pauses
from tasks.lots.records import LedgerEntry
from tests.simulation.rehearsal import DAY, HOME, HOUR, Address, Rehearsal

CREATE = "POST /shopping/order/createOrderV2"
CONFIRM = "PATCH /shopping/order/confirmOrder"
PAY = "POST /shopping/pay/payBalance"
DELETE = "DELETE /shopping/order/deleteOrder"
VARIANT = "GET /product/variant/queryByVid"
FREIGHT = "POST /logistic/freightCalculate"
BOUGHT = ["AUCTION_CLOSED", "PAID", "CJ_ORDERED", "CJ_PAID"]


def sold(stage: Rehearsal, *, address: Address | None = HOME) -> int:
    stage.person("ada", address=address)
    (lot,) = stage.sell("ada")
    return lot


def paid_at_cj(stage: Rehearsal) -> int:
    return -sum(one.cents for one in stage.cj.payments if one.kind == "pay")


def booked(stage: Rehearsal, *kinds: str) -> int:
    with stage.record.read() as session:
        return sum(row.cents for row in session.scalars(select(LedgerEntry).where(LedgerEntry.kind.in_(kinds))))


def only_one(stage: Rehearsal) -> None:
    (order,) = stage.cj.orders
    assert sum(one.kind == "pay" for one in stage.cj.payments) == 1
    assert -booked(stage, "goods", "freight") == paid_at_cj(stage) == order.paid_cents


def test_who_saw_no_address_holds_nothing_that_another_ordered_meanwhile(stage: Rehearsal) -> None:
    """What a worker read is old when another did all the work at one of its calls."""
    lot = sold(stage, address=None)
    stage.cycle()
    assert stage.lot(lot).hold_reason == "no address"

    def meanwhile(label: str) -> None:
        if label == "stripe GET /v1/customers/{id}":  # the last place where an address may be
            stage.exchange.after = lambda _: None
            stage.person("ada", address=HOME)
            assert steps.order_goods(lot) == "done"

    stage.exchange.after = meanwhile
    assert steps.order_goods(lot) == "left alone"
    assert stage.lot(lot).hold_reason is None
    stage.cycles(2)
    only_one(stage)


class TestThePayCallLies:
    """B3."""

    def test_an_error_although_the_balance_moved(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.pay_lies = [ERROR_WITH_EFFECT]
        stage.cycles(3)
        assert stage.life(lot)[3:7] == BOUGHT
        only_one(stage)

    def test_a_success_although_nothing_moved(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.pay_lies = [SUCCESS_WITHOUT_EFFECT]
        stage.cycle()
        assert stage.status(lot) == "CJ_ORDERED"
        stage.cycles(4)
        assert stage.life(lot)[3:7] == BOUGHT
        only_one(stage)

    def test_a_kill_after_the_call_and_before_the_order_is_read_is_settled_by_the_next_cycle(
        self, stage: Rehearsal
    ) -> None:
        lot = sold(stage)

        def kill(label: str) -> None:
            if label == f"cj {PAY}" and stage.calls("cj", PAY) == 1:
                raise KeyboardInterrupt

        stage.exchange.after = kill
        with pytest.raises(KeyboardInterrupt):
            stage.cycle()
        assert stage.status(lot) == "CJ_ORDERED"
        assert paid_at_cj(stage) > 0
        stage.advance(HOUR)
        stage.cycle()
        assert stage.life(lot)[3:7] == BOUGHT
        assert stage.calls("cj", PAY) == 1
        only_one(stage)

    def test_paid_orders_are_read_in_one_call(self, stage: Rehearsal) -> None:
        stage.person("ada")
        lots = stage.sell(*["ada"] * 3)
        before = stage.calls("cj", "POST /shopping/order/getOrderDetailBatch")
        stage.cycle()
        assert [stage.status(lot) for lot in lots] == ["CJ_PAID"] * 3
        # one to compare the amounts before paying, one to prove the payments
        assert stage.calls("cj", "POST /shopping/order/getOrderDetailBatch") == before + 2
        assert stage.calls("cj", "GET /shopping/order/getOrderDetail") == 0

    def test_twice_without_effect_is_a_persons_and_never_a_third_call(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.pay_lies = [SUCCESS_WITHOUT_EFFECT] * 5
        stage.cycles(12)
        assert stage.status(lot) == "CJ_ORDERED"
        assert stage.calls("cj", PAY) == 2
        (incident,) = stage.incidents("pay:")
        assert incident.severity == "CRITICAL"


def test_goods_that_are_gone_when_they_are_paid_are_a_persons_whose_cancellation_is_adopted(stage: Rehearsal) -> None:
    """CJ deletes no confirmed order by its API: a person cancels it there, and the buyer gets the money back."""
    lot = sold(stage)

    def sell_out(label: str) -> None:
        if label == f"cj {CONFIRM}":
            for country in ("CN", "US"):
                stage.cj.set_stock(stage.lot(lot).cj_vid, country, 0)

    stage.exchange.before = sell_out
    stage.cycles(6)
    assert stage.calls("cj", PAY) == 2
    (incident,) = stage.incidents("pay:")
    assert "by hand" in incident.text
    stage.cj.cancel_order(stage.lot(lot).cj_order_number)
    stage.cycles(12)
    assert stage.life(lot)[5:] == ["CJ_ORDERED", "CANCELLED"]
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    assert stage.calls("cj", PAY) == 2
    assert stage.incidents("pay:") == []
    assert paid_at_cj(stage) == 0


def test_a_short_balance_holds_the_order_tells_a_person_and_pays_after_the_top_up(stage: Rehearsal) -> None:
    """B4."""
    lot = sold(stage)
    stage.cj.set_balance(1)
    stage.cycles(3)
    assert stage.status(lot) == "CJ_ORDERED"
    assert stage.lot(lot).hold_reason == "balance short"
    assert stage.calls("cj", PAY) == 0
    (incident,) = stage.incidents("balance:")
    assert incident.severity == "CRITICAL"
    assert incident.cents == stage.lot(lot).cj_amount_cents
    stage.cj.top_up(10_000)
    stage.cycle()
    assert stage.life(lot)[3:7] == BOUGHT
    assert stage.incidents("balance:") == []
    only_one(stage)


def ordered(stage: Rehearsal) -> int:
    """A lot that is CJ_ORDERED, and waits for the balance."""
    lot = sold(stage)
    stage.cj.set_balance(1)
    stage.cycle()
    assert stage.status(lot) == "CJ_ORDERED"
    stage.cj.top_up(10_000)
    return lot


def test_cj_shows_shipped_while_we_say_ordered_and_every_hop_is_taken(stage: Rehearsal) -> None:
    """B5."""
    lot = ordered(stage)
    number = stage.lot(lot).cj_order_number
    stage.cj.pay_by_hand(number)
    stage.cj.ship(number)
    stage.advance(2 * HOUR)
    stage.cycle()
    assert stage.life(lot)[3:] == [*BOUGHT, "SHIPPED"]
    assert stage.calls("cj", PAY) == 0
    assert stage.effect(f"cj-pay:{lot}").state == "ADOPTED"
    assert len(stage.mails("order_shipped")) == 1
    only_one(stage)


UNKNOWNS = ["429", "500_before", "timeout_before", "reset_before", "garbage", "garbage_before"]


@pytest.mark.parametrize("call", [VARIANT, FREIGHT], ids=["stock and price", "freight"])
@pytest.mark.parametrize("kind", UNKNOWNS)
def test_a_guard_that_cannot_be_read_means_wait_not_order(stage: Rehearsal, kind: str, call: str) -> None:
    """B6."""
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", call, kind, times=2))
    for _ in range(2):
        state = stage.cycle()
        assert state.name == "PartiallyDone"
        assert f"fulfil: 1 failed ({lot})" in state.message
        assert stage.status(lot) == "PAID"
        assert stage.cj.orders == []
        stage.advance(60)
    stage.cycle()
    assert stage.life(lot)[3:7] == BOUGHT


#: What CJ's gateway says instead of an answer, all under HTTP 200 and without a refusal's code.
SAYS_NOTHING = {
    "null": {"code": 200, "result": True, "message": "Success", "data": None},
    "an empty object": {"code": 200, "result": True, "message": "Success", "data": {}},
    "words alone": {"message": "Get product inventory failed: Too Many Requests, one ip limit 3 users"},
}


@pytest.mark.parametrize("call", [VARIANT, FREIGHT], ids=["stock and price", "freight"])
@pytest.mark.parametrize("said", list(SAYS_NOTHING))
def test_an_answer_that_says_nothing_means_wait_and_gives_no_buyer_the_money_back(
    stage: Rehearsal, said: str, call: str
) -> None:
    """B6: only CJ's own codes prove that goods are gone, and only a list that no way leads there."""
    lot = sold(stage)
    stage.exchange.scripted.append((f"cj {call}", Reply.of(SAYS_NOTHING[said])))
    assert stage.cycle().name == "PartiallyDone"
    assert (stage.status(lot), stage.cj.orders) == ("PAID", [])
    stage.advance(60)
    stage.cycle()
    assert stage.life(lot)[3:7] == BOUGHT


def test_a_guard_that_cannot_be_read_at_stripe_means_wait_too(stage: Rehearsal) -> None:
    lot = sold(stage)
    seen = 0

    def fail_the_guard(label: str) -> None:
        nonlocal seen
        if label == "stripe GET /v1/invoice_payments" and stage.status(lot) == "PAID":
            seen += 1
            stage.world.faults.plan(Fault("stripe", "GET /v1/invoice_payments", "500_before"))

    stage.exchange.before = fail_the_guard
    stage.cycle()
    assert seen
    assert stage.status(lot) == "PAID"
    assert stage.cj.orders == []


def refunded(stage: Rehearsal, lot: int, through: str) -> None:
    """The lot ended by that status, with its whole share given back, and nothing bought."""
    stage.cycles(3)
    assert stage.life(lot)[4:] == ["PAID", through, "CANCELLED"]
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    (refund,) = stage.bank.store.refunds.values()
    assert refund["amount"] == stage.lot(lot).winning_bid_cents
    assert paid_at_cj(stage) == 0


class TestByHandAtCj:
    """B12."""

    def test_a_payment_made_by_hand_is_adopted_and_never_repeated(self, stage: Rehearsal) -> None:
        lot = ordered(stage)
        stage.cj.pay_by_hand(stage.lot(lot).cj_order_number)
        stage.cycles(4)
        assert stage.life(lot)[3:7] == BOUGHT
        assert stage.calls("cj", PAY) == 0
        only_one(stage)

    def test_a_cancellation_made_by_hand_is_adopted_and_the_buyer_refunded(self, stage: Rehearsal) -> None:
        lot = ordered(stage)
        stage.cj.cancel_order(stage.lot(lot).cj_order_number)
        stage.advance(2 * HOUR)
        stage.cycles(4)
        assert stage.life(lot)[-1] == "CANCELLED"
        assert stage.lot(lot).refund_status == "SUCCEEDED"
        assert stage.calls("cj", PAY) == 0
        assert len(stage.cj.orders) == 1

    def test_a_cancellation_made_by_hand_ends_the_deletion_that_we_had_begun(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.world.faults.plan(Fault("cj", DELETE, "timeout_before", seconds=40))
        stage.cycle()
        assert stage.unsettled() == [f"cj-delete:{lot}"]
        stage.cj.cancel_order(stage.lot(lot).cj_order_number)
        stage.advance(2 * HOUR)
        stage.cycles(4)
        assert (stage.status(lot), stage.lot(lot).refund_status) == ("CANCELLED", "SUCCEEDED")
        assert stage.unsettled() == []
        assert stage.reconcile().clean

    def test_a_reading_older_than_the_cancellation_does_not_revive_the_order(self, stage: Rehearsal) -> None:
        lot = ordered(stage)
        (older,) = stage.desk.cj.orders([stage.lot(lot).cj_order_number])
        stage.cj.cancel_order(stage.lot(lot).cj_order_number)
        (newer,) = stage.desk.cj.orders([stage.lot(lot).cj_order_number])
        with stage.record.write() as session:
            tracking.apply(session, lot, newer)
            tracking.apply(session, lot, older)
        assert stage.lot(lot).cj_status == "CANCELLED"


class TestTestMode:
    """B14: a Stripe test key beside a real CJ account."""

    def test_only_sandbox_orders_are_made_and_the_real_pay_is_never_called(
        self, rehearse: Callable[..., Rehearsal]
    ) -> None:
        stage = rehearse(base_url="http://vendors.invalid")
        assert str(stage.settings.mode) == "test"
        lot = sold(stage)
        stage.cycles(3)
        (order,) = stage.cj.orders
        assert order.is_sandbox
        assert stage.calls("cj", PAY) == 0
        assert stage.calls("cj", "POST /shopping/sandbox/simulatePay") == 1
        assert stage.status(lot) == "CJ_PAID"
        assert all(sale.is_test for sale in stage.house.sales.values())

    def test_an_order_that_does_not_say_it_is_a_test_is_neither_confirmed_nor_paid(
        self, rehearse: Callable[..., Rehearsal]
    ) -> None:
        stage = rehearse(base_url="http://vendors.invalid")
        lot = sold(stage)

        def forget(label: str) -> None:
            for order in stage.cj.orders:
                order.is_sandbox = False

        stage.exchange.before = forget
        stage.cycles(3)
        assert stage.lot(lot).hold_reason == "no test order"
        assert stage.status(lot) == "PAID"
        for call in (CONFIRM, PAY, "POST /shopping/sandbox/simulatePay"):
            assert stage.calls("cj", call) == 0


class TestPausedInTheMiddle:
    """W10."""

    def test_buying_stops_at_once_and_polling_refunds_and_records_go_on(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.person("ben")
        first, second = stage.sell("ada", "ben")
        stage.cj.delist(stage.lot(second).cj_vid)

        def pause(label: str) -> None:
            if label == f"cj {CREATE}":
                with stage.record.write() as session:
                    if not pauses.paused(session, "buying"):
                        pauses.pause(session, "buying")

        stage.exchange.after = pause
        stage.cycles(5)
        assert stage.calls("cj", CREATE) == 1
        assert stage.calls("cj", CONFIRM) == stage.calls("cj", PAY) == 0
        assert stage.status(first) == "PAID"
        assert stage.life(second)[-2:] == ["CJ_OUT_OF_STOCK", "CANCELLED"]
        assert stage.lot(second).refund_status == "SUCCEEDED"
        with stage.record.write() as session:
            pauses.resume(session, "all")
        stage.exchange.after = lambda label: None
        stage.cycles(2)
        assert stage.life(first)[3:7] == BOUGHT


def test_a_dispute_holds_what_is_not_ordered_yet(stage: Rehearsal) -> None:
    lot = sold(stage)
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.cycle()
    stage.bank.open_dispute(next(iter(stage.bank.store.invoices)))
    with stage.record.write() as session:
        pauses.resume(session, "all")
    stage.cycles(2)
    assert stage.status(lot) == "PAID"
    assert stage.lot(lot).hold_reason == "dispute"
    assert stage.cj.orders == []


def test_a_parcel_is_followed_to_its_end_with_a_mail_a_hop(stage: Rehearsal) -> None:
    lot = sold(stage)
    stage.cycle()
    stage.cycles(8, apart=DAY / 2)
    assert stage.life(lot)[3:] == [*BOUGHT, "SHIPPED", "DELIVERED"]
    keys = [f"mail:{template}:lot-{lot}:1" for template in ("order_shipped", "order_delivered")]
    assert [mail.key for mail in stage.mails("order_")] == [stage.record.known_as(key) for key in keys]
