"""Our own record: effects whose end nobody knows, and the promises that can be checked by looking."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tasks.batching import WAITS
from tasks.lots import incidents
from tasks.lots.clock import now
from tasks.lots.ledger import Kind
from tasks.lots.manners import State
from tasks.lots.models import History, Invoice, InvoiceLine, Lot
from tasks.lots.records import Effect, LedgerEntry
from tasks.lots.states import FINAL, MOVES, LotStatus
from tasks.reconciling.finding import Finding, What

VENDOR = "our record"
#: A cycle has looked several times by then; what is still unknown is a difference.
LONG_UNKNOWN = timedelta(hours=1)
#: What is tried anew in every cycle is never unknown for long: it is a difference when it was so often, for so long.
OFTEN, LONG_TRIED = 20, timedelta(days=1)
#: So far apart the clocks of two machines may be, one of which wrote down the payment and the other one the order.
SKEW = timedelta(seconds=30)
#: Every won lot is on an invoice by then.
INVOICED_BY = timedelta(days=1)
#: Until then a refund may be on its way: the next cycles make a planned one, and then the banks take their time.
ON_ITS_WAY = {"PLANNED": timedelta(days=1), "PENDING": timedelta(days=14)}
#: The incidents that tell of a refund itself, by the beginning of their key, and how a refund stands that they tell of.
REFUND_TOLD = {"refund:failed": "FAILED", "refund:disputed": "PLANNED", "refund:unproven": "PLANNED"}


def compare(session: Session) -> list[Finding]:
    """All that our record shows by itself."""
    return [*_long_unknown(session), *promises(session)]


def promises(session: Session) -> list[Finding]:
    """What of our promises is broken by the record's own word."""
    return [*_bought(session), *_refunded(session), *_ended(session), *_lives(session)]


def unknown_yet(session: Session, named: Collection[str] = ()) -> list[Finding]:
    """Every other effect whose end nobody knows: a later look may tell, so it is named, and is no difference.

    What a worker is doing at this moment is not unknown: a cycle is always at work somewhere.

    Args:
        named: the effects that are named as differences already.
    """
    left = (effect for effect in _open(session) if effect.key not in named and not _is_at_work(effect))
    return [Finding(VENDOR, What.UNKNOWN, one.key, f"not known yet, {_fate(one)}") for one in left]


def all_known(session: Session) -> bool:
    """Whether the end of every effect is known that anybody began."""
    return not _open(session)


def _long_unknown(session: Session) -> Iterator[Finding]:
    long_ago = now() - LONG_UNKNOWN
    for effect in _open(session):
        if effect.kind == "mail":
            continue  # it is sent again for as long as its key lasts, and given up then: nobody is called for it
        if _since(effect) <= long_ago:
            yield Finding(VENDOR, What.UNKNOWN, effect.key, f"unknown {_fate(effect)}")
        elif effect.attempts >= OFTEN and effect.created_at <= now() - LONG_TRIED:
            since = f"{effect.created_at:%d %b %H:%M} UTC"
            text = f"tried {effect.attempts} times since {since}: {effect.error or 'no answer'}"
            yield Finding(VENDOR, What.UNKNOWN, effect.key, text)


def _open(session: Session) -> list[Effect]:
    began = select(Effect).where(Effect.state.in_((State.UNKNOWN, State.IN_FLIGHT)))
    return list(session.scalars(began.order_by(Effect.key)))


def _is_at_work(effect: Effect) -> bool:
    return effect.state == State.IN_FLIGHT and effect.lease_until is not None and effect.lease_until > now()


def _fate(effect: Effect) -> str:
    return f"since {_since(effect):%d %b %H:%M} UTC: {effect.error or 'nobody came back'}"


def _since(effect: Effect) -> datetime:
    return effect.acted_at or effect.created_at


