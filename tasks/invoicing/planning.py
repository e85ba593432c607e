"""Who owes what: invoices and their frozen lines, written down before Stripe hears of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.clock import now
from tasks.lots.manners import State
from tasks.lots.models import Buyer, Invoice, InvoiceLine, Lot, Sale
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.rules.pricing import Premium, premium_cents


def premiums(desk: Desk) -> tuple[Premium, ...]:
    """The buyer's premium: Basta's account fees, else BUYER_PREMIUM_BP."""
    fees = desk.basta.account_fees()
    if fees is None:
        points = desk.settings.buyer_premium_bp
        return (Premium("Buyer's premium", True, points),) if points else ()
    return tuple(
        Premium(fee.name, fee.kind == "PERCENTAGE", fee.value, fee.lower_cents, fee.upper_cents)
        for fee in fees
        if fee.kind in ("PERCENTAGE", "AMOUNT")
    )


def ripe(session: Session, sale: Sale, lots: list[Lot], grace: timedelta) -> bool:
    """Whether a buyer's lots of a sale may be invoiced: the sale is closed, or the last of them some time ago."""
    last = max((lot.closed_at for lot in lots if lot.closed_at), default=None)
    return sale.closed_at is not None or (last is not None and now() >= last + grace)


def won_lots(session: Session, sale_id: str | None = None) -> dict[tuple[int, str], list[Lot]]:
    """Won lots without an invoice, by sale and winner."""
    query = select(Lot).where(Lot.status == LotStatus.AUCTION_CLOSED, Lot.invoice_id.is_(None)).order_by(Lot.id)
    groups: dict[tuple[int, str], list[Lot]] = {}
    for lot in session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query):
        if lot.sale_id is not None and lot.winner_user_id:
            groups.setdefault((lot.sale_id, lot.winner_user_id), []).append(lot)
    return groups


def plan(desk: Desk, sale_id: str | None = None) -> None:
    """Write down an invoice for every winner whose lots are ripe. A second run finds nothing left to plan.

    Raises:
        ServiceUnavailable: a winner's profile could not be read; those before are planned.
    """
    grace = timedelta(minutes=desk.settings.invoice_grace_minutes)
    with desk.record.read() as session:
        groups = [
            (key, [lot.id for lot in lots])
            for key, lots in won_lots(session, sale_id).items()
            if ripe(session, session.get_one(Sale, key[0]), lots, grace)
        ]
        winners = [user_id for (_, user_id), _ in groups]
        known = set(session.scalars(select(Buyer.basta_user_id).where(Buyer.basta_user_id.in_(winners))))
    if not groups:
        return
    rules = premiums(desk)
    for (sale_row, user_id), lot_ids in groups:
        profile = None if user_id in known else desk.basta.user(user_id)
        with desk.record.write() as session:
            buyer = session.scalars(select(Buyer).where(Buyer.basta_user_id == user_id)).one_or_none()
            if buyer is None:
                assert profile is not None
                buyer = Buyer(
                    basta_user_id=user_id,
                    name=profile.name or "Bidder",
                    email=profile.email,
                    created_at=now(),
                )
                session.add(buyer)
                session.flush()
            _freeze(session, desk, sale_row, buyer, lot_ids, rules)


def _freeze(
    session: Session, desk: Desk, sale_row: int, buyer: Buyer, lot_ids: list[int], rules: tuple[Premium, ...]
) -> None:
    """One invoice with its lines, in the transaction that takes the lots: no lot is ever on two."""
    query = select(Lot).where(Lot.id.in_(lot_ids), Lot.invoice_id.is_(None)).order_by(Lot.id)
    lots = list(session.scalars(query if desk.record.dialect == "sqlite" else query.with_for_update()))
    if not lots:
        return
    seq = session.execute(
        select(func.count()).select_from(Invoice).where(Invoice.sale_id == sale_row, Invoice.buyer_id == buyer.id)
    ).scalar_one()
    invoice = Invoice(
        sale_id=sale_row, buyer_id=buyer.id, seq=seq, status="PLANNED", total_cents=0, charges_tried=0,
        told_by_webhook=False, created_at=now(), due_at=_due(desk),
    )  # fmt: skip
    session.add(invoice)
    session.flush()
    for lot in lots:
        assert lot.winning_bid_cents
        lot.invoice_id = invoice.id
        premium = premium_cents(lot.winning_bid_cents, rules)
        for kind, cents in (("hammer", lot.winning_bid_cents), ("premium", premium)):
            if cents:
                what = lot.title if kind == "hammer" else f"Buyer's premium: {lot.title}"
                session.add(
                    InvoiceLine(
                        invoice_id=invoice.id,
                        lot_id=lot.id,
                        ref=f"{lot.id}:{kind}",
                        kind=kind,
                        description=what[:240],
                        cents=cents,
                        tax_cents=0,
                    )
                )
                invoice.total_cents += cents
    effects.plan(session, key_of(invoice), {"ref": desk.record.known_as(ref_of(invoice))}, invoice_id=invoice.id)


def refused_calls(session: Session, invoice: Invoice) -> list[Effect]:
    """Calls that were refused, and without which an invoice cannot be billed, or ended at its deadline."""
    needed = {"PLANNED": ("place", "basta-order", "invoice"), "OPEN": ("void",), "PAYMENT_FAILED": ("void",)}
    ours = (Effect.invoice_id == invoice.id) & Effect.kind.in_(needed.get(invoice.status, ()))
    if invoice.status == "PLANNED":
        ours |= Effect.key == f"customer:{invoice.buyer_id}"
    query = select(Effect).where(ours, Effect.state == State.REFUSED)
    return list(session.scalars(query.order_by(Effect.created_at, Effect.key)))


def _due(desk: Desk) -> datetime:
    return now() + timedelta(days=desk.settings.payment_deadline_days)


def ref_of(invoice: Invoice) -> str:
    """Our name for an invoice; Stripe keeps it in its metadata, with the record's name."""
    return f"{invoice.sale_id}:{invoice.buyer_id}:{invoice.seq}"


def key_of(invoice: Invoice) -> str:
    """The key of the effect that makes it."""
    return f"invoice:{ref_of(invoice)}"
