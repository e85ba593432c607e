"""The other way round: money that our books have, and the vendor does not show."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots.ledger import Kind
from tasks.lots.models import Lot
from tasks.lots.records import LedgerEntry
from tasks.reconciling.finding import Finding, Tie, What

#: A vendor lists by when a thing was made; after an outage it is booked some days later.
BOOKED_LATE = timedelta(days=7)


def unshown(
    session: Session, vendor: str, kinds: Collection[Kind], shown: Collection[str], since: datetime, tie: Tie
) -> Iterator[Finding]:
    """Rows of these kinds that nothing of the vendor's explains; each counts in the sum, beside nothing of theirs.

    Args:
        shown: the vendor's ids of what moved money.
    """
    rows = select(LedgerEntry).where(LedgerEntry.kind.in_(kinds), LedgerEntry.at >= since + BOOKED_LATE)
    for row in session.scalars(rows.order_by(LedgerEntry.id)):
        if row.vendor_id not in shown:
            tie.add(row.cents, 0)
            text = f"our books have it as {row.kind}, and {vendor} shows no such thing"
            yield Finding(vendor, What.BOOKS, row.vendor_id, text, row.cents, 0)


def refunds_by_any_name(session: Session, shown: Collection[str]) -> set[str]:
    """The ids under which our books may have these refunds: their own, and those of the credit notes that made them."""
    made = select(LedgerEntry.vendor_id).join(Lot, Lot.id == LedgerEntry.lot_id)
    ours = made.where(LedgerEntry.kind == Kind.REFUND, Lot.stripe_refund_id.in_(shown))
    return {*shown, *session.scalars(ours)}


def refunds_ever_made(session: Session) -> set[str]:
    """All refunds of our books: one may fail so late that Stripe lists it with another month's."""
    known = select(Lot.stripe_refund_id).where(Lot.stripe_refund_id.is_not(None))
    booked = select(LedgerEntry.vendor_id).where(LedgerEntry.kind == Kind.REFUND)
    return {*map(str, session.scalars(known)), *session.scalars(booked)}
