"""Money that goes back without us: disputes, refunds made by hand in Stripe, and refunds that fail after all.

One function reads an invoice's payments and makes our record true, whoever learned of it: a webhook, the poll of
Stripe's events, a guard just before an order, or the nightly reconciliation. Running it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.clients import stripe as bank
from tasks.desk import Desk
from tasks.lots import effects, incidents, ledger, outbox
from tasks.lots.incidents import Trouble
from tasks.lots.ledger import Kind
from tasks.lots.manners import State
from tasks.lots.models import Buyer, Invoice, InvoiceLine, Lot
from tasks.lots.moving import hold, lock, move, release
from tasks.lots.records import LedgerEntry, OutboxMessage
from tasks.lots.states import LotStatus
from tasks.rules.money import dollars, split
from tasks.settling import DISPUTE

#: Why a lot of such a payment waits.
REFUNDED, LOST = "refunded elsewhere", "lost to a dispute"
#: Stripe's events of money that goes back. They are polled too, as webhooks get lost.
TOLD_OF = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "credit_note.created",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
#: Until its parcel is on its way, a lot can be held.
UNSHIPPED = (LotStatus.PAID, LotStatus.CJ_ORDERED, LotStatus.CJ_PAID)
GONE_BACK = ("PENDING", "SUCCEEDED", "LOST")
STANDS = {"succeeded": "SUCCEEDED", "failed": "FAILED", "canceled": "FAILED"}


def adopt_reversals(desk: Desk, invoice_id: int) -> None:
    """Read what went back of an invoice's payments, book it, and hold, free or end its lots accordingly.

    Raises:
        ServiceUnavailable: Stripe did not say.
    """
    with desk.record.read() as session:
        stripe_id = session.get_one(Invoice, invoice_id).stripe_invoice_id
    if stripe_id is None:
        return
    payments = desk.stripe.payments(stripe_id)
    intents = [one.intent_id for one in payments if one.intent_id and one.amount_cents]
    refunds = [refund for intent in intents for refund in desk.stripe.refunds(intent)]
    disputes = [dispute for intent in intents for dispute in desk.stripe.disputes(intent)]
    notes = desk.stripe.credit_notes(stripe_id) if refunds else ()
    with desk.record.write() as session:
        invoice = session.get_one(Invoice, invoice_id)
        for refund in sorted(refunds, key=lambda one: one.id):
            _adopt_refund(session, invoice, refund, notes)
        for dispute in disputes:
            _book_dispute(session, invoice, dispute)
        _follow_disputes(session, invoice, disputes)


# Refunds


def _adopt_refund(session: Session, invoice: Invoice, refund: bank.Refund, notes: Sequence[bank.CreditNote]) -> None:
    mine = list(session.scalars(select(Lot).where(Lot.stripe_refund_id == refund.id).order_by(Lot.id)))
    for lot in mine:
        bring_up(session, lot, refund)
    note = next((one for one in notes if refund.id in one.refund_ids), None)
    if mine:
        return
    if ref := refund.lot_ref or (note.refund_ref if note is not None else None):
        if refund.status not in ("failed", "canceled"):
            _remember(session, invoice, ref)
        return  # ours: its own effect records it
    if session.execute(select(LedgerEntry.id).where(LedgerEntry.vendor_id == refund.id)).first():
        return  # adopted before, for no lot in particular
    if refund.status in ("failed", "canceled"):
        return  # it came and went unseen: no cent moved
    shares = _shares_given_back(session, invoice, refund, note)
    for lot_id, cents in shares.items():
        _book_refund(session, invoice, refund, cents, lot_id)
        _give_up(session, lock(session, lot_id), refund, cents)
    if not shares:
        _book_refund(session, invoice, refund, refund.amount_cents, None)
        _hold_all(session, invoice, refund)


def _remember(session: Session, invoice: Invoice, ref: str) -> None:
    """A restored record knows nothing of a refund that it made in the lost time: planned again, it is found there.

    Until it is, nothing is bought for the lot.
    """
    number = ref.removeprefix("lot-")
    lot = session.get(Lot, int(number)) if number.isdecimal() else None
    if lot is None or lot.invoice_id != invoice.id:
        return
    lot = lock(session, lot.id)
    if lot.refund_status is None and effects.state_of(session, f"refund:{lot.id}:1") is None:
        lot.refund_status, lot.error_message = "PLANNED", "it was given back before the record was restored"


def _shares_given_back(
    session: Session, invoice: Invoice, refund: bank.Refund, note: bank.CreditNote | None
) -> dict[int, int]:
    """Whose money a refund made by hand was: all lots' that are left, or the one lot's whose share it is to the cent.

    Nothing when that cannot be told: then a person must say.
    """
    left = _shares_left(session, invoice)
    lines = select(InvoiceLine.lot_id).where(InvoiceLine.stripe_line_id.in_(note.line_ids if note else ()))
    named = set(session.scalars(lines)) & set(left)
    return _whose({lot: left[lot] for lot in named} or left, refund.amount_cents)


def _whose(left: dict[int, int], cents: int) -> dict[int, int]:
    if sum(left.values()) == cents:
        return left
    fits = [lot for lot, share in left.items() if share == cents]
    return {fits[0]: cents} if len(fits) == 1 else {}


def _shares_left(session: Session, invoice: Invoice) -> dict[int, int]:
    """What each lot of an invoice was billed, without those whose money went back already."""
    left: dict[int, int] = {}
    lines = select(InvoiceLine, Lot).join(Lot, Lot.id == InvoiceLine.lot_id).where(InvoiceLine.invoice_id == invoice.id)
    for line, lot in session.execute(lines.order_by(Lot.id)):
        if lot.refund_status not in GONE_BACK:
            left[lot.id] = left.get(lot.id, 0) + line.cents + line.tax_cents
    return left


def _book_refund(session: Session, invoice: Invoice, refund: bank.Refund, cents: int, lot_id: int | None) -> None:
    if invoice.status != "PAID":  # paid in part, and never wholly: what came in is booked with what goes back
        _book(session, f"part:{refund.id}:{lot_id or 0}", Kind.HAMMER, cents, invoice, refund.id, lot_id)
    _book(session, f"refund:{refund.id}:{lot_id or 0}", Kind.REFUND, -cents, invoice, refund.id, lot_id)


def _book(
    session: Session, fact: str, kind: Kind, cents: int, invoice: Invoice, vendor_id: str, lot_id: int | None = None
) -> None:
    ledger.book(session, fact, kind, cents, vendor="stripe", vendor_id=vendor_id, lot_id=lot_id, invoice_id=invoice.id)


def _give_up(session: Session, lot: Lot, refund: bank.Refund, cents: int) -> None:
    """A lot whose money a person gave back: not ordered any more; once ordered, a person is told."""
    effects.drop(session, f"refund:{lot.id}:1", "refunded by hand in Stripe")
    lot.refund_cents, lot.stripe_refund_id = cents, refund.id
    lot.refund_status = "PENDING"
    _end(session, lot, "refunded by hand in Stripe")
    bring_up(session, lot, refund)
    if lot.status in UNSHIPPED:
        hold(session, lot.id, REFUNDED, "refunded by hand in Stripe, and its order at CJ lives")
        incidents.report(session, _order_lives(lot, "was refunded by hand"))
    elif lot.status is not LotStatus.CANCELLED:
        outbox.note(
            session,
            "dropship.refund.by-hand",
            alert="refund",
            severity="HIGH",
            title=f"Lot {lot.id} was refunded by hand, and its parcel is {lot.status.lower()}",
            text="The refund is booked; nothing else is left to do here.",
            lot_id=lot.id,
            cents=cents,
        )


def _hold_all(session: Session, invoice: Invoice, refund: bank.Refund) -> None:
    for lot in session.scalars(select(Lot).where(Lot.invoice_id == invoice.id, Lot.status.in_(UNSHIPPED[:2]))):
        hold(
            session, lot.id, REFUNDED, f"{dollars(refund.amount_cents)} of its invoice were refunded by hand in Stripe"
        )
    incidents.report(
        session,
        Trouble(
            key=f"refund:by-hand:{refund.id}",
            alert="refund",
            severity="HIGH",
            title=f"{dollars(refund.amount_cents)} of invoice {invoice.stripe_invoice_id} were refunded by hand",
            text="It is no lot's own share, so it is booked on the invoice. Unordered lots wait: retry or refund them.",
            command="pipeline status",
            cents=refund.amount_cents,
        ),
    )


def bring_up(session: Session, lot: Lot, theirs: bank.Refund) -> None:
    """Bring a lot up to its refund: its buyer is told when the money went back, a person when it did not."""
    stands = STANDS.get(theirs.status, "PENDING")
    if stands == lot.refund_status or lot.refund_status not in ("PENDING", "SUCCEEDED"):
        return
    lot.refund_status = stands
    if stands == "SUCCEEDED" and lot.status is LotStatus.CANCELLED:
        _mail(session, lot)
    if stands == "FAILED":
        invoice = session.get_one(Invoice, lot.invoice_id)
        back = lot.refund_cents or 0
        _book(session, f"refund-failed:{theirs.id}:{lot.id}", Kind.REFUND_FAILED, back, invoice, theirs.id, lot.id)
        incidents.report(session, refund_failed(lot, theirs.failure_reason or theirs.status))


def _mail(session: Session, lot: Lot) -> None:
    invoice = session.get_one(Invoice, lot.invoice_id)
    buyer = session.get_one(Buyer, invoice.buyer_id)
    reason = (lot.error_message or "it cannot be delivered").removeprefix("refunded: ")
    letters.post(
        session,
        "order_refunded",
        f"lot-{lot.id}",
        to=buyer.email,
        facts={"name": buyer.name, "title": lot.title, "reason": reason, "refund_cents": lot.refund_cents or 0},
        lot_id=lot.id,
    )


def refund_failed(lot: Lot, why: str) -> Trouble:
    """A refund that did not reach its buyer."""
    return Trouble(
        key=f"refund:failed:{lot.id}",
        alert="refund-failed",
        severity="CRITICAL",
        title=f"The refund of lot {lot.id} failed",
        text=f"{why}. No second one is made by itself: pay the buyer {dollars(lot.refund_cents or 0)} another way.",
        command=f"pipeline lot show {lot.id}",
        lot_id=lot.id,
        cents=lot.refund_cents,
    )


# Disputes


def _book_dispute(session: Session, invoice: Invoice, dispute: bank.Dispute) -> None:
    """What the dispute moved on our balance, movement by movement: the lots bear it by their shares."""
    for movement in dispute.movements:
        if session.execute(select(LedgerEntry.id).where(LedgerEntry.vendor_id == movement.id)).first():
            continue
        left = _shares_left(session, invoice)
        shares = _whose(left, abs(movement.amount_cents)) or left
        for lot_id, cents in zip(
            shares, split(movement.amount_cents, list(shares.values())) if shares else (), strict=True
        ):
            _book(session, f"dispute:{movement.id}:{lot_id}", Kind.DISPUTE, cents, invoice, movement.id, lot_id)
        if not shares:
            _book(session, f"dispute:{movement.id}", Kind.DISPUTE, movement.amount_cents, invoice, movement.id)
        _book(session, f"dispute-fee:{movement.id}", Kind.DISPUTE_FEE, -movement.fee_cents, invoice, movement.id)


def _follow_disputes(session: Session, invoice: Invoice, disputes: Sequence[bank.Dispute]) -> None:
    lots = list(session.scalars(select(Lot).where(Lot.invoice_id == invoice.id).order_by(Lot.id)))
    for dispute in disputes:
        if dispute.is_open:
            incidents.report(session, _disputed(invoice, dispute, lots))
        elif _tell_decision(session, invoice, dispute) and dispute.status == "lost":
            _lose(session, invoice, dispute)
    held = any(one.is_open for one in disputes)
    if held:
        invoice.hold_reason = DISPUTE
    elif invoice.hold_reason == DISPUTE:
        invoice.hold_reason = None
    for lot in lots:
        if held and lot.status in UNSHIPPED and lot.hold_reason != DISPUTE:
            hold(session, lot.id, DISPUTE, "the buyer's bank disputes the payment: nothing is bought or given back")
        elif not held:
            release(session, lot.id, DISPUTE)
            incidents.over(session, f"refund:disputed:{lot.id}")


def _lose(session: Session, invoice: Invoice, dispute: bank.Dispute) -> None:
    """The money is the buyer's for good: the lots that it was for end, unless their goods are on their way."""
    left = _shares_left(session, invoice)
    whose = _whose(left, dispute.amount_cents)
    for lot_id in whose or left:
        lot = lock(session, lot_id)
        if whose:
            effects.drop(session, f"refund:{lot.id}:1", LOST)
            lot.refund_status = "LOST"
            _end(session, lot, LOST)
        if lot.status in UNSHIPPED:
            hold(session, lot.id, LOST, f"{dollars(dispute.amount_cents)} of its invoice were lost to a dispute")
            incidents.report(session, _order_lives(lot, "was lost to a dispute"))