def _bought(session: Session) -> Iterator[Finding]:
    """Nothing is asked for at CJ but with captured money, whose rows were on the books before that was planned."""
    booked = select(LedgerEntry.lot_id, func.min(LedgerEntry.at).label("at")).where(LedgerEntry.kind == Kind.HAMMER)
    money = booked.group_by(LedgerEntry.lot_id).subquery()
    rows = (
        select(Lot, Invoice.paid_cents, Effect.kind, Effect.created_at, money.c.at)
        .join(Effect, Effect.lot_id == Lot.id)
        .outerjoin(Invoice, Invoice.id == Lot.invoice_id)
        .outerjoin(money, money.c.lot_id == Lot.id)
        .where(Effect.kind.in_(("cj-order", "cj-pay")))
        .where(or_(Effect.acted_at.is_not(None), Effect.state.in_((State.DONE, State.ADOPTED))))
        .order_by(Lot.id, Effect.kind)
    )
    for lot, paid_cents, kind, planned_at, booked_at in session.execute(rows):
        what = {"cj-order": "ordered", "cj-pay": "bought"}[kind]
        if not paid_cents:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", f"it was {what} without a captured payment")
        elif None in (booked_at, lot.paid_at) or planned_at < max(booked_at, lot.paid_at) - SKEW:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", f"it was {what} before its payment was on record")


def _refunded(session: Session) -> Iterator[Finding]:
    billed = select(InvoiceLine.lot_id, func.sum(InvoiceLine.cents + InvoiceLine.tax_cents)).group_by(
        InvoiceLine.lot_id
    )
    shares = {row[0]: row[1] for row in session.execute(billed)}
    for lot in session.scalars(select(Lot).where(Lot.refund_cents > 0)):
        if (lot.refund_cents or 0) > shares.get(lot.id, 0):
            text = "more was given back than it was billed"
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", text, lot.refund_cents, shares.get(lot.id, 0))


def _ended(session: Session) -> Iterator[Finding]:
    told = {incident.key for incident in incidents.open_ones(session)}
    for lot in session.scalars(select(Lot).where(Lot.paid_at.is_not(None), Lot.status.in_(FINAL))):
        if lot.status is LotStatus.DELIVERED or _is_given_back(lot) or lot.hold_reason == WAITS:
            continue  # a batch that waits for a yes is a question to a person
        if not any(f"{key}:{lot.id}" in told and lot.refund_status == stands for key, stands in REFUND_TOLD.items()):
            stands = f" (its refund is {lot.refund_status})" if lot.refund_status in ON_ITS_WAY else ""
            text = f"paid, {lot.status}, and its money never went back{stands}"
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", text)
    won = select(Lot).where(Lot.status == LotStatus.AUCTION_CLOSED, Lot.invoice_id.is_(None))
    for lot in session.scalars(won):
        if now() - lot.status_since >= INVOICED_BY and lot.hold_reason is None:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", "it was won a day ago, and is on no invoice")


def _is_given_back(lot: Lot) -> bool:
    """Whether its money is back, or still in time on its way; one that was paid after its end is owed since then."""
    if lot.refund_status not in ON_ITS_WAY or lot.paid_at is None:
        return lot.refund_status in ("SUCCEEDED", "LOST")
    return now() - max(lot.status_since, lot.paid_at) < ON_ITS_WAY[lot.refund_status]


def _lives(session: Session) -> Iterator[Finding]:
    """Every hop lawful, none left out, and the last one the status of today."""
    last: dict[int, History] = {}
    for row in session.scalars(select(History).order_by(History.lot_id, History.seq)):
        before = last.get(row.lot_id)
        lawful = before is None or LotStatus(row.to) in MOVES[LotStatus(before.to)]
        if not lawful or row.seq != (before.seq if before else 0) + 1:
            yield Finding(VENDOR, What.PROMISE, f"lot {row.lot_id}", f"hop {row.seq} to {row.to} is not lawful")
        last[row.lot_id] = row
    for lot_id, status in session.execute(select(Lot.id, Lot.status)):
        if lot_id not in last or last[lot_id].to != status:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot_id}", f"its status {status} is not its last hop")
