"""Our record against Stripe, CJ and Basta: clean when all is well, and every kind of difference named."""

from __future__ import annotations

import copy
from datetime import timedelta

import polars as pl
import pytest
from sqlalchemy import select, update

from deployments.sandbox.faults import Fault
from tasks.lots import ledger, purse
from tasks.lots.ledger import Kind
from tasks.lots.models import Invoice, Lot
from tasks.lots.records import LedgerEntry
from tasks.pursing import look_into
from tasks.reconciling import compare
from tasks.reconciling.steps import LOOK_BACK
from tasks.reports.money import lot_frame
from tests.simulation.promises import broken
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_refunding import give_back, share
from tests.stages.test_reversals import go_on, invoice_of, paid


def names(stage: Rehearsal) -> set[tuple[str, str]]:
    return {(one.vendor, one.what.value) for one in stage.reconcile().findings}


def test_all_kinds_of_money_tie_to_the_cent_and_nothing_is_told(stage: Rehearsal) -> None:
    one, two, three = paid(stage, "ada", "ada", "ada", webhooks=False)
    give_back(stage, one)
    stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, two))
    stage.cycles(3)
    (refund, _) = sorted(stage.bank.store.refunds)
    stage.bank.fail_refund(refund)
    stage.bank.close_dispute(stage.bank.open_dispute(invoice_of(stage)["id"])["id"], won=False)
    report = stage.reconcile()
    assert report.findings == []
    assert report.clean
    assert all(tie.ours_cents == tie.theirs_cents for tie in report.ties)
    captured = next(tie for tie in report.ties if tie.what == "captured")
    assert captured.ours_cents == invoice_of(stage)["amount_paid"]
    assert stage.incidents("reconcile:") == []
    assert stage.status(three) == "CANCELLED"


def test_bought_goods_tie_with_cj(stage: Rehearsal) -> None:
    paid(stage, "ada", "ada", webhooks=False, order=True)
    report = stage.reconcile()
    (tie,) = [one for one in report.ties if one.vendor == "CJ"]
    assert tie.ours_cents == tie.theirs_cents < 0
    assert report.clean


def test_a_cancelled_orders_price_is_booked_when_the_purse_shows_it(stage: Rehearsal) -> None:
    """CJ tells of no credit: only its purse does."""
    one, two = paid(stage, "ada", "ada", webhooks=False, order=True)
    cost = stage.lot(one).cj_amount_cents
    stage.cj.cancel_order(stage.lot(one).cj_order_number)
    assert stage.reconcile().clean  # also where its order was not to be read yet
    assert credits(stage) == {one: cost}
    stage.cj.top_up(stage.lot(two).cj_amount_cents)  # nobody cancelled that one
    stage.cycles(4)
    assert stage.reconcile().clean
    assert credits(stage) == {one: cost}
    assert stage.incidents("cancelled:") == []
    with stage.record.read() as session:
        row = lot_frame(session).row(by_predicate=pl.col("lot_id") == one, named=True)
        assert purse.expected(session) == stage.cj.purse.balance_cents
    assert row["cost_cents"] == 0  # what is lost on it is Stripe's fee
    assert row["margin_cents"] == row["fee_cents"]
    assert [one for one in broken(stage) if one.startswith("the books tie")] == []


def test_a_credit_that_came_before_the_cancellation_was_read_is_found_among_what_was_nobodys(stage: Rehearsal) -> None:
    (lot,) = paid(stage, "ada", webhooks=False, order=True)
    stage.cj.cancel_order(stage.lot(lot).cj_order_number)
    look_into(stage.desk)
    assert credits(stage) == {}
    stage.cj.top_up(5_000)
    look_into(stage.desk)
    stage.advance(2 * HOUR)
    stage.cycle()
    assert credits(stage) == {lot: stage.lot(lot).cj_amount_cents}


def test_a_credit_that_cj_does_not_give_is_not_booked_and_a_person_stays_told(stage: Rehearsal) -> None:
    (lot,) = paid(stage, "ada", webhooks=False, order=True)
    balance = stage.cj.purse.balance_cents
    stage.cj.cancel_order(stage.lot(lot).cj_order_number)
    stage.cj.purse.balance_cents = balance
    stage.advance(2 * HOUR)
    stage.cycles(4)
    assert stage.status(lot) == "CANCELLED"
    assert credits(stage) == {}
    assert [one.lot_id for one in stage.incidents("cancelled:")] == [lot]
    stage.cj.top_up(stage.lot(lot).cj_amount_cents + 1)
    stage.reconcile()
    assert credits(stage) == {}


