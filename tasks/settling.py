"""Where webhook, poll and our own charge meet: one function reads an invoice at Stripe and makes our record true.

Nothing is believed but what Stripe says now. Running it again changes nothing.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.clients import stripe as vendor
from tasks.desk import Desk
from tasks.lots import effects, incidents, ledger
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.ledger import Kind
from tasks.lots.manners import UNSETTLED, Answer, State
from tasks.lots.models import Buyer, Invoice, InvoiceLine, Lot
from tasks.lots.moving import lock, move
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.rules.money import dollars

#: Why an invoice waits whose payment the buyer's bank disputes; `tasks.reversals` sets it and ends it.
DISPUTE = "dispute"
#: A hold: the operator wants the lot's order at CJ gone, which only a hand can do.
CANCEL_ASKED = "cancel asked"
#: A hold: the lot's order at CJ became too dear to be bought, and only a hand can delete it.
TOO_DEAR = "too dear"
#: A hold: CJ said no to the order's confirmation.
NOT_CONFIRMED = "not confirmed"
#: Words of Stripe after which an invoice is charged no more.
FINISHED = ("paid", "void", "uncollectible")
#: Lots in these statuses wait for their buyer's money.
UNPAID = (LotStatus.AUCTION_CLOSED, LotStatus.PAYMENT_FAILED)


def refused_key(invoice_id: int) -> str:
    """The incident of an invoice that is not billed, as a vendor refused a call without which it cannot be."""
    return f"invoice:{invoice_id}:refused"


def untaxed_key(invoice_id: int) -> str:
    """The incident of an invoice that is not billed, as nobody knows where its buyer lives."""
    return f"invoice:{invoice_id}:tax"


def not_voided_key(invoice_id: int) -> str:
    """The incident of an invoice that Stripe does not void, though its deadline has passed."""
    return f"invoice:{invoice_id}:not-voided"


def converge(desk: Desk, invoice_id: int, *, told_by_webhook: bool = False) -> str:
    """Read an invoice at Stripe, and bring our record up to it; our word for how it stands now.

    Raises:
        ServiceUnavailable, ServiceRefused: Stripe could not be read.
    """
    with desk.record.read() as session:
        ours = session.get_one(Invoice, invoice_id)
    if ours.stripe_invoice_id is None:
        return ours.status
    theirs = desk.stripe.invoice(ours.stripe_invoice_id)
    payments = desk.stripe.payments(theirs.id) if theirs.status == "paid" else ()
    notes = desk.stripe.credit_notes(theirs.id) if theirs.pre_credit_cents or theirs.post_credit_cents else ()
    with desk.record.write() as session:
        invoice = session.get_one(Invoice, invoice_id)
        invoice.stripe_status, invoice.hosted_url = theirs.status, theirs.hosted_url or invoice.hosted_url
        if theirs.status == "paid":
            mark_paid(session, invoice, payments, notes, told_by_webhook=told_by_webhook)
        elif theirs.status in ("void", "uncollectible"):
            mark_void(session, invoice, by_us=_voided_by_us(session, invoice_id))
        if theirs.status in FINISHED:
            incidents.over(session, not_voided_key(invoice_id))
            _settle_calls(session, invoice_id, theirs)
        return invoice.status


def _settle_calls(session: Session, invoice_id: int, theirs: vendor.Invoice) -> None:
    """What is decided at Stripe decides our calls of unknown fate: they are adopted, and planned ones dropped."""
    calls = select(Effect).where(Effect.invoice_id == invoice_id, Effect.kind.in_(("pay", "void")))
    for effect in session.scalars(calls.where(UNSETTLED)):
        began = effect.acted_at is not None  # also what was proven absent once: it may have landed late
        if began or not effects.drop(session, effect.key, f"the invoice is {theirs.status}"):
            effects.adopt(session, effect.key, answer_of(theirs), effect.request, invoice_id=invoice_id)


def mark_paid(
    session: Session,
    invoice: Invoice,
    payments: tuple[vendor.Payment, ...],
    notes: tuple[vendor.CreditNote, ...],
    *,
    told_by_webhook: bool = False,
) -> None:
    """The one way to PAID: per lot, its frozen lines uncredited, and covered by captured money.

    An invoice that reads "paid" by credits or a customer balance has captured nothing, and buys nothing. Money
    that comes for a lot we gave up plans its refund.
    """
    captured = sum(payment.amount_cents for payment in payments if payment.status == "paid")
    if invoice.status != "PAID":
        invoice.told_by_webhook = told_by_webhook
    invoice.paid_cents = captured
    if captured <= 0:
        invoice.status = "CREDITED"
        _nothing_captured(session, invoice, notes)
        return
    credited = _credited_lots(session, invoice.id, notes)
    lines = list(session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)))
    owed = sum(line.cents + line.tax_cents for line in lines if line.lot_id not in credited)
    if captured < owed:
        invoice.hold_reason = "underpaid"
        incidents.report(session, _underpaid(invoice, captured, owed))
        return
    first = invoice.status != "PAID"
    invoice.status = "PAID"
    if invoice.hold_reason != DISPUTE:
        invoice.hold_reason = None
    invoice.paid_at = invoice.paid_at or now()
    for payment in payments:
        invoice.payment_intent_id = payment.intent_id or invoice.payment_intent_id
        invoice.charge_id = payment.charge_id or invoice.charge_id
        _book_fee(session, invoice, payment)
    for line in lines:
        if line.lot_id not in credited:
            _book_line(session, invoice, line)
    for lot_id in sorted({line.lot_id for line in lines} - credited):
        lot = lock(session, lot_id)
        lot.paid_at = lot.paid_at or invoice.paid_at
        if lot.status in UNPAID:
            move(session, lot_id, LotStatus.PAID)
        elif lot.status is LotStatus.CANCELLED and lot.refund_status is None:
            lot.refund_status = "PLANNED"
            lot.error_message = "paid after it was given up: the buyer gets the money back"
    for lot_id in sorted(_given_back(notes)):
        _paid_and_given_back(session, invoice, [line for line in lines if line.lot_id == lot_id], lot_id)
    effects.plan(session, f"basta-payment:{invoice.id}", {"invoice_id": invoice.id}, invoice_id=invoice.id)
    if first:
        _thank(session, invoice, lines, captured)


def _given_back(notes: tuple[vendor.CreditNote, ...]) -> set[int]:
    """Lots to which a credit note of ours gave captured money back."""
    refs = [note.refund_ref or "" for note in notes if note.status == "issued" and note.post_payment_cents]
    return {int(ref.removeprefix("lot-")) for ref in refs if ref.removeprefix("lot-").isdecimal()}


def _paid_and_given_back(session: Session, invoice: Invoice, lines: list[InvoiceLine], lot_id: int) -> None:
    """A restored record knows nothing of a payment and a refund that both happened: the lot takes both hops."""
    if not lines or (lot := lock(session, lot_id)).status not in UNPAID or lot.refund_status is not None:
        return
    for line in lines:
        _book_line(session, invoice, line)
    lot.paid_at = invoice.paid_at
    session.flush()
    move(session, lot_id, LotStatus.PAID)
    lot.refund_status, lot.error_message = "PLANNED", "it was given back before the record was restored"


def mark_void(session: Session, invoice: Invoice, *, by_us: bool) -> None:
    """A void invoice ends its unpaid lots when we voided it; voided by somebody else, they wait for a person."""
    lots = session.scalars(select(Lot).where(Lot.invoice_id == invoice.id, Lot.status.in_(UNPAID)))
    if not by_us:
        if invoice.hold_reason != "voided_elsewhere":
            invoice.hold_reason = "voided_elsewhere"
            for lot in lots:
                lot.hold_reason = "voided_elsewhere"
                lot.error_message = (
                    "its invoice was voided in Stripe, not by this pipeline: cancel the lot, or invoice anew"
                )
            incidents.report(
                session,
                Trouble(
                    key=f"invoice:{invoice.id}:voided",
                    alert="invoice-voided",
                    severity="HIGH",
                    title=f"Invoice {invoice.stripe_invoice_id} was voided by somebody else",
                    text="Its lots wait: nothing is charged or bought for them until a person decides.",
                    command="pipeline status",
                    cents=invoice.total_cents,
                ),
            )
        return
    invoice.status = "VOID"
    for lot in lots:
        move(session, lot.id, LotStatus.CANCELLED, why="never paid: the invoice was voided at its deadline")
    if invoice.basta_order_id:
        effects.plan(session, f"basta-cancel:{invoice.id}", {"order_id": invoice.basta_order_id}, invoice_id=invoice.id)


def _voided_by_us(session: Session, invoice_id: int) -> bool:
    state = effects.state_of(session, f"void:{invoice_id}")
    return state is not None and state is not State.DROPPED


def _credited_lots(session: Session, invoice_id: int, notes: tuple[vendor.CreditNote, ...]) -> set[int]:
    """Lots whose own lines were credited."""
    credited = {line_id for note in notes if note.status == "issued" for line_id in note.line_ids}
    lines = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id))
    return {line.lot_id for line in lines if line.stripe_line_id in credited}


def _book_line(session: Session, invoice: Invoice, line: InvoiceLine) -> None:
    kind = Kind.HAMMER if line.kind == "hammer" else Kind.PREMIUM
    for fact, what, cents in ((f"line:{line.ref}", kind, line.cents), (f"tax:{line.ref}", Kind.TAX, line.tax_cents)):
        ledger.book(
            session,
            fact,
            what,
            cents,
            vendor="stripe",
            vendor_id=invoice.stripe_invoice_id or "",
            lot_id=line.lot_id,
            invoice_id=invoice.id,
        )


def _book_fee(session: Session, invoice: Invoice, payment: vendor.Payment) -> None:
    """Stripe's own fee, once its balance transaction is known; until then a later cycle asks again."""
    if payment.fee_cents is None or payment.balance_transaction_id is None:
        return
    invoice.fee_cents = payment.fee_cents
    ledger.book(
        session,
        f"fee:{payment.balance_transaction_id}",
        Kind.STRIPE_FEE,
        -payment.fee_cents,
        vendor="stripe",
        vendor_id=payment.balance_transaction_id,
        invoice_id=invoice.id,
    )


