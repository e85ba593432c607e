"""Stripe: invoices by our mark, and every cent captured, taken as fee, given back or disputed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients import stripe as bank
from tasks.desk import Desk
from tasks.lots import effects, ledger
from tasks.lots.ledger import Kind
from tasks.lots.manners import SETTLED
from tasks.lots.models import Invoice, Lot
from tasks.lots.records import LedgerEntry
from tasks.reconciling.finding import Finding, Tie, What, bears_our_mark, record_name
from tasks.reconciling.unshown import refunds_by_any_name, refunds_ever_made, unshown
from tasks.reversals import adopt_reversals
from tasks.settling import converge

VENDOR = "Stripe"
INCOME = (Kind.HAMMER, Kind.PREMIUM, Kind.TAX)
REF = "[0-9]+:[0-9]+:[0-9]+"
CLOCKS_DIFFER = timedelta(minutes=10)
Found = tuple[Finding, int | None]  # and the invoice of ours that a fresh look may heal


@dataclass(frozen=True)
class Told:
    """What Stripe lists since a day."""

    invoices: tuple[bank.Invoice, ...]
    movements: tuple[bank.Movement, ...]
    refunds: tuple[bank.Refund, ...]
    disputes: tuple[bank.Dispute, ...]


def compare(at: Desk, since: datetime) -> tuple[list[Finding], list[Tie]]:
    """Compare, read anew at Stripe what differs, and compare again: what is left needs a person.

    Raises:
        ServiceUnavailable: Stripe did not say.
    """
    start = int(since.timestamp())
    told = Told(
        at.stripe.invoices_since(start),
        at.stripe.movements(start),
        at.stripe.refunds_since(start),
        at.stripe.disputes_since(start),
    )
    found, _ = _differences(at, told, since)
    for invoice_id in sorted({one for _, one in found if one is not None}):
        converge(at, invoice_id)
        adopt_reversals(at, invoice_id)
    found, ties = _differences(at, told, since)
    return [finding for finding, _ in found], ties


def _differences(at: Desk, told: Told, since: datetime) -> tuple[list[Found], list[Tie]]:
    ties = [Tie(VENDOR, what) for what in ("captured", "fees", "refunded", "disputed")]
    with at.record.read() as session:
        ours = {one.stripe_invoice_id: one for one in session.scalars(select(Invoice)) if one.stripe_invoice_id}
        found = [
            *_known(session, ours, told, since),
            *_captured(session, ours, told, ties[0]),
            *_fees(session, ours, told, ties[1]),
            *_refunded(session, ours, told, ties[2]),
            *_disputed(session, ours, told, ties[3]),
            *_ghosts(session, told, since, ties),
        ]
    return found, ties


def _known(session: Session, ours: dict[str, Invoice], told: Told, since: datetime) -> Iterator[Found]:
    """Invoices that bear our mark and are not ours, are there twice, or are gone."""
    name = record_name(session)
    by_ref: dict[str, list[bank.Invoice]] = defaultdict(list)
    for theirs in told.invoices:
        if theirs.ref and bears_our_mark(name, REF, theirs.ref) and theirs.status != "void":
            by_ref[theirs.ref].append(theirs)
    for ref, group in by_ref.items():
        if len(group) > 1:
            ids = ", ".join(one.id for one in group)
            yield Finding(VENDOR, What.DUPLICATE, ref, f"{len(group)} living invoices of one reference: {ids}"), None
        key = f"invoice:{ref.removesuffix(f'-{name}') if name else ref}"
        planned = effects.state_of(session, key) not in (None, *SETTLED)
        for one in group:
            if one.id not in ours and not planned:
                text = f"it bears our reference {ref}, and is on no record: void or credit it in Stripe"
                yield Finding(VENDOR, What.ORPHAN, one.id, text, 0, one.total_cents), None
    listed = {one.id for one in told.invoices}
    for stripe_id, invoice in ours.items():
        # Ours is planned before theirs is made: by when it was sent, one made just before the window would be missed.
        if stripe_id not in listed and invoice.created_at > since + CLOCKS_DIFFER:
            yield Finding(VENDOR, What.MISSING, stripe_id, f"our invoice {invoice.id} is not at Stripe"), None


def _captured(session: Session, ours: dict[str, Invoice], told: Told, tie: Tie) -> Iterator[Found]:
    for theirs in told.invoices:
        invoice = ours.get(theirs.id)
        if invoice is None:
            continue
        booked = ledger.total(session, *INCOME, invoice_id=invoice.id)
        if theirs.status != "paid" and booked <= theirs.paid_cents:
            continue  # what was paid in part is booked when it is whole, or goes back
        if not tie.add(booked, theirs.paid_cents):
            text = f"invoice {invoice.id}: booked is not what was captured"
            yield Finding(VENDOR, What.BOOKS, theirs.id, text, booked, theirs.paid_cents), invoice.id


def _fees(session: Session, ours: dict[str, Invoice], told: Told, tie: Tie) -> Iterator[Found]:
    by_charge = {one.charge_id: one for one in ours.values() if one.charge_id}
    for movement in told.movements:
        invoice = by_charge.get(movement.source or "")
        if invoice is None or movement.kind not in ("charge", "payment"):
            continue
        booked = _sum(session, movement.id, Kind.STRIPE_FEE)
        if not tie.add(booked, -movement.fee_cents):
            text = f"invoice {invoice.id}: Stripe's fee is not booked as it was taken"
            yield Finding(VENDOR, What.BOOKS, movement.id, text, booked, -movement.fee_cents), invoice.id


def _refunded(session: Session, ours: dict[str, Invoice], told: Told, tie: Tie) -> Iterator[Found]:
    by_intent = {one.payment_intent_id: one for one in ours.values() if one.payment_intent_id}
    for refund in told.refunds:
        invoice = by_intent.get(refund.intent_id or "")
        if invoice is None:
            continue
        if refund.status in ("failed", "canceled"):
            back = _sum(session, refund.id, Kind.REFUND_FAILED)
            if back or not _went(session, refund.id):
                continue
            text = f"invoice {invoice.id}: the refund failed, and the books have it as given back"
            yield Finding(VENDOR, What.BOOKS, refund.id, text, _went(session, refund.id), 0), invoice.id
        elif not tie.add(booked := _went(session, refund.id), -refund.amount_cents):
            text = f"invoice {invoice.id}: a refund is not booked as it was made"
            yield Finding(VENDOR, What.BOOKS, refund.id, text, booked, -refund.amount_cents), invoice.id


def _went(session: Session, refund_id: str) -> int:
    """What the books say went back by this refund, by its own id or by the lot that it was for."""
    lots = list(session.scalars(select(Lot.id).where(Lot.stripe_refund_id == refund_id)))
    by_lot = sum(ledger.total(session, Kind.REFUND, Kind.REFUND_FAILED, lot_id=lot) for lot in lots)
    return by_lot or _sum(session, refund_id, Kind.REFUND, Kind.REFUND_FAILED)


def _disputed(session: Session, ours: dict[str, Invoice], told: Told, tie: Tie) -> Iterator[Found]:
    by_intent = {one.payment_intent_id: one for one in ours.values() if one.payment_intent_id}
    for dispute in told.disputes:
        invoice = by_intent.get(dispute.intent_id or "")
        if invoice is None:
            continue
        for movement in dispute.movements:
            booked = _sum(session, movement.id, Kind.DISPUTE, Kind.DISPUTE_FEE)
            theirs = movement.amount_cents - movement.fee_cents
            if not tie.add(booked, theirs):
                text = f"invoice {invoice.id}: what dispute {dispute.id} moved is not booked"
                yield Finding(VENDOR, What.BOOKS, movement.id, text, booked, theirs), invoice.id


def _ghosts(session: Session, told: Told, since: datetime, ties: list[Tie]) -> Iterator[Found]:
    """Fees, refunds and disputes of our books that Stripe does not show."""
    _, fees, refunded, disputed = ties
    moved = {one.id for one in told.movements} | {one.id for each in told.disputes for one in each.movements}
    refunds = refunds_by_any_name(session, {one.id for one in told.refunds})
    failed = {one.id for one in told.refunds} | refunds_ever_made(session)
    for kinds, shown, tie in (
        ((Kind.STRIPE_FEE,), moved, fees),
        ((Kind.REFUND,), refunds, refunded),
        ((Kind.REFUND_FAILED,), failed, refunded),
        ((Kind.DISPUTE, Kind.DISPUTE_FEE), moved, disputed),
    ):
        yield from ((one, None) for one in unshown(session, VENDOR, kinds, shown, since, tie))


def _sum(session: Session, vendor_id: str, *kinds: Kind) -> int:
    rows = select(LedgerEntry.cents).where(LedgerEntry.vendor_id == vendor_id, LedgerEntry.kind.in_(kinds))
    return sum(session.scalars(rows))
