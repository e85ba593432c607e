"""C5, C6, C7: what an invoice's age brings, and that each charge happens once."""

from __future__ import annotations

from tasks import handling
from tasks.charging import charge
from tasks.desk import desk
from tasks.lots.moving import move
from tasks.lots.states import LotStatus
from tests.simulation import poison
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal

PAY = "POST /v1/invoices/{id}/pay"


def sold(stage: Rehearsal, manner: str, **more: float) -> int:
    stage.person("ada", manner, **more)
    (lot,) = stage.sell("ada")
    return lot


def paid_once(stage: Rehearsal) -> bool:
    return [len(one) for one in stage.bank.store.payments.values()] == [1]


def days(stage: Rehearsal, number: float) -> None:
    """Four cycles a day, for so many days."""
    stage.cycles(round(number * 4), apart=6 * HOUR)


def test_declined_and_then_paid_by_the_buyer_is_paid_once(stage: Rehearsal) -> None:
    lot = sold(stage, "recovers", pays_after=5 * HOUR)
    stage.cycle()
    assert stage.status(lot) == "PAYMENT_FAILED"
    (mail,) = stage.mails("payment_failed")
    assert (stage.invoices()[0].hosted_url or "-") in mail.text
    days(stage, 4)
    assert stage.life(lot)[3:6] == ["AUCTION_CLOSED", "PAYMENT_FAILED", "PAID"]
    assert paid_once(stage)
    assert stage.calls("stripe", PAY) == 1


def test_a_card_that_is_good_again_is_charged_by_our_own_attempt_a_day_later_and_once(stage: Rehearsal) -> None:
    lot = sold(stage, "good_later")
    days(stage, 0.9)
    assert stage.status(lot) == "PAYMENT_FAILED"
    assert stage.calls("stripe", PAY) == 1
    days(stage, 0.3)
    assert stage.life(lot)[3:6] == ["AUCTION_CLOSED", "PAYMENT_FAILED", "PAID"]
    days(stage, 4)
    assert stage.calls("stripe", PAY) == 2
    assert paid_once(stage)


def test_declines_are_tried_after_one_and_three_days_and_no_more(stage: Rehearsal) -> None:
    sold(stage, "declined")
    tries = []
    for _ in range(7):
        tries.append(stage.calls("stripe", PAY))
        days(stage, 1)
    assert tries == [0, 1, 2, 2, 3, 3, 3]
    assert [mail.key.rpartition("-")[0] for mail in stage.mails("payment_failed")] == [  # before the record's name
        f"mail:payment_failed:invoice-1:{number}" for number in (1, 2, 3)
    ]


def test_a_worker_who_decided_to_charge_before_another_was_declined_does_not_charge_at_once_again(
    stage: Rehearsal,
) -> None:
    """B2 for charges: the next try has a day of its own."""
    sold(stage, "declined")
    stage.cycle()
    assert stage.calls("stripe", PAY) == 1
    assert charge(desk(), stage.invoices()[0].id, tried=0) == "tried by another worker"
    assert stage.calls("stripe", PAY) == 1


def test_who_never_pays_is_reminded_and_then_the_invoice_is_void_and_the_lot_cancelled(stage: Rehearsal) -> None:
    lot = sold(stage, "ignores")
    days(stage, 2.9)
    assert stage.mails("payment_reminder") == []
    days(stage, 0.3)
    assert len(stage.mails("payment_reminder")) == 1
    days(stage, 3.7)
    assert stage.status(lot) == "AUCTION_CLOSED"
    days(stage, 0.3)
    assert stage.life(lot)[-2:] == ["AUCTION_CLOSED", "CANCELLED"]
    (invoice,) = stage.bank.store.invoices.values()
    assert invoice["status"] == "void"
    (order,) = stage.house.orders.values()
    assert order.status == "CANCELLED"
    assert len(stage.mails("payment_reminder")) == 1
    assert stage.cj.orders == []


