"""Refunding: a lot that cannot be delivered gives its buyer its own share back, to the cent, once."""

from __future__ import annotations

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from tasks import batching
from tasks.clients import stripe as bank
from tasks.clients.service import ServiceRefused
from tasks.desk import Desk, Unsettled, desk
from tasks.lots import effects, incidents, ledger
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.ledger import Kind
from tasks.lots.manners import SETTLED, Answer, Attempt, Came, Manner, State
from tasks.lots.models import Buyer, Invoice, InvoiceLine, Lot
from tasks.lots.moving import lock, move
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.retrying import ACTING, task
from tasks.reversals import adopt_reversals, bring_up, end_basta_order, living_order, refund_failed
from tasks.rules.money import dollars
from tasks.rules.refunds import Way, is_sound, share_cents, way_back
from tasks.settling import DISPUTE, refused_key, untaxed_key


class UnsoundRefund(Exception):
    """Stripe would give back more than the lot's share or the captured money; nothing was sent."""


UNDELIVERABLE = (LotStatus.CJ_OUT_OF_STOCK, LotStatus.CJ_PRICE_CHANGED)
REASONS = {
    LotStatus.CJ_OUT_OF_STOCK: "it went out of stock at the supplier",
    LotStatus.CJ_PRICE_CHANGED: "the supplier raised its price",
}


def lots_to_refund(sale_id: str | None = None) -> list[int]:
    """Lots that cannot be delivered, and refunds that are on their way; a batch above the limit waits for a yes."""
    with desk().record.read() as session:
        query = (
            select(Lot)
            .where(or_(Lot.status.in_(UNDELIVERABLE), Lot.refund_status.in_(("PLANNED", "PENDING"))))
            .order_by(Lot.id)
        )
        lots = list(session.scalars(query))
    # The batch is judged as a whole, also where only one sale is looked after.
    may_go = batching.allowed(desk(), lots)
    return [lot.id for lot in lots if lot.id in may_go and (sale_id is None or lot.basta_sale_id == sale_id)]


@task(task_run_name="refund {lot_id}", **ACTING)
def refund_lot(lot_id: int) -> str:
    """Give one lot's own share back, or follow a refund on its way. Running it again refunds nothing twice."""
    return refund(desk(), lot_id)


def refund(at: Desk, lot_id: int) -> str:
    """Refund a lot by a credit note on its own lines; how its refund stands.

    Raises:
        Unsettled, ServiceUnavailable: Stripe did not say.
    """
    with at.record.read() as session:
        lot = session.get_one(Lot, lot_id)
    if lot.refund_status == "PENDING":
        return follow(at, lot_id)
    way = _way(at, lot)
    if way in (Way.NOTHING_DUE, Way.OFF_THE_BILL):
        return _nothing_due(at, lot_id)
    if way is Way.WAIT:
        return _waits(at, lot)
    if frozen := _disputed(at, lot):
        return frozen
    if not _plan(at, lot_id):
        return "left alone"
    outcome = at.settle(f"refund:{lot_id}:1", giving_back(at, lot_id))
    if outcome.came is Came.REFUSED:
        return "refused"
    return follow(at, lot_id) if outcome.came is Came.DONE else outcome.came.value


def _way(at: Desk, lot: Lot) -> Way:
    if lot.invoice_id is None:
        return way_back(None, begun=False)
    with at.record.read() as session:
        invoice = session.get_one(Invoice, lot.invoice_id)
        buyer = session.get_one(Buyer, invoice.buyer_id)
        effect = session.get(Effect, f"invoice:{invoice.sale_id}:{invoice.buyer_id}:{invoice.seq}")
        ordered = effects.state_of(session, f"basta-order:{invoice.id}")
    begun = (effect is not None and effect.attempts > 0) or ordered in (State.IN_FLIGHT, State.UNKNOWN)
    if effect is not None and effect.state == State.REFUSED and invoice.status == "PLANNED":
        begun = _is_half_built(at, buyer, effect)
    return way_back(invoice.status, begun=begun)


def _waits(at: Desk, lot: Lot) -> str:
    with at.record.read() as session:
        invoice = session.get_one(Invoice, lot.invoice_id)
        made = effects.state_of(session, f"invoice:{invoice.sale_id}:{invoice.buyer_id}:{invoice.seq}")
    return "waits for its invoice" + (", whose draft is to be deleted at Stripe" if made is State.REFUSED else "")