def _thank(session: Session, invoice: Invoice, lines: list[InvoiceLine], captured: int) -> None:
    buyer = session.get_one(Buyer, invoice.buyer_id)
    letters.post(
        session,
        "payment_received",
        f"invoice-{invoice.id}",
        to=buyer.email,
        facts={"name": buyer.name, "paid_cents": captured, "lots": lots_for_letter(session, lines)},
        invoice_id=invoice.id,
    )


def lots_for_letter(session: Session, lines: list[InvoiceLine]) -> list[dict[str, object]]:
    """What each lot costs its buyer in all, for a mail."""
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.lot_id] = sums.get(line.lot_id, 0) + line.cents + line.tax_cents
    return [{"title": session.get_one(Lot, lot_id).title, "cents": cents} for lot_id, cents in sorted(sums.items())]


def _nothing_captured(session: Session, invoice: Invoice, notes: tuple[vendor.CreditNote, ...]) -> None:
    """Lots that no credit note of their own ended are neither paid nor given up: a person must say which."""
    given_up = _credited_lots(session, invoice.id, notes)
    lots = session.scalars(select(Lot).where(Lot.invoice_id == invoice.id, Lot.status.in_(UNPAID)))
    waiting = [lot.id for lot in lots if lot.id not in given_up and lot.refund_status is None]
    if waiting:
        incidents.report(session, _credited(invoice, waiting))


