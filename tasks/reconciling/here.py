"""Our own record: effects whose end nobody knows, and the promises that can be checked by looking."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.lots import incidents, pauses
from tasks.lots.clock import now
from tasks.lots.manners import State
from tasks.lots.models import History, Invoice, InvoiceLine, Lot
from tasks.lots.records import Effect
from tasks.lots.states import FINAL, MOVES, LotStatus
from tasks.reconciling.finding import Finding, What

VENDOR = "our record"
#: A cycle has looked several times by then; what is still unknown is a difference.
LONG_UNKNOWN = timedelta(hours=1)
#: Every won lot is on an invoice by then.
INVOICED_BY = timedelta(days=1)
GIVEN_BACK = ("PLANNED", "PENDING", "SUCCEEDED", "LOST")


def compare(session: Session) -> list[Finding]:
    """All that our record shows by itself."""
    return [*_long_unknown(session), *_bought(session), *_refunded(session), *_ended(session), *_lives(session)]


def unknown_yet(session: Session) -> list[Finding]:
    """Every other effect whose end nobody knows: a later look may tell, so it is named, and is no difference."""
    long_ago = now() - LONG_UNKNOWN
    young = (effect for effect in _open(session) if _since(effect) > long_ago)
    return [Finding(VENDOR, What.UNKNOWN, one.key, f"not known yet, {_fate(session, one)}") for one in young]


def all_known(session: Session) -> bool:
    """Whether the end of every effect is known that anybody began."""
    return not _open(session)


def _long_unknown(session: Session) -> Iterator[Finding]:
    long_ago = now() - LONG_UNKNOWN
    for effect in _open(session):
        if _since(effect) <= long_ago:
            yield Finding(VENDOR, What.UNKNOWN, effect.key, f"unknown {_fate(session, effect)}")


def _open(session: Session) -> list[Effect]:
    began = select(Effect).where(Effect.state.in_((State.UNKNOWN, State.IN_FLIGHT)))
    return list(session.scalars(began.order_by(Effect.key)))


def _fate(session: Session, effect: Effect) -> str:
    stops = [one.scope for one in pauses.current(session) if effect.kind in pauses.STOPS[one.scope]]
    paused = "".join(f"; `pipeline resume {scope}` lets it be asked about" for scope in stops)
    return f"since {_since(effect):%d %b %H:%M} UTC: {effect.error or 'nobody came back'}{paused}"


def _since(effect: Effect) -> datetime:
    return effect.acted_at or effect.created_at


def _bought(session: Session) -> Iterator[Finding]:
    settled = (State.DONE, State.ADOPTED)
    rows = (
        select(Lot.id, Invoice.paid_cents)
        .join(Effect, Effect.lot_id == Lot.id)
        .outerjoin(Invoice, Invoice.id == Lot.invoice_id)
    )
    for lot_id, paid_cents in session.execute(rows.where(Effect.kind == "cj-pay", Effect.state.in_(settled))):
        if not paid_cents:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot_id}", "it was bought without a captured payment")


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
    told = incidents.open_ones(session)
    named = {incident.lot_id for incident in told if incident.alert != "lot-stuck"}  # which says nothing of money
    for lot in session.scalars(select(Lot).where(Lot.paid_at.is_not(None), Lot.status.in_(FINAL))):
        if lot.status is not LotStatus.DELIVERED and lot.refund_status not in GIVEN_BACK and lot.id not in named:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", f"paid, {lot.status}, and its money never went back")
    won = select(Lot).where(Lot.status == LotStatus.AUCTION_CLOSED, Lot.invoice_id.is_(None))
    for lot in session.scalars(won):
        if now() - lot.status_since >= INVOICED_BY and lot.hold_reason is None:
            yield Finding(VENDOR, What.PROMISE, f"lot {lot.id}", "it was won a day ago, and is on no invoice")


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