def test_an_order_paid_by_hand_after_its_purse_was_read_is_no_credit(stage: Rehearsal) -> None:
    one, two = paid(stage, "ada", "ada", webhooks=False, order=True)
    cost = stage.lot(two).cj_amount_cents
    with stage.record.write() as session:
        session.get_one(Lot, two).cj_status = "CANCELLED"  # it is owed its price, which never comes
    stage.cj.set_balance(stage.cj.purse.balance_cents - cost)
    look_into(stage.desk)
    with stage.record.write() as session:  # and is learned of only now
        ledger.book(session, "late", Kind.GOODS, -cost, vendor="cj", vendor_id="late", lot_id=one)
    look_into(stage.desk)
    assert credits(stage) == {}


def credits(stage: Rehearsal) -> dict[int | None, int]:
    with stage.record.read() as session:
        rows = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == Kind.CJ_CREDIT))
        return {row.lot_id: row.cents for row in rows}


def test_a_refund_and_a_dispute_of_which_no_event_is_left_are_adopted(stage: Rehearsal) -> None:
    """After a long outage Stripe has forgotten its events: the lists remember."""
    (lot,) = paid(stage, "ada", webhooks=False)
    stage.bank.refund_by_hand(invoice_of(stage)["id"], share(stage, lot))
    stage.bank.store.events.clear()
    report = stage.reconcile()
    assert report.clean
    stage.advance(60)
    stage.cycle()
    assert stage.status(lot) == "CANCELLED"
    assert stage.lot(lot).refund_status == "SUCCEEDED"


def test_a_cent_that_is_booked_wrongly_is_a_difference_and_a_critical_incident(stage: Rehearsal) -> None:
    paid(stage, "ada", webhooks=False)
    with stage.record.write() as session:
        session.execute(update(LedgerEntry).where(LedgerEntry.kind == "hammer").values(cents=LedgerEntry.cents + 1))
    assert names(stage) == {("Stripe", "books")}
    (incident,) = stage.incidents("reconcile:Stripe")
    assert incident.severity == "CRITICAL"
    assert incident.cents == 1
    with stage.record.write() as session:
        session.execute(update(LedgerEntry).where(LedgerEntry.kind == "hammer").values(cents=LedgerEntry.cents - 1))
    assert names(stage) == set()
    assert stage.incidents("reconcile:") == []


@pytest.mark.parametrize(
    ("kind", "vendor"),
    [
        (Kind.STRIPE_FEE, "Stripe"),
        (Kind.REFUND, "Stripe"),
        (Kind.REFUND_FAILED, "Stripe"),
        (Kind.DISPUTE, "Stripe"),
        (Kind.HAMMER, "Stripe"),
        (Kind.GOODS, "CJ"),
    ],
)
def test_money_in_our_books_that_no_vendor_shows_is_a_difference(stage: Rehearsal, kind: Kind, vendor: str) -> None:
    (lot,) = paid(stage, "ada", webhooks=False)
    invoice, ghost = stage.lot(lot).invoice_id, {"vendor": vendor.lower(), "vendor_id": "ghost"}
    with stage.record.write() as session:
        ledger.book(session, "ghost", kind, -7, lot_id=lot, invoice_id=invoice, **ghost)
    report = stage.reconcile()
    assert {(one.vendor, one.what.value) for one in report.findings} == {(vendor, "books")}
    assert sum(one.ours_cents - one.theirs_cents for one in report.ties if one.vendor == vendor) == -7


def test_money_that_is_booked_for_an_invoice_that_nobody_paid_is_a_difference(stage: Rehearsal) -> None:
    stage.person("ada", "no_card", pays_after=10**7)
    (lot,) = stage.sell("ada")
    stage.cycle()
    assert invoice_of(stage)["status"] == "open"
    with stage.record.write() as session:
        given = {"lot_id": lot, "invoice_id": stage.lot(lot).invoice_id}
        ledger.book(session, "ghost", Kind.HAMMER, 7, vendor="stripe", vendor_id="ghost", **given)
    assert names(stage) == {("Stripe", "books")}