def _is_half_built(at: Desk, buyer: Buyer, effect: Effect) -> bool:
    """Whether Stripe has, or may have, a draft of an invoice that it refused: only a person can delete that."""
    if effect.acted_at is None or buyer.stripe_customer_id is None:
        return False
    is_shown = at.stripe.invoice_by_ref(buyer.stripe_customer_id, effect.request["ref"]) is not None
    return is_shown or now() < effect.acted_at + at.quiet


def _nothing_due(at: Desk, lot_id: int) -> str:
    """The lot ends; an invoice that nobody outside heard of is written anew for its other lots."""
    with at.record.write() as session:
        lot = lock(session, lot_id)
        if lot.invoice_id is not None and not _off_the_bill(session, lot):
            return "left alone"
        lot.refund_status, lot.refund_cents = "NONE_DUE", 0
        move(session, lot_id, LotStatus.CANCELLED, why=lot.error_message or REASONS.get(lot.status))
    return "nothing due"


def _off_the_bill(session: Session, lot: Lot) -> bool:
    """Give the invoice's lots free for a new one; False when somebody began to build it meanwhile.

    Raises:
        Unsettled: its order at Basta may be made just now.
    """
    invoice = session.get_one(Invoice, lot.invoice_id)
    if invoice.status == "VOID":
        return True
    why = f"lot {lot.id} is given back before it was billed"
    key, ordered = f"invoice:{invoice.sale_id}:{invoice.buyer_id}:{invoice.seq}", f"basta-order:{invoice.id}"
    if not effects.drop(session, key, why, also_refused=True):
        return False
    if effects.state_of(session, ordered) not in (None, *SETTLED) and not effects.drop(session, ordered, why):
        raise Unsettled(ordered, "it is just being made at Basta")
    for told in (refused_key(invoice.id), untaxed_key(invoice.id)):
        incidents.over(session, told)
    if invoice.basta_order_id:
        given = {"order_id": invoice.basta_order_id}
        effects.plan(session, f"basta-cancel:{invoice.id}", given, invoice_id=invoice.id)
    session.execute(delete(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id))
    for other in session.scalars(select(Lot).where(Lot.invoice_id == invoice.id)):
        other.invoice_id = None
    invoice.status, invoice.total_cents = "VOID", 0
    return True


def _disputed(at: Desk, lot: Lot) -> str | None:
    """While the buyer's bank has the money, or for good, nothing is given back beside it; how that stands."""
    with at.record.read() as session:
        invoice = session.get_one(Invoice, lot.invoice_id)
    if invoice.status != "PAID" or invoice.stripe_invoice_id is None:
        return None
    if not any(payment.disputed for payment in at.stripe.payments(invoice.stripe_invoice_id)):
        return None
    adopt_reversals(at, invoice.id)
    with at.record.write() as session:
        if session.get_one(Lot, lot.id).refund_status == "LOST":
            return "lost to a dispute"
        if session.get_one(Invoice, invoice.id).hold_reason != DISPUTE:
            return None  # decided, and won
        incidents.report(session, _frozen(session.get_one(Lot, lot.id)))
    return "frozen by a dispute"


def _plan(at: Desk, lot_id: int) -> bool:
    """Write the refund down, only where CJ's order is proven absent, deleted or cancelled."""
    with at.record.write() as session:
        lot = lock(session, lot_id)
        if lot.invoice_id is None:
            return False
        invoice = session.get_one(Invoice, lot.invoice_id)
        if open_order := living_order(session, lot):
            incidents.report(session, _unproven(lot, open_order))
            return False
        key = f"refund:{lot_id}:1"
        stands = effects.state_of(session, key)
        if stands in SETTLED:  # another worker was quicker than what we read, and knows better how it stands
            return True
        if stands is None:
            lines = list(session.scalars(select(InvoiceLine).where(InvoiceLine.lot_id == lot_id)))
            request = {
                "invoice": invoice.stripe_invoice_id,
                "lines": {line.stripe_line_id: line.cents for line in lines},
                "share_cents": share_cents({line.ref: line.cents + line.tax_cents for line in lines}),
            }
            effects.plan(session, key, request, lot_id=lot_id, invoice_id=invoice.id)
        lot.refund_status = "PLANNED"
    return True


