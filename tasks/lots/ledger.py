"""The books: one row per fact of money, signed as our purse sees it. Every report is a sum over them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.records import LedgerEntry


class Kind(StrEnum):
    """What a row says, and its sign: plus is ours, minus is spent."""

    HAMMER = "hammer"  # plus
    PREMIUM = "premium"  # plus
    TAX = "tax"  # plus: owed on, but it came in with the payment
    STRIPE_FEE = "stripe_fee"  # minus
    GOODS = "goods"  # minus
    FREIGHT = "freight"  # minus
    REFUND = "refund"  # minus
    REFUND_FAILED = "refund_failed"  # plus: the money came back to our balance
    DISPUTE = "dispute"  # minus when withdrawn, plus when won back
    DISPUTE_FEE = "dispute_fee"  # minus, and plus where the bank gives it back
    CJ_CREDIT = "cj_credit"  # plus: CJ gave back what an order had cost
    CJ_PURSE = "cj_purse"  # either: the purse changed, and no order of ours explains it (a top-up); no lot's


_OF_FACT = select(LedgerEntry.id).where(LedgerEntry.fact == bindparam("fact"))


def book(
    session: Session,
    fact: str,
    kind: Kind,
    cents: int,
    *,
    vendor: str,
    vendor_id: str,
    lot_id: int | None = None,
    invoice_id: int | None = None,
    at: datetime | None = None,
) -> bool:
    """Write one fact down; False when it stands there already. Nothing is booked for zero cents.

    `fact` names it for ever ("refund:<refund id>:<lot>"), so that webhook, poll and reconciliation agree.
    """
    if cents == 0 or session.execute(_OF_FACT, {"fact": fact}).first():
        return False
    return insert_once(
        session,
        LedgerEntry,
        fact=fact,
        kind=kind,
        cents=cents,
        vendor=vendor,
        vendor_id=vendor_id,
        lot_id=lot_id,
        invoice_id=invoice_id,
        at=at or now(),
    )


def total(session: Session, *kinds: Kind, lot_id: int | None = None, invoice_id: int | None = None) -> int:
    """The sum of these kinds, in cents."""
    query = select(func.coalesce(func.sum(LedgerEntry.cents), 0))
    if kinds:
        query = query.where(LedgerEntry.kind.in_(kinds))
    if lot_id is not None:
        query = query.where(LedgerEntry.lot_id == lot_id)
    if invoice_id is not None:
        query = query.where(LedgerEntry.invoice_id == invoice_id)
    return int(session.execute(query).scalar_one())