def _tell_decision(session: Session, invoice: Invoice, dispute: bank.Dispute) -> bool:
    """Tell how it was decided; False when that was told before."""
    incidents.over(session, f"dispute:{dispute.id}")
    event = f"dropship.dispute.{dispute.status.replace('_', '-')}"
    known = select(OutboxMessage).where(OutboxMessage.event == event)
    if any(one.payload.get("key") == f"dispute:{dispute.id}:decided" for one in session.scalars(known)):
        return False
    outbox.note(
        session,
        event,
        alert="dispute",
        key=f"dispute:{dispute.id}:decided",
        severity="HIGH" if dispute.status == "lost" else "INFO",
        title=f"The dispute over invoice {invoice.stripe_invoice_id} is {dispute.status.replace('_', ' ')}",
        text=f"It moved {dollars(dispute.balance_cents)} on our balance at Stripe in all; that is booked.",
        cents=dispute.amount_cents,
    )
    return True


def _disputed(invoice: Invoice, dispute: bank.Dispute, lots: Sequence[Lot]) -> Trouble:
    until = f"{dispute.due_by:%d %B %Y, %H:%M} UTC" if dispute.due_by else "the day that Stripe names"
    shipped = [str(lot.id) for lot in lots if lot.status in (LotStatus.CJ_PAID, LotStatus.SHIPPED, LotStatus.DELIVERED)]
    goods = f" The goods of lot {', '.join(shipped)} are bought already." if shipped else ""
    return Trouble(
        key=f"dispute:{dispute.id}",
        alert="dispute",
        severity="CRITICAL",
        title=f"The payment of invoice {invoice.stripe_invoice_id} is disputed",
        text=f"Answer it in Stripe with evidence before {until}. Nothing is bought or refunded until then.{goods}",
        command="pipeline status",
        cents=dispute.amount_cents,
    )


