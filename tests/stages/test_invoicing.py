"""C2, C3, C4 and the building of an invoice under every fault: one invoice, all lines, one charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from deployments.sandbox.wire import Reply
from tasks import handling
from tasks.lots import pauses
from tasks.lots.models import InvoiceLine
from tests.simulation import poison
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal

PREMIUM = [{"name": "Premium", "type": "PERCENTAGE", "value": 1_000, "lowerLimit": 0, "upperLimit": None}]


def lines(stage: Rehearsal) -> list[tuple[str, int]]:
    with stage.record.read() as session:
        rows = session.scalars(select(InvoiceLine).order_by(InvoiceLine.id))
        return [(row.ref, row.cents) for row in rows]


def test_five_lots_of_one_buyer_make_one_invoice_with_a_line_a_lot_and_one_mail(stage: Rehearsal) -> None:
    stage.person("ada")
    lots = stage.sell(*["ada"] * 5)
    stage.cycle()
    (invoice,) = stage.bank.store.invoices.values()
    shown = stage.bank.store.lines[invoice["id"]]
    assert [line["metadata"]["lot_id"] for line in shown] == [str(lot) for lot in lots]
    assert [line["amount"] for line in shown] == [stage.lot(lot).winning_bid_cents for lot in lots]
    assert len(stage.bank.store.payments[invoice["id"]]) == 1
    assert len(stage.mails("auction_won")) == 1
    assert len(stage.mails("payment_received")) == 1
    assert stage.calls("stripe", "POST /v1/invoices/{id}/add_lines") == 1
    (order,) = stage.house.orders.values()
    assert len(order.lines) == 5
    assert order.status == "PAID"


def test_of_two_orders_at_basta_the_one_that_is_not_cancelled_is_found_again(stage: Rehearsal) -> None:
    """One that two workers made is cancelled; whoever looks for the order must not take that for it."""
    stage.person("ada")
    stage.sell("ada")
    stage.world.faults.plan(Fault("basta", "createOrder", "timeout_after"))
    stage.cycle()
    orders = stage.house.orders
    ((known, order),) = list(orders.items())
    orders.clear()
    orders["order-twin"] = replace(order, id="order-twin", status="CANCELLED")
    orders[known] = order
    stage.cycles(3)
    assert stage.invoices()[0].basta_order_id == known
    assert len(orders) == 2


def test_the_premium_that_basta_is_set_to_is_a_line_of_its_own(stage: Rehearsal) -> None:
    stage.house.options.fees = PREMIUM
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    hammer = stage.lot(lot).winning_bid_cents or 0
    assert lines(stage) == [(f"{lot}:hammer", hammer), (f"{lot}:premium", (hammer + 5) // 10)]
    assert stage.invoices()[0].paid_cents == sum(cents for _, cents in lines(stage))


def test_a_lot_that_closes_after_the_invoice_went_out_gets_a_second_one_of_its_own(stage: Rehearsal) -> None:
    """C3."""
    stage.person("ada")
    for number in (1, 2):
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=number)
    assert stage.source(products=2).is_completed()
    stage.advance(25 * HOUR + 130)
    late = next(item for item in stage.house.items if item.number == 2)
    late.closing_end = stage.clock.at + timedelta(hours=3)
    stage.cycles(3)  # the first lot is closed, and its fifteen minutes of grace pass
    first, second = stage.lots()
    assert first.status in ("PAID", "CJ_PAID")
    assert second.status == "PUBLISHED"
    assert len(stage.invoices()) == 1
    stage.advance(4 * HOUR)
    stage.cycles(2)
    one, two = stage.invoices()
    assert (one.seq, two.seq) == (0, 1)
    assert stage.lot(second.id).invoice_id == two.id
    assert one.basta_order_id != two.basta_order_id
    assert all(len(paid) == 1 for paid in stage.bank.store.payments.values())
    assert len(stage.bank.store.invoices) == 2


def test_no_card_on_file_means_a_hosted_page_whose_link_is_mailed(stage: Rehearsal) -> None:
    """C4."""
    stage.person("ada", "no_card", pays_after=2 * DAY)
    (lot,) = stage.sell("ada")
    stage.cycle()
    assert stage.calls("stripe", "POST /v1/invoices/{id}/pay") == 0
    (won,) = stage.mails("auction_won")
    assert (stage.invoices()[0].hosted_url or "-") in won.text
    assert stage.status(lot) == "AUCTION_CLOSED"
    stage.advance(2 * DAY + HOUR)
    stage.cycle()
    assert stage.life(lot)[3:5] == ["AUCTION_CLOSED", "PAID"]


WRITES = [
    "POST /v1/customers",
    "POST /v1/invoices",
    "POST /v1/invoices/{id}/add_lines",
    "POST /v1/invoices/{id}/finalize",
    "POST /v1/invoices/{id}/pay",
]
#: Not knowing, without an effect and with it, and what a forgotten key would repeat: at once, and when it lands late.
#: `python -m tests.simulation faults` lets every call meet every fault.
FAULTS = [("timeout_before", False), ("timeout_after", False), ("timeout_after", True), ("late", True)]


@pytest.mark.parametrize(
    ("kind", "forgetful"), FAULTS, ids=[f"{kind}-keys {'forgotten' if lost else 'kept'}" for kind, lost in FAULTS]
)
@pytest.mark.parametrize("write", WRITES)
def test_a_fault_in_any_write_to_stripe_ends_in_one_invoice_and_one_charge(
    stage: Rehearsal, write: str, kind: str, forgetful: bool
) -> None:
    """C1 for faults: kills are the simulation's."""
    stage.bank.options.customers_on_file = write != "POST /v1/customers"
    stage.person("ada")
    stage.sell("ada", "ada")
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.world.faults.plan(Fault("stripe", write, kind))
    for _ in range(4):
        stage.cycle()
        if forgetful:
            stage.bank.forget_keys()
        stage.advance(300)
    assert stage.world.faults.planned[0].seen >= 1
    alive = [row for row in stage.bank.store.invoices.values() if row["status"] != "void"]
    assert len(alive) == 1
    assert [len(one) for one in stage.bank.store.payments.values()] == [1]
    owed = sum(lot.winning_bid_cents or 0 for lot in stage.lots())
    assert alive[0]["amount_paid"] == owed
    assert len(stage.bank.store.lines[alive[0]["id"]]) == 2
    assert len(stage.bank.store.customers) == 1
    assert all(lot.status == "PAID" for lot in stage.lots())