def giving_back(at: Desk, lot_id: int) -> Manner:
    """How a lot's credit note is looked for, made and booked."""
    ref = f"lot-{lot_id}"

    def look(attempt: Attempt) -> Answer | None:
        for note in at.stripe.credit_notes(attempt.request["invoice"]):
            if note.refund_ref == ref and note.status == "issued":
                return _answer(note)
        return None

    def act(attempt: Attempt) -> Answer:
        # The invoice's own state decides how much of the credit is captured money: it is asked just before.
        if found := look(attempt):
            return found
        invoice_id, lines = attempt.request["invoice"], attempt.request["lines"]
        cents = _previewed(at, attempt)
        try:
            note = at.stripe.credit(invoice_id, lines, refund_cents=cents, refund_ref=ref, key=attempt.vendor_key)
        except ServiceRefused:
            anew = _previewed(at, attempt)
            if anew == cents:
                raise
            # The buyer paid in between: what was due is captured now.
            key = f"{attempt.vendor_key}:paid"
            note = at.stripe.credit(invoice_id, lines, refund_cents=anew, refund_ref=ref, key=key)
        return _answer(note)

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        lot = lock(session, lot_id)
        refunds = answer.facts["refunds"]
        lot.refund_cents, lot.stripe_refund_id = answer.facts["cents"], refunds[0] if refunds else None
        lot.refund_status = "PENDING" if refunds else "NONE_DUE"
        _book(session, lot, answer)
        why = lot.error_message or REASONS.get(lot.status, "it cannot be delivered")
        move(session, lot_id, LotStatus.CANCELLED, why=f"refunded: {why}" if refunds else why)
        end_basta_order(session, lot)
        incidents.over(session, f"refund:unproven:{lot_id}")

    def refused(session: Session, attempt: Attempt, error: Exception) -> None:
        lot = lock(session, lot_id)
        lot.refund_status = "FAILED"
        incidents.report(session, refund_failed(lot, str(error)))

    return Manner(look=look, act=act, record=record, refused=refused)


def _previewed(at: Desk, attempt: Attempt) -> int:
    """How much captured money the credit would give back, in cents.

    Raises:
        UnsoundRefund: more than the lot's own share, or than what is left of the captured money.
    """
    request = attempt.request
    preview = at.stripe.preview_credit(request["invoice"], request["lines"])
    payments = at.stripe.payments(request["invoice"]) if preview.post_payment_cents else ()
    if not is_sound(
        preview.post_payment_cents,
        share_cents=request["share_cents"],
        captured_cents=sum(one.amount_cents for one in payments if one.status == "paid"),
        refunded_cents=sum(one.refunded_cents for one in payments),
    ):
        raise UnsoundRefund(f"{dollars(preview.post_payment_cents)} is more than may be given back for {attempt.key}")
    return preview.post_payment_cents


def _answer(note: bank.CreditNote) -> Answer:
    return Answer(note.id, {"refunds": list(note.refund_ids), "cents": note.post_payment_cents})


def _book(session: Session, lot: Lot, answer: Answer) -> None:
    if lot.paid_at is None:  # paid in part, and never wholly: what came in for it is booked with what goes back
        ledger.book(
            session,
            f"part:{answer.vendor_id}",
            Kind.HAMMER,
            answer.facts["cents"],
            vendor="stripe",
            vendor_id=str(answer.vendor_id),
            lot_id=lot.id,
            invoice_id=lot.invoice_id,
        )
    ledger.book(
        session,
        f"refund:{answer.vendor_id}",
        Kind.REFUND,
        -answer.facts["cents"],
        vendor="stripe",
        vendor_id=str(answer.vendor_id),
        lot_id=lot.id,
        invoice_id=lot.invoice_id,
    )


def follow(at: Desk, lot_id: int) -> str:
    """Read a refund on its way; the buyer is told when it has succeeded, and a person when it failed."""
    with at.record.read() as session:
        lot = session.get_one(Lot, lot_id)
    if lot.stripe_refund_id is None:
        return (lot.refund_status or "none").lower()
    theirs = at.stripe.refund(lot.stripe_refund_id)
    with at.record.write() as session:
        bring_up(session, lock(session, lot_id), theirs)
    return theirs.status


def _frozen(lot: Lot) -> Trouble:
    return Trouble(
        key=f"refund:disputed:{lot.id}",
        alert="dispute",
        severity="CRITICAL",
        title=f"The refund of lot {lot.id} is frozen by a dispute",
        text="The buyer's bank has the money: nothing is given back beside it until the dispute is decided.",
        command=f"pipeline lot show {lot.id}",
        lot_id=lot.id,
        cents=lot.winning_bid_cents,
    )


def _unproven(lot: Lot, key: str) -> Trouble:
    return Trouble(
        key=f"refund:unproven:{lot.id}",
        alert="refund-failed",
        severity="HIGH",
        title=f"Lot {lot.id} is to be refunded, but its CJ order may live",
        text=f"{key} is not proven to be without effect. Cancel the order at CJ; that is adopted, and then refunded.",
        command=f"pipeline lot show {lot.id}",
        lot_id=lot.id,
        cents=lot.winning_bid_cents,
    )
