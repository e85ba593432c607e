"""AUTOMATIC_TAX: Stripe adds tax to every line; it is billed, captured, booked, given back, and is no margin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks import handling
from tasks.lots.ledger import Kind, total
from tasks.reports.money import lot_frame, rates
from tests.simulation import poison
from tests.simulation.rehearsal import HOME, Address, Rehearsal
from tests.stages.test_invoicing import PREMIUM


@pytest.fixture
def taxed(rehearse: Callable[..., Rehearsal]) -> Rehearsal:
    stage = rehearse(AUTOMATIC_TAX="true")
    stage.house.options.fees = PREMIUM
    return stage


def tax_of(stage: Rehearsal, lot: int) -> int:
    """What Stripe added to a lot's own lines."""
    lines = [line for lines in stage.bank.store.lines.values() for line in lines]
    return sum(one["amount"] for line in lines if line["metadata"]["lot_id"] == str(lot) for one in line["taxes"])


def net_of(stage: Rehearsal, lot: int) -> int:
    lines = [line for lines in stage.bank.store.lines.values() for line in lines]
    return sum(line["amount"] for line in lines if line["metadata"]["lot_id"] == str(lot))


def booked(stage: Rehearsal, *kinds: Kind, lot: int | None = None) -> int:
    with stage.record.read() as session:
        return total(session, *kinds, lot_id=lot)


def test_tax_is_billed_captured_and_booked_and_no_part_of_the_margin(taxed: Rehearsal) -> None:
    taxed.person("ada")
    (lot,) = taxed.sell("ada")
    taxed.cycles(2)
    assert taxed.status(lot) == "CJ_PAID"
    (theirs,) = taxed.bank.store.invoices.values()
    (ours,) = taxed.invoices()
    tax = tax_of(taxed, lot)
    assert tax > 0
    assert (ours.total_cents, ours.tax_cents) == (theirs["subtotal"], tax)
    assert theirs["total"] == theirs["amount_paid"] == ours.paid_cents == ours.total_cents + tax
    assert booked(taxed, Kind.TAX) == tax
    assert booked(taxed, Kind.HAMMER, Kind.PREMIUM, Kind.TAX) == theirs["amount_paid"]
    (won,) = taxed.mails("auction_won")
    assert f"${theirs['total'] // 100}.{theirs['total'] % 100:02d}" in won.text
    spent = booked(taxed, Kind.GOODS, Kind.FREIGHT, Kind.STRIPE_FEE)
    with taxed.record.read() as session:
        assert rates(lot_frame(session)).margin_cents == ours.total_cents + spent


def test_one_of_three_taxed_lots_goes_back_with_its_tax_to_the_cent(taxed: Rehearsal) -> None:
    taxed.person("ada")
    one, two, three = taxed.sell("ada", "ada", "ada")
    taxed.cj.delist(taxed.lot(two).cj_vid)
    taxed.cycles(3)
    share = net_of(taxed, two) + tax_of(taxed, two)
    assert [row["amount"] for row in taxed.bank.store.refunds.values()] == [share]
    assert taxed.lot(two).refund_cents == share
    assert taxed.lot(two).refund_status == "SUCCEEDED"
    assert [taxed.status(lot) for lot in (one, three)] == ["CJ_PAID", "CJ_PAID"]
    (theirs,) = taxed.bank.store.invoices.values()
    kept = booked(taxed, Kind.HAMMER, Kind.PREMIUM, Kind.TAX) + booked(taxed, Kind.REFUND)
    assert kept == theirs["amount_paid"] - share
    with taxed.record.read() as session:
        frame = lot_frame(session).sort("lot_id")
    assert frame["margin_cents"][1] == frame["fee_cents"][1]  # what is left of it is Stripe's fee
    assert rates(frame).refunded_cents == -share


def test_a_lot_credited_before_it_is_paid_takes_its_tax_off_the_bill(taxed: Rehearsal) -> None:
    taxed.person("ada", "no_card", pays_after=10**7)
    one, two = taxed.sell("ada", "ada")
    taxed.cycle()
    invoice = next(iter(taxed.bank.store.invoices.values()))
    from tests.stages.test_refunding import give_back

    give_back(taxed, one)
    taxed.cycles(2)
    assert invoice["amount_due"] == net_of(taxed, two) + tax_of(taxed, two)
    taxed.bank.pay_by_hand(invoice["id"])
    taxed.cycles(2)
    assert taxed.status(two) == "CJ_PAID"
    assert taxed.lot(one).refund_status == "NONE_DUE"


def test_without_an_address_nothing_is_billed_and_a_person_is_told_until_it_comes(taxed: Rehearsal) -> None:
    taxed.person("ada", address=None)
    (lot,) = taxed.sell("ada")
    taxed.cycles(2)
    assert taxed.bank.store.invoices == {}
    (incident,) = taxed.incidents("invoice:")
    assert incident.severity == "HIGH"
    taxed.person("ada", address=HOME)
    taxed.cycles(2)
    assert taxed.status(lot) == "CJ_PAID"
    assert taxed.incidents("invoice:") == []


def test_an_address_that_stripe_does_not_know_is_refused_told_and_never_charged(taxed: Rehearsal) -> None:
    taxed.person("ada", address=Address("Ada Demo", "1 Orchard Row", "Nowhere", "ZZ", "00000"))
    taxed.bank.options.untaxable = ["00000"]
    (lot,) = taxed.sell("ada")
    taxed.cycles(3)
    assert taxed.status(lot) == "AUCTION_CLOSED"
    assert taxed.bank.store.charges == {}
    (incident,) = taxed.incidents("invoice:")
    assert "location" in incident.text
    taxed.person("ada", address=HOME)
    handling.retry(taxed.desk, handling.plan_retry(taxed.desk, lot))
    taxed.cycles(2)
    assert taxed.status(lot) == "CJ_PAID"
    assert taxed.incidents("invoice:") == []


def test_an_address_that_stripe_does_not_take_is_told_and_taken_again_when_that_is_asked_for(taxed: Rehearsal) -> None:
    taxed.person("ada")
    (lot,) = taxed.sell("ada")
    taxed.exchange.scripted.append(("stripe POST /v1/customers/{id}", poison.NOES["stripe"]))
    taxed.cycles(2)
    (incident,) = taxed.incidents("invoice:")
    assert incident.title == "Stripe refuses the address of invoice 1"
    handling.retry(taxed.desk, handling.plan_retry(taxed.desk, lot))
    taxed.cycles(2)
    assert taxed.status(lot) == "CJ_PAID"
    assert taxed.incidents("invoice:") == []
