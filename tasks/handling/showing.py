"""A lot's story: what happened to it, at whom, for how much, why it waits, what comes next, and when.

No address and no e-mail is in it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tasks.desk import Desk
from tasks.fulfilment.ordering import NO_ADDRESS
from tasks.handling.planning import lot_of
from tasks.lots import moving
from tasks.lots.models import Invoice, Lot
from tasks.lots.records import Effect, Incident, LedgerEntry
from tasks.lots.states import LotStatus
from tasks.settings import Settings

S = LotStatus
CYCLE = "the next processing cycle"
NEXT: dict[LotStatus, str] = {
    S.SOURCED: "it is listed at Basta, when its sourcing run goes on",
    S.LISTED: "it is published with its sale",
    S.PUBLISHED: "bidding ends, and the next cycle reads who won",
    S.AUCTION_CLOSED: "its winner is invoiced, or pays",
    S.PAYMENT_FAILED: "the buyer pays, or the card is tried again",
    S.PAID: "it is ordered at CJ",
    S.CJ_ORDERED: "its order is paid from CJ's balance",
    S.CJ_PAID: "CJ ships it",
    S.SHIPPED: "the carrier delivers it",
    S.DELIVERED: "nothing: it is delivered",
    S.RESERVE_NOT_MET: "nothing: it was not sold",
    S.CJ_OUT_OF_STOCK: "its buyer is refunded",
    S.CJ_PRICE_CHANGED: "its buyer is refunded",
    S.CANCELLED: "nothing: it is cancelled",
}


def story(at: Desk, lot_id: int) -> dict[str, Any]:
    """Everything about one lot, as plain values.

    Raises:
        UnknownLot: there is no such lot.
    """
    with at.record.read() as session:
        lot = lot_of(session, lot_id)
        invoice = session.get(Invoice, lot.invoice_id) if lot.invoice_id else None
        what, when = next_step(lot, invoice, at.settings)
        return {
            "id": lot.id,
            "title": lot.title,
            "status": str(lot.status),
            "status_since": _iso(lot.status_since),
            "keyword": lot.keyword,
            "waits_for": lot.hold_reason,
            "why": lot.error_message,
            "next": what,
            "next_at": when if isinstance(when, str) else _iso(when),
            "refund_status": lot.refund_status,
            "refund_cents": lot.refund_cents,
            "address": "known" if lot.ship_to else "not known yet",
            "ids": _ids(lot, invoice),
            "prices": {
                "landed_cents": lot.landed_cents,
                "reserve_cents": lot.reserve_cents,
                "hammer_cents": lot.winning_bid_cents,
                "cj_order_cents": lot.cj_amount_cents,
            },
            "timeline": _timeline(session, lot),
            "effects": [_effect(one) for one in _effects(session, lot)],
            "money": [_entry(one) for one in _ledger(session, lot)],
            "incidents": [{"severity": one.severity, "title": one.title} for one in _incidents(session, lot)],
        }


def next_step(lot: Lot, invoice: Invoice | None, settings: Settings) -> tuple[str, datetime | str | None]:
    """What comes next for a lot, and when: a time, or the next cycle, or None where nothing will."""
    if lot.refund_status in ("PLANNED", "PENDING"):
        waits = "waits for a person's yes" if lot.hold_reason == "refund batch" else "goes on"
        return f"its refund {waits}", CYCLE
    if lot.hold_reason == NO_ADDRESS and lot.paid_at:
        deadline = lot.paid_at + timedelta(days=settings.address_deadline_days)
        return "its buyer gives an address (or type pipeline lot address), or is refunded", deadline
    if lot.hold_reason:
        return f"it is tried again, as it waits for {lot.hold_reason!r}", lot.hold_until or CYCLE
    what = NEXT[lot.status]
    if what.startswith("nothing"):
        return what, None
    if lot.status is S.LISTED:  # no cycle publishes: the run does that was asked to, or a person
        return f"{what}, by its sourcing run or by pipeline publish --sale-id {lot.basta_sale_id}", None
    if lot.status is S.PUBLISHED:
        return what, lot.closes_at
    if lot.status is S.PAYMENT_FAILED and invoice:
        return what, invoice.next_charge_at or invoice.due_at
    if lot.status is S.AUCTION_CLOSED and invoice and invoice.sent_at:
        return "its buyer pays, or the invoice is voided at its deadline", invoice.due_at
    return what, CYCLE


def _ids(lot: Lot, invoice: Invoice | None) -> dict[str, str | None]:
    return {
        "basta_sale": lot.basta_sale_id,
        "basta_item": lot.basta_item_id,
        "basta_winner": lot.winner_user_id,
        "basta_order": invoice.basta_order_id if invoice else None,
        "stripe_invoice": lot.stripe_invoice_id or (invoice.stripe_invoice_id if invoice else None),
        "stripe_charge": invoice.charge_id if invoice else None,
        "stripe_refund": lot.stripe_refund_id,
        "cj_product": lot.cj_pid,
        "cj_variant": lot.cj_vid,
        "cj_order_number": lot.cj_order_number,
        "cj_order": lot.cj_order_id,
        "parcel": lot.tracking_number,
    }


def _timeline(session: Session, lot: Lot) -> list[dict[str, Any]]:
    return [{"at": _iso(row.at), "to": row.to, "why": row.why} for row in moving.history(session, lot.id)]


def _effects(session: Session, lot: Lot) -> list[Effect]:
    """What was done for the lot, and for the invoice and the sale that it is part of."""
    of_it = [Effect.lot_id == lot.id]
    if lot.invoice_id:
        of_it.append(Effect.invoice_id == lot.invoice_id)
        buyer = select(Invoice.buyer_id).where(Invoice.id == lot.invoice_id)
        of_it.append(Effect.key == f"customer:{session.scalars(buyer).one()}")
    if lot.sale_id:
        of_it.append((Effect.sale_id == lot.sale_id) & Effect.lot_id.is_(None))
    query = select(Effect).where(or_(*of_it)).order_by(Effect.created_at, Effect.key)
    return [one for one in session.scalars(query) if one.lot_id in (None, lot.id)]


def _effect(one: Effect) -> dict[str, Any]:
    return {
        "key": one.key,
        "state": one.state,
        "attempts": one.attempts,
        "acted_at": _iso(one.acted_at),
        "settled_at": _iso(one.settled_at),
        "vendor_id": one.vendor_id,
        "error": one.error,
    }


def _ledger(session: Session, lot: Lot) -> list[LedgerEntry]:
    query = select(LedgerEntry).where(LedgerEntry.lot_id == lot.id).order_by(LedgerEntry.at, LedgerEntry.id)
    return list(session.scalars(query))


def _entry(one: LedgerEntry) -> dict[str, Any]:
    return {
        "at": _iso(one.at),
        "kind": one.kind,
        "cents": one.cents,
        "vendor": one.vendor,
        "vendor_id": one.vendor_id,
    }


def _incidents(session: Session, lot: Lot) -> list[Incident]:
    of_it = Incident.lot_id == lot.id
    if lot.invoice_id:
        of_it = or_(of_it, Incident.key.startswith(f"invoice:{lot.invoice_id}:", autoescape=True))
    query = select(Incident).where(of_it, Incident.closed_at.is_(None)).order_by(Incident.id)
    return list(session.scalars(query))


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