def test_paid_in_the_second_the_deadline_strikes_is_paid(stage: Rehearsal) -> None:
    lot = sold(stage, "ignores")
    stage.cycle()
    (invoice,) = stage.bank.store.invoices

    def strike(label: str) -> None:
        if label == "stripe POST /v1/invoices/{id}/void":
            stage.bank.pay_by_hand(invoice)

    stage.exchange.before = strike
    stage.advance(7 * DAY + 60)
    stage.cycles(3)
    assert stage.calls("stripe", "POST /v1/invoices/{id}/void") == 1
    assert stage.life(lot)[3:5] == ["AUCTION_CLOSED", "PAID"]
    assert "CANCELLED" not in stage.life(lot)
    assert paid_once(stage)


def test_money_that_comes_for_a_lot_that_was_given_up_goes_back(stage: Rehearsal) -> None:
    lot = sold(stage, "ignores")
    stage.cycle()
    with stage.record.write() as session:
        move(session, lot, LotStatus.CANCELLED, why="given up by hand")
    (invoice,) = stage.bank.store.invoices
    stage.bank.pay_by_hand(invoice)
    stage.cycles(4)
    assert stage.life(lot)[-1] == "CANCELLED"
    assert stage.lot(lot).refund_status == "SUCCEEDED"
    (refund,) = stage.bank.store.refunds.values()
    assert refund["amount"] == stage.lot(lot).winning_bid_cents
    assert stage.cj.orders == []


def test_an_invoice_that_somebody_else_voids_waits_for_a_person(stage: Rehearsal) -> None:
    lot = sold(stage, "ignores")
    stage.cycle()
    (invoice,) = stage.bank.store.invoices
    stage.bank.void_by_hand(invoice)
    stage.cycles(3)
    assert stage.status(lot) == "AUCTION_CLOSED"
    assert stage.lot(lot).hold_reason == "voided_elsewhere"
    (incident,) = stage.incidents("invoice:")
    assert incident.severity == "HIGH"


def test_3d_secure_is_mailed_a_link_and_never_tried_again_blindly(stage: Rehearsal) -> None:
    lot = sold(stage, "secure", pays_after=4 * DAY)
    days(stage, 3.5)
    assert stage.status(lot) == "PAYMENT_FAILED"
    assert stage.calls("stripe", PAY) == 1
    (mail,) = stage.mails("payment_failed")
    assert (stage.invoices()[0].hosted_url or "-") in mail.text
    days(stage, 1)
    assert stage.life(lot)[3:6] == ["AUCTION_CLOSED", "PAYMENT_FAILED", "PAID"]
    assert paid_once(stage)


def test_a_credit_balance_that_pays_an_invoice_buys_nothing(stage: Rehearsal) -> None:
    lot = sold(stage, "good")

    def give_credit(label: str) -> None:
        for customer in stage.bank.store.customers.values():
            if label == "stripe POST /v1/invoices/{id}/finalize":
                customer["balance"] = -1_000_000

    stage.exchange.before = give_credit
    stage.cycles(4)
    assert stage.invoices()[0].status == "CREDITED"
    assert "PAID" not in stage.life(lot)
    assert stage.cj.orders == []
    (incident,) = stage.incidents("invoice:1:credited")  # neither paid nor given up: a person is asked
    assert incident.command == f"pipeline lot cancel {lot}"


def test_the_fee_that_stripe_tells_late_is_booked_when_it_is_known(stage: Rehearsal) -> None:
    stage.bank.options.fee_known_after = 2 * HOUR
    sold(stage, "good")
    stage.cycle()
    assert stage.invoices()[0].fee_cents is None
    stage.advance(3 * HOUR)
    stage.cycle()
    (movement,) = stage.bank.store.movements.values()
    assert stage.invoices()[0].fee_cents == movement["fee"]


def test_an_invoice_that_stripe_does_not_void_at_its_deadline_is_told_and_voided_when_a_person_asks_for_it(
    stage: Rehearsal,
) -> None:
    """A lot that waits for its buyer is not stuck: without this nobody would hear of it again."""
    lot = sold(stage, "ignores")
    stage.exchange.scripted.append(("stripe POST /v1/invoices/{id}/void", poison.NOES["stripe"]))
    stage.cycles(9, apart=DAY)
    (incident,) = stage.incidents()
    assert incident.command == f"pipeline lot retry {lot}"
    assert stage.status(lot) == "AUCTION_CLOSED"
    handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    stage.cycles(2)
    assert stage.status(lot) == "CANCELLED"
    assert (stage.calls("stripe", "POST /v1/invoices/{id}/void"), stage.incidents()) == (1, [])
