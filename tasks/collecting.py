"""Collecting: open invoices are read, charged again, reminded of, and voided at their deadline."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.charging import charge
from tasks.clients.service import ServiceUnavailable
from tasks.desk import Desk, desk
from tasks.lots import effects, inbox, incidents, leases, pauses
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.manners import UNSETTLED, Answer, Attempt, Came, Manner
from tasks.lots.models import Buyer, Invoice, Lot, Sale
from tasks.lots.records import Effect, InboxEvent
from tasks.noting import NOTES, tell_basta
from tasks.retrying import ACTING, run_logger, task
from tasks.reversals import TOLD_OF, adopt_reversals
from tasks.settling import DISPUTE, converge, not_voided_key

OPEN = ("OPEN", "PAYMENT_FAILED")
#: Seconds that our clock may go ahead of Stripe's.
CLOCKS_DIFFER = 3_600
#: Events are asked for since the last finished cycle and a day before; Stripe keeps them for 30 days.
OVERLAP, STRIPE_KEEPS = timedelta(days=1), timedelta(days=30)


def _told(session: Session) -> dict[int, list[InboxEvent]]:
    """Waiting Stripe events by the invoice they are about; those about none of ours are done with."""
    found: dict[int, list[InboxEvent]] = {}
    for event in inbox.waiting(session, "stripe", inbox.ASKED):
        row = session.scalars(_named_by(event)).first()
        found.setdefault(row.id if row else 0, []).append(event)
    return found


def fetch_events(at: Desk) -> None:
    """Ask Stripe for what went back lately, as webhooks may all be lost; it waits in the inbox beside theirs."""
    with at.record.read() as session:
        if session.execute(select(Invoice.id).where(Invoice.paid_at.is_not(None)).limit(1)).first() is None:
            return
        before = leases.last_finished(session, "processing")
    since = max(min(before or now(), now()) - OVERLAP, now() - STRIPE_KEEPS)
    try:
        events = at.stripe.events(TOLD_OF, int(since.timestamp()))
    except ServiceUnavailable as error:
        run_logger().warning("what went back is asked again next cycle: %s", error)
        return
    with at.record.read() as session:
        known = inbox.known(session, [event.id for event in events], "stripe", inbox.ASKED)
    for event in reversed(events):
        if event.id not in known:
            inbox.receive(at.record, inbox.ASKED, event.id, event.type, event.model_dump(exclude={"id", "type"}))


def _named_by(event: InboxEvent) -> Select[tuple[Invoice]]:
    told = event.payload
    return select(Invoice).where(
        or_(
            Invoice.stripe_invoice_id == (told.get("invoice_id") or "-"),
            Invoice.payment_intent_id == (told.get("intent_id") or "-"),
            Invoice.charge_id == (told.get("charge_id") or "-"),
        )
    )


def invoices_told(sale_id: str | None = None) -> list[int]:
    """Invoices that Stripe told something of, since they were last read."""
    with desk().record.read() as session:
        told = _told(session)
    if strangers := told.pop(0, []):
        with desk().record.write() as session:
            inbox.handled(session, *(event.id for event in strangers))
    return sorted(told)


def invoices_due(sale_id: str | None = None) -> list[int]:
    """Invoices that Stripe told of, or shows as open no more, or whose age asks for something; disputed ones, and paid
    ones whose fee or Basta's note is still missing. One that waits for its buyer is read with all others in one call.
    """
    at = desk()
    fetch_events(at)
    told = invoices_told(sale_id)
    with at.record.read() as session:
        query = select(Invoice).where(
            Invoice.stripe_invoice_id.is_not(None),
            or_(
                Invoice.status.in_(OPEN),
                Invoice.hold_reason == DISPUTE,
                (Invoice.status == "PAID") & Invoice.fee_cents.is_(None),
            ),
        )
        if sale_id:
            query = query.join(Sale, Sale.id == Invoice.sale_id).where(Sale.basta_sale_id == sale_id)
        found = list(session.scalars(query))
        waiting = [invoice for invoice in found if _only_waits(at, session, invoice)]
        notes = select(Effect.invoice_id).where(Effect.kind.in_(NOTES), UNSETTLED)
        noted = {one for one in session.scalars(notes) if one is not None}
    due = {invoice.id for invoice in found} - _still_open(at, waiting)
    return sorted(due | noted | set(told))


def _only_waits(at: Desk, session: Session, invoice: Invoice) -> bool:
    """Whether nothing is to be done for an invoice while Stripe shows it as open."""
    if invoice.status not in OPEN or invoice.hold_reason or invoice.sent_at is None or invoice.due_at is None:
        return False
    if invoice.card_on_file and invoice.charges_tried == 0:
        return False
    moments = [invoice.due_at, *([invoice.next_charge_at] if invoice.next_charge_at else [])]
    if effects.state_of(session, f"mail:payment_reminder:invoice-{invoice.id}:1") is None:
        moments.append(invoice.sent_at + timedelta(days=at.settings.payment_reminder_days))
    return now() < min(moments)


def _still_open(at: Desk, waiting: list[Invoice]) -> set[int]:
    """Those that Stripe lists as open; none when it does not say, and each is then read by itself."""
    if len(waiting) < 2:
        return set()
    try:
        listed = at.stripe.open_invoices(
            int(min(invoice.created_at for invoice in waiting).timestamp()) - CLOCKS_DIFFER
        )
    except ServiceUnavailable as error:
        run_logger().warning("open invoices could not be listed, each is read: %s", error)
        return set()
    return {invoice.id for invoice in waiting if invoice.stripe_invoice_id in listed}


@task(task_run_name="collect invoice {invoice_id}", **ACTING)
def collect(invoice_id: int) -> str:
    """Read one invoice at Stripe, and do what its age asks for. Running it again charges nothing twice."""
    return look_after(desk(), invoice_id)


def look_after(at: Desk, invoice_id: int) -> str:
    """Converge, then charge, remind or void, as its time has come; where the invoice stands.

    Raises:
        Unsettled, ServiceUnavailable: a vendor did not say.
    """
    with at.record.read() as session:
        events = _told(session).get(invoice_id, [])
    went_back = any(event.type in TOLD_OF for event in events)
    status = converge(at, invoice_id, told_by_webhook=any(event.type not in TOLD_OF for event in events))
    with at.record.read() as session:
        disputed = session.get_one(Invoice, invoice_id).hold_reason == DISPUTE
    if went_back or disputed:
        adopt_reversals(at, invoice_id)
    with at.record.write() as session:
        inbox.handled(session, *(event.id for event in events))
    if status in OPEN:
        status = _age(at, invoice_id, status)
    tell_basta(at, invoice_id)
    return status.lower()


def _age(at: Desk, invoice_id: int, status: str) -> str:
    with at.record.read() as session:
        invoice = session.get_one(Invoice, invoice_id)
        charging = not pauses.paused(session, "charging")
    if invoice.hold_reason or invoice.sent_at is None or invoice.due_at is None:
        return status
    if now() >= invoice.due_at:
        return _void(at, invoice)
    if invoice.next_charge_at and now() >= invoice.next_charge_at and charging:
        charge(at, invoice_id, invoice.charges_tried)
        return converge(at, invoice_id)
    started = invoice.status == "OPEN" and invoice.card_on_file and invoice.charges_tried == 0
    if started and charging:
        charge(at, invoice_id, invoice.charges_tried)  # a first charge that nobody saw the end of
        return converge(at, invoice_id)
    if now() >= invoice.sent_at + timedelta(days=at.settings.payment_reminder_days):
        with at.record.write() as session:
            _remind(session, session.get_one(Invoice, invoice_id))
    return status


def _remind(session: Session, invoice: Invoice) -> None:
    buyer = session.get_one(Buyer, invoice.buyer_id)
    letters.post(
        session,
        "payment_reminder",
        f"invoice-{invoice.id}",
        to=buyer.email,
        facts={
            "name": buyer.name,
            "total_cents": invoice.total_cents + (invoice.tax_cents or 0),
            "due": f"{invoice.due_at:%d %B %Y}",
            "link": invoice.hosted_url or "",
        },
        invoice_id=invoice.id,
    )


def _void(at: Desk, invoice: Invoice) -> str:
    """Void first; the lots end only when the invoice reads void. If it reads paid, it is paid."""
    with at.record.write() as session:
        effects.plan(session, f"void:{invoice.id}", {"invoice": invoice.stripe_invoice_id}, invoice_id=invoice.id)
    outcome = at.settle(f"void:{invoice.id}", voiding(at))
    status = converge(at, invoice.id)
    if outcome.came is Came.REFUSED and status in OPEN:
        with at.record.write() as session:
            lots = session.scalars(select(Lot.id).where(Lot.invoice_id == invoice.id).order_by(Lot.id))
            incidents.report(session, _not_voided(invoice, list(lots), outcome.error))
    return status


def _not_voided(invoice: Invoice, lots: list[int], why: str | None) -> Trouble:
    return Trouble(
        key=not_voided_key(invoice.id),
        alert="invoice-refused",
        severity="HIGH",
        title=f"Stripe does not void invoice {invoice.id}, whose deadline has passed",
        text=f"{why}. Its buyer may still pay it, and else nothing ends lot {', '.join(map(str, lots))}. The command "
        "has it voided once more; pipeline lot cancel takes a lot off the bill.",
        command=f"pipeline lot retry {lots[0]}",
        lot_id=lots[0],
        cents=invoice.total_cents,
    )


def voiding(at: Desk) -> Manner:
    """How an invoice is seen to be open no more, and voided."""

    def look(attempt: Attempt) -> Answer | None:
        theirs = at.stripe.invoice(attempt.request["invoice"])
        return None if theirs.status == "open" else Answer(theirs.id, {"status": theirs.status})

    def act(attempt: Attempt) -> Answer:
        voided = at.stripe.void(attempt.request["invoice"], key=attempt.vendor_key)
        return Answer(voided.id, {"status": "void"})

    return Manner(look=look, act=act)