def _credited(invoice: Invoice, lots: list[int]) -> Trouble:
    return Trouble(
        key=f"invoice:{invoice.id}:credited",
        alert="books",
        severity="HIGH",
        title=f"Invoice {invoice.stripe_invoice_id} reads paid, but nothing was captured",
        text=f"A credit at Stripe stands for the money. Cancel, or bill, lot {', '.join(map(str, lots))}.",
        command=f"pipeline lot cancel {lots[0]}",
        cents=invoice.total_cents,
    )


def _underpaid(invoice: Invoice, captured: int, owed: int) -> Trouble:
    return Trouble(
        key=f"invoice:{invoice.id}:underpaid",
        alert="books",
        severity="CRITICAL",
        title=f"Invoice {invoice.stripe_invoice_id} reads paid, but the money does not cover it",
        text=f"Captured {dollars(captured)} of {dollars(owed)}. Nothing is bought for it until a person decides.",
        command="pipeline status",
        cents=owed - captured,
    )


def adopt_customer(session: Session, buyer_id: int, customer_id: str) -> None:
    """Keep who a buyer is at Stripe."""
    session.get_one(Buyer, buyer_id).stripe_customer_id = customer_id


def answer_of(theirs: vendor.Invoice) -> Answer:
    """What an effect keeps of an invoice."""
    return Answer(theirs.id, {"status": theirs.status, "total": theirs.total_cents})


def book_order(session: Session, lot_id: int, order_id: str, facts: dict[str, object]) -> None:
    """What CJ took for an order: its goods, and all the rest as freight. Booked once, whoever learns of it."""
    lot = session.get_one(Lot, lot_id)
    amount = facts.get("amount_cents")
    total = amount if isinstance(amount, int) else lot.cj_amount_cents or 0
    goods_told = facts.get("goods_cents")
    goods = min(goods_told, total) if isinstance(goods_told, int) else min(lot.goods_cents, total)
    lot.cj_amount_cents = total
    ledger.book(session, f"goods:{order_id}", Kind.GOODS, -goods, vendor="cj", vendor_id=order_id, lot_id=lot_id)
    ledger.book(
        session, f"freight:{order_id}", Kind.FREIGHT, goods - total, vendor="cj", vendor_id=order_id, lot_id=lot_id
    )