# Ends


def _end(session: Session, lot: Lot, why: str) -> None:
    """Cancel a lot of which CJ has no living order; the Basta order ends with its last lot."""
    unordered = (LotStatus.PAID, LotStatus.CJ_ORDERED, LotStatus.CJ_OUT_OF_STOCK, LotStatus.CJ_PRICE_CHANGED)
    if lot.status in unordered and living_order(session, lot) is None:
        move(session, lot.id, LotStatus.CANCELLED, why=why)
        end_basta_order(session, lot)


def living_order(session: Session, lot: Lot) -> str | None:
    """Which effect at CJ is not proven to be without a living order; None when all are. Planned ones are dropped."""
    if lot.cj_status == "CANCELLED":
        return None
    for effect in effects.of_lot(session, lot.id, "cj-order", "cj-confirm", "cj-pay"):
        if effect.state in (State.REFUSED, State.DROPPED):
            continue
        if effect.state == State.PLANNED and effects.drop(session, effect.key, "the lot is given back"):
            continue
        return effect.key
    return None


def end_basta_order(session: Session, lot: Lot) -> None:
    """Basta's order ends only when every lot of the invoice has."""
    others = session.scalars(select(Lot).where(Lot.invoice_id == lot.invoice_id, Lot.id != lot.id))
    if all(other.status is LotStatus.CANCELLED for other in others) and lot.invoice_id is not None:
        invoice = session.get_one(Invoice, lot.invoice_id)
        given = {"order_id": invoice.basta_order_id}
        effects.plan(session, f"basta-cancel:{invoice.id}", given, invoice_id=invoice.id)
        incidents.over(session, f"invoice:{invoice.id}:credited")


def _order_lives(lot: Lot, what: str) -> Trouble:
    return Trouble(
        key=f"order-lives:lot:{lot.id}",
        alert="refund",
        severity="CRITICAL",
        title=f"Lot {lot.id} {what}, and CJ has its order",
        text="It is not paid by this pipeline any more. Cancel it at CJ while that is possible: that is adopted.",
        command=f"pipeline lot show {lot.id}",
        lot_id=lot.id,
        cents=lot.cj_amount_cents,
    )