def test_a_sum_at_stripe_that_is_not_ours_is_never_finalized(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")

    def tamper(label: str) -> None:
        if label == "stripe POST /v1/invoices/{id}/add_lines":
            (row,) = stage.bank.store.invoices.values()
            stage.bank.store.lines[row["id"]].append(
                {**stage.bank.store.new("line_item", "il", invoice=row["id"], amount=1, subtotal=1, metadata={})}
            )

    stage.exchange.before = tamper
    stage.cycles(3)
    (row,) = stage.bank.store.invoices.values()
    assert row["status"] == "draft"
    assert stage.status(lot) == "AUCTION_CLOSED"


def test_basta_may_refuse_to_note_an_invoice_twice_and_nothing_is_lost(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.world.faults.plan(Fault("basta", "createInvoice", "500_after"))
    stage.cycles(3)
    assert stage.life(lot)[3:5] == ["AUCTION_CLOSED", "PAID"]
    assert len(stage.house.orders) == 1


@pytest.mark.parametrize(
    ("call", "no", "title"),
    [
        ("basta createOrder", poison.NOES["basta"], "Basta refuses the order of invoice 1"),
        ("stripe POST /v1/customers", poison.NOES["stripe"], "Stripe refuses the customer of invoice 1"),
    ],
)
def test_nobody_is_billed_where_what_comes_before_is_refused_and_a_person_is_told(
    stage: Rehearsal, call: str, no: Reply, title: str
) -> None:
    stage.person("ada", "no_card")
    (lot,) = stage.sell("ada")
    stage.exchange.scripted.append((call, no))
    assert [stage.cycle().name for _ in range(2)] == ["Completed", "Completed"]
    assert stage.status(lot) == "AUCTION_CLOSED"
    assert (stage.bank.store.invoices, stage.house.orders) == ({}, {})
    (incident,) = stage.incidents("invoice:")
    assert (incident.title, incident.alert) == (title, "invoice-refused")
    assert incident.command == f"pipeline lot retry {lot}"
    assert [one["title"] for one in handling.story(stage.desk, lot)["incidents"]] == [title]


@pytest.mark.parametrize(
    "call",
    [
        "basta createOrder",
        "stripe POST /v1/customers",
        "stripe POST /v1/invoices",
        "stripe POST /v1/invoices/{id}/add_lines",
        "stripe POST /v1/invoices/{id}/finalize",
    ],
)
def test_what_was_refused_is_billed_once_when_the_operator_types_what_the_alert_says(
    stage: Rehearsal, call: str
) -> None:
    stage.person("ada", "no_card")
    lots = stage.sell("ada", "ada")
    stage.exchange.scripted.append((call, poison.NOES[call.split()[0]]))
    stage.cycles(2, apart=HOUR)
    (incident,) = stage.incidents("invoice:")
    assert incident.command == f"pipeline lot retry {lots[0]}"
    stage.advance(13 * HOUR)
    stage.cycle()
    assert [one.payload["what"] for one in stage.events("dropship.invoice-refused")] == ["opened", "reminder"]
    plan = handling.plan_retry(stage.desk, lots[0])
    assert plan.does == "what was refused for invoice 1 is asked for again; the next cycle tries now"
    handling.retry(stage.desk, plan)
    with pytest.raises(handling.Refused, match="nothing holds it"):
        handling.retry(stage.desk, plan)
    stage.cycle()
    assert stage.incidents("invoice:") == []
    stage.cycles(2)
    assert {stage.status(lot) for lot in lots} == {"CJ_PAID"}
    assert (len(stage.bank.store.invoices), len(stage.bank.store.customers), len(stage.house.orders)) == (1, 1, 1)
    assert stage.reconcile().clean


def test_an_e_mail_address_that_stripe_refused_is_read_anew_from_basta(stage: Rehearsal) -> None:
    stage.person("ada", "no_card")
    (lot,) = stage.sell("ada")
    stage.exchange.scripted.append(("stripe POST /v1/customers", poison.NOES["stripe"]))
    stage.cycles(2)
    stage.person("ada", "no_card").email = "ada.brook@demo.invalid"
    handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    stage.cycles(2)
    assert [one["email"] for one in stage.bank.store.customers.values()] == ["ada.brook@demo.invalid"]
    assert [mail.to for mail in stage.mails("auction_won")] == [("ada.brook@demo.invalid",)]


@pytest.mark.parametrize("call", ["stripe POST /v1/customers", "basta createOrder", "stripe POST /v1/invoices"])
def test_a_lot_of_a_refused_invoice_can_be_cancelled_and_the_others_are_billed_anew(
    stage: Rehearsal, call: str
) -> None:
    stage.person("ada", "no_card")
    lot, other = stage.sell("ada", "ada")
    stage.exchange.scripted.append((call, poison.NOES[call.split()[0]]))
    stage.cycles(2)
    handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
    assert (stage.status(lot), stage.incidents("invoice:1:")) == ("CANCELLED", [])
    stage.cycle()
    if call.endswith("customers"):  # it is refused for the new one, too
        handling.retry(stage.desk, handling.plan_retry(stage.desk, other))
    stage.cycles(3)
    assert stage.status(other) == "CJ_PAID"
    (bill,) = stage.bank.store.invoices.values()
    assert bill["amount_paid"] == stage.lot(other).winning_bid_cents
    orders = sorted(one.status for one in stage.house.orders.values())
    assert orders == (["CANCELLED", "PAID"] if call.endswith("invoices") else ["PAID"])
    assert stage.incidents() == []


def test_a_lot_leaves_no_bill_whose_order_at_basta_may_be_made(stage: Rehearsal) -> None:
    """Else the others' new invoice makes a second order for what the first one holds."""
    stage.person("ada", "no_card")
    lot, other = stage.sell("ada", "ada")
    stage.world.faults.plan(Fault("basta", "createOrder", "timeout_after"))
    stage.cycle()
    said = handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
    assert said == "its refund: waits for its invoice"
    stage.cycles(4)
    assert [stage.status(one) for one in (lot, other)] == ["CANCELLED", "CJ_PAID"]
    assert len(stage.house.orders) == 1
    assert stage.reconcile().clean


def test_while_stripe_keeps_a_draft_of_a_refused_invoice_its_lots_are_on_no_other(stage: Rehearsal) -> None:
    stage.person("ada", "no_card")
    (lot,) = stage.sell("ada")
    stage.exchange.scripted.append(("stripe POST /v1/invoices/{id}/finalize", poison.NOES["stripe"]))
    stage.cycles(2)
    said = handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
    assert said == "its refund: waits for its invoice, whose draft is to be deleted at Stripe"
    stage.cycles(2)
    assert stage.status(lot) == "AUCTION_CLOSED"
    stage.bank.store.invoices.clear()  # as a person does there
    stage.cycles(2)
    assert stage.status(lot) == "CANCELLED"
    assert stage.incidents("invoice:") == []


def test_a_note_that_basta_never_got_is_made_by_the_next_cycle(stage: Rehearsal) -> None:
    """The process ends between Stripe's invoice and Basta's note of it; nothing else is left to do for the buyer."""
    stage.person("ada", "ignores")
    stage.sell("ada")
    stage.world.faults.plan(Fault("basta", "createInvoice", "500_before", times=2))
    stage.cycles(4)
    (order,) = stage.house.orders.values()
    assert order.status == "INVOICE_ISSUED"
    assert stage.effect("basta-invoice:1").state in ("DONE", "ADOPTED")


def test_a_charge_of_unknown_fate_is_settled_by_the_invoice_that_reads_paid(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.world.faults.plan(Fault("stripe", "POST /v1/invoices/{id}/pay", "timeout_after"))
    stage.cycle()
    stage.advance(1)
    stage.cycle()  # within the quiet time: the poll finds it paid
    assert "PAID" in stage.life(lot)
    assert stage.effect("pay:1:1").state == "ADOPTED"
    assert [len(one) for one in stage.bank.store.payments.values()] == [1]