def test_a_refund_that_fails_when_it_is_older_than_what_is_listed_is_no_difference(stage: Rehearsal) -> None:
    (lot,) = paid(stage, "ada", webhooks=False)
    give_back(stage, lot)
    stage.cycles(3)
    (refund,) = stage.bank.store.refunds
    stage.advance(29 * DAY)
    stage.bank.fail_refund(refund)
    stage.cycles(2)
    assert stage.lot(lot).refund_status == "FAILED"
    stage.advance(7 * DAY)
    assert [one.text for one in stage.reconcile().findings] == []


def test_an_invoice_of_ours_on_no_record_is_an_orphan_and_a_second_one_a_duplicate(stage: Rehearsal) -> None:
    paid(stage, "ada", webhooks=False)
    twin = copy.deepcopy(invoice_of(stage)) | {"id": "in_99999999"}
    stage.bank.store.invoices["in_99999999"] = twin
    stage.bank.store.lines["in_99999999"], stage.bank.store.payments["in_99999999"] = [], []
    assert names(stage) == {("Stripe", "orphan"), ("Stripe", "duplicate")}


def test_an_order_of_ours_on_no_record_is_an_orphan(stage: Rehearsal) -> None:
    (lot,) = paid(stage, "ada", webhooks=False, order=True)
    (order,) = stage.cj.orders
    stray = copy.deepcopy(order)
    stray.number, stray.order_id = stray.number.replace(f"HS-{lot}", "HS-77"), "9" * 19
    stage.cj.orders.append(stray)
    assert names(stage) == {("CJ", "orphan")}


def test_an_invoice_made_before_the_window_and_sent_within_it_is_not_missed(stage: Rehearsal) -> None:
    """Stripe lists by when it was made; a fault can lie for days between that and its sending."""
    (lot,) = paid(stage, "ada", webhooks=False)
    with stage.record.write() as session:
        invoice = session.get_one(Invoice, stage.lot(lot).invoice_id)
        assert invoice.sent_at
        invoice.sent_at += timedelta(days=2)
    stage.advance((invoice.created_at + LOOK_BACK + timedelta(days=1) - stage.clock.at).total_seconds())
    assert ("Stripe", "missing") not in names(stage)


def test_an_item_nobody_knows_is_named_before_it_sells(stage: Rehearsal) -> None:
    stage.source("phone stand", 2, publish=False)
    one, two = stage.house.items
    one.external_id = "something else"
    lot = next(lot for lot in stage.lots() if lot.basta_item_id == one.id)
    with stage.record.write() as session:
        session.get_one(type(lot), lot.id).basta_item_id = "item-gone"
    assert names(stage) == {("Basta", "orphan"), ("Basta", "missing")}
    stage.advance(HOUR)
    assert names(stage) == {("Basta", "orphan")}
    assert stage.status(lot.id) == "CANCELLED"  # the cycle saw twice that its item is gone
    assert two.id in {lot.basta_item_id for lot in stage.lots()}


def test_a_vendor_that_cannot_be_read_is_no_clean_bill(stage: Rehearsal) -> None:
    paid(stage, "ada", webhooks=False)
    stage.world.faults.plan(Fault("stripe", "GET /v1/balance_transactions", "500_before", times=9))
    report = stage.reconcile()
    assert list(report.unread) == ["Stripe"]
    assert not report.clean


def test_a_night_costs_cj_seven_lists_of_a_free_endpoint(stage: Rehearsal) -> None:
    paid(stage, "ada", "ada", webhooks=False, order=True)
    before = stage.calls("cj", "GET /shopping/order/list")
    stage.advance(DAY)
    stage.reconcile()
    assert stage.calls("cj", "GET /shopping/order/list") - before == 7


@pytest.mark.parametrize("place", [0, 4, 7, 13], ids=["Stripe's lists", "CJ's orders", "CJ's lists", "Basta's sales"])
def test_a_cycle_that_does_its_work_beside_a_comparison_is_no_difference(stage: Rehearsal, place: int) -> None:
    """At 03:30 both begin: what one reads, the other moves on, at every vendor."""
    paid(stage, "ada", "bob", webhooks=False)
    stage.cj.set_balance(0)
    go_on(stage)
    stage.cycle()  # two are ordered, and wait for money
    stage.sell("cat", "dan", keyword="desk lamp")
    calls: list[str] = []

    def beside(label: str) -> None:
        calls.append(label)
        if len(calls) == place + 1:
            stage.cj.top_up(1_000_000)
            stage.cycle()

    stage.exchange.after = beside
    report = compare()
    stage.exchange.after = lambda _: None
    assert [one.text for one in report.findings] == []
