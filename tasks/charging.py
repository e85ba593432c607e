"""One charge of the card on file: an effect per business attempt, so that no invoice is charged twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.clients.stripe import ActionRequired, NoCard
from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.clock import now
from tasks.lots.manners import Answer, Attempt, Came, Manner
from tasks.lots.models import Buyer, Invoice, Lot
from tasks.lots.moving import move
from tasks.lots.states import LotStatus
from tasks.settling import converge


def charge(desk: Desk, invoice_id: int, tried: int) -> str:
    """Try the charge of an open invoice after so many that were declined, and bring our record up to what came of it.

    A no is the buyer's: the lots become PAYMENT_FAILED, the buyer is mailed, and the next try is planned. Where
    another worker made this attempt meanwhile, nothing is tried: the next one has a time of its own.

    Raises:
        Unsettled: Stripe did not say whether it charged.
    """
    with desk.record.read() as session:
        invoice = session.get_one(Invoice, invoice_id)
    key = f"pay:{invoice_id}:{tried + 1}"
    with desk.record.write() as session:
        if session.get_one(Invoice, invoice_id).charges_tried != tried:
            return "tried by another worker"
        giving_back = select(Lot.id).where(Lot.invoice_id == invoice_id, Lot.refund_status == "PLANNED")
        if session.execute(giving_back).first():
            return "waits for a credit"  # a lot leaves the bill: what it costs is not charged first
        effects.plan(session, key, {"invoice": invoice.stripe_invoice_id}, invoice_id=invoice_id)
    outcome = desk.settle(key, charging(desk, invoice_id))
    if outcome.came is Came.DONE:
        return converge(desk, invoice_id).lower()
    return outcome.came.value


def charging(desk: Desk, invoice_id: int) -> Manner:
    """How a charge is seen to be made, made, and what a no means."""

    def look(attempt: Attempt) -> Answer | None:
        # A paid invoice cannot be paid again, so what is not paid after the quiet time may be tried anew.
        theirs = desk.stripe.invoice(attempt.request["invoice"])
        return Answer(theirs.id, {"status": theirs.status}) if theirs.status != "open" else None

    def act(attempt: Attempt) -> Answer:
        paid = desk.stripe.pay(attempt.request["invoice"], key=attempt.vendor_key)
        return Answer(paid.id, {"status": paid.status})

    def refused(session: Session, _: Attempt, error: Exception) -> None:
        _declined(session, desk, invoice_id, error)

    return Manner(look=look, act=act, refused=refused)


def next_charge(desk: Desk, invoice: Invoice) -> datetime | None:
    """When the card is tried again: PAYMENT_RETRY_DAYS after the invoice went out; None after the last."""
    days = desk.settings.payment_retry_days
    if invoice.charges_tried > len(days):
        return None
    return (invoice.sent_at or now()) + timedelta(days=days[invoice.charges_tried - 1])


def _declined(session: Session, desk: Desk, invoice_id: int, error: Exception) -> None:
    invoice = session.get_one(Invoice, invoice_id)
    invoice.charges_tried += 1
    invoice.status = "PAYMENT_FAILED"
    needs_you = isinstance(error, ActionRequired)
    hopeless = needs_you or isinstance(error, NoCard)
    invoice.next_charge_at = None if hopeless else next_charge(desk, invoice)
    why = "the buyer must confirm the payment" if needs_you else str(error)
    lots = session.scalars(select(Lot).where(Lot.invoice_id == invoice_id, Lot.status == LotStatus.AUCTION_CLOSED))
    for lot in lots:
        move(session, lot.id, LotStatus.PAYMENT_FAILED, why=why)
    buyer = session.get_one(Buyer, invoice.buyer_id)
    letters.post(
        session,
        "payment_failed",
        f"invoice-{invoice_id}",
        to=buyer.email,
        n=invoice.charges_tried,
        facts={
            "name": buyer.name,
            "needs_you": needs_you,
            "tries_again": invoice.next_charge_at is not None,
            "total_cents": invoice.total_cents + (invoice.tax_cents or 0),
            "due": f"{invoice.due_at:%d %B %Y}",
            "link": invoice.hosted_url or "",
        },
        invoice_id=invoice_id,
    )
