"""An invoice's way into the world: customer, Basta order, Stripe invoice, Basta's note of it, and the first charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.charging import charge
from tasks.clients import basta as house
from tasks.clients import stripe as bank
from tasks.clients.service import ServiceUnavailable
from tasks.desk import Desk
from tasks.invoicing.planning import key_of, ref_of
from tasks.lots import effects, incidents, restored
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.manners import Answer, Attempt, Came, Manner, Outcome, Resume
from tasks.lots.models import Buyer, Invoice, InvoiceLine, Lot, Sale
from tasks.lots.records import Effect
from tasks.noting import tell_basta
from tasks.rules.money import dollars
from tasks.settling import converge, lots_for_letter, refused_key, untaxed_key


class LinesDiffer(Exception):
    """An invoice from before a restore bills some of these lots and not others: nothing is made, a person must look."""


class LeaseLost(Exception):
    """This worker slept while it made the draft, and another made one meanwhile: what asks for money is the other."""


class TotalMismatch(Exception):
    """Stripe's sum is not ours: nothing is finalized, a person must look."""


def send(desk: Desk, invoice_id: int) -> str:
    """Bring one planned invoice to its buyer. Every step is an effect of its own; a second run does what is left.

    Raises:
        Unsettled: a vendor did not say.
    """
    bill = bill_of(desk, invoice_id)
    known = _customer(desk, bill)
    if known.came is not Came.DONE:
        return known.came.value
    customer = str(known.vendor_id)
    if desk.settings.automatic_tax and not _locate(desk, bill, customer):
        return "no address to tax"
    ordered = _basta_order(desk, bill)
    if ordered.came is not Came.DONE:
        return ordered.came.value
    has_card = knows_card(desk, bill.invoice, customer)
    outcome = desk.settle(key_of(bill.invoice), building(desk, bill, customer, has_card=has_card))
    if _told(desk, bill, "Stripe refuses", outcome).came is not Came.DONE:
        return outcome.came.value
    tell_basta(desk, invoice_id)
    if has_card:
        return charge(desk, invoice_id, tried=0)
    return converge(desk, invoice_id).lower()


@dataclass(frozen=True)
class Bill:
    """An invoice with all that is needed to write it: whose it is, of which sale, for what, and for which items."""

    invoice: Invoice
    buyer: Buyer
    sale: Sale
    lines: Sequence[InvoiceLine]
    items: Mapping[int, str]


def bill_of(desk: Desk, invoice_id: int) -> Bill:
    """One of our invoices, as our record has it."""
    with desk.record.read() as session:
        invoice = session.get_one(Invoice, invoice_id)
        sale = session.get_one(Sale, invoice.sale_id)
        lots = session.scalars(select(Lot).where(Lot.sale_id == sale.id))
        return Bill(
            invoice,
            session.get_one(Buyer, invoice.buyer_id),
            sale,
            list(session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id))),
            {lot.id: lot.basta_item_id or "" for lot in lots},
        )


def knows_card(desk: Desk, invoice: Invoice, customer: str) -> bool:
    """Whether an invoice is charged to a card on file; once it is out, that stands."""
    return desk.stripe.has_card(customer) if invoice.card_on_file is None else invoice.card_on_file


def _customer(desk: Desk, bill: Bill) -> Outcome:
    """The buyer's customer at Stripe: by e-mail, then by Basta's user id in the metadata, else a new one."""
    buyer = bill.buyer
    if buyer.stripe_customer_id:
        return Outcome(Came.DONE, str(buyer.stripe_customer_id))
    key = f"customer:{buyer.id}"
    with desk.record.write() as session:
        effects.plan(session, key, {"user_id": buyer.basta_user_id})
    return _told(desk, bill, "Stripe refuses the customer of", desk.settle(key, keeping_customer(desk, buyer)))


def _told(desk: Desk, bill: Bill, what: str, outcome: Outcome) -> Outcome:
    """What came of a call without which nobody is billed; that it was refused is told, for as long as it stands."""
    if outcome.came is Came.REFUSED:
        with desk.record.write() as session:
            if session.get_one(Invoice, bill.invoice.id).status == "PLANNED":  # else it was given up meanwhile
                incidents.report(session, _refused(bill, f"{what} invoice {bill.invoice.id}", outcome.error))
    return outcome


def customer_of(desk: Desk, buyer: Buyer) -> str | None:
    """The buyer's customer, as Stripe knows one; None when it does not."""
    found = desk.stripe.find_customers(buyer.email)
    ours = [one for one in found if one.basta_user_id == buyer.basta_user_id] or [
        one for one in found if one.basta_user_id is None
    ]
    return ours[0].id if ours else None


def keeping_customer(desk: Desk, buyer: Buyer) -> Manner:
    """How a buyer's customer is looked for, made and kept."""

    def look(_: Attempt) -> Answer | None:
        found = customer_of(desk, buyer)
        return Answer(found, {}) if found else None

    def act(attempt: Attempt) -> Answer:
        if found := look(attempt):
            return found
        made = desk.stripe.create_customer(
            email=buyer.email, name=buyer.name, basta_user_id=buyer.basta_user_id, key=attempt.vendor_key
        )
        return Answer(made.id, {})

    def record(session: Session, _: Attempt, answer: Answer) -> None:
        session.get_one(Buyer, buyer.id).stripe_customer_id = answer.vendor_id

    return Manner(look=look, act=act, record=record)


def _locate(desk: Desk, bill: Bill, customer: str) -> bool:
    """Tell Stripe where the parcel goes, as its tax depends on that; False while nobody knows."""
    invoice = bill.invoice
    where = desk.basta.user(bill.buyer.basta_user_id).shipping
    trouble = untaxed_key(invoice.id)
    with desk.record.write() as session:
        if where is None or not (where.country and where.postal_code):
            incidents.report(session, _nowhere(invoice, trouble))
            return False
        incidents.over(session, trouble)
        key = f"place:{invoice.id}{_again(session, invoice)}"
        effects.plan(session, key, {"customer": customer}, invoice_id=invoice.id)
    placed = desk.settle(key, placing(desk, bill.buyer))
    return _told(desk, bill, "Stripe refuses the address of", placed).ok


def _again(session: Session, invoice: Invoice) -> str:
    """Stripe is told anew where the buyer lives when an invoice that it refused is tried again: that may be mended."""
    made = session.get(Effect, key_of(invoice))
    return f":{made.generation - 1}" if made and made.generation > 1 else ""


def placing(desk: Desk, buyer: Buyer) -> Manner:
    """How a customer's address is seen at Stripe, and set there as Basta has it."""

    def look(attempt: Attempt) -> Answer | None:
        where, customer = desk.basta.user(buyer.basta_user_id).shipping, attempt.request["customer"]
        known = desk.stripe.customer(customer).shipping
        same = where and known and (known.line1, known.postal_code) == (where.line1, where.postal_code)
        return Answer(customer, {}) if same else None

    def act(attempt: Attempt) -> Answer:
        where, customer = desk.basta.user(buyer.basta_user_id).shipping, attempt.request["customer"]
        if where is None:
            raise ServiceUnavailable("Basta", "user", "the buyer's address is gone")
        parts = ("line1", "line2", "city", "state", "postal_code", "country")
        address = {part: getattr(where, part) for part in parts if getattr(where, part)}
        desk.stripe.locate_customer(customer, where.name or buyer.name, address, key=attempt.vendor_key)
        return Answer(customer, {})

    # To set an address twice is to set it once.
    return Manner(look=look, act=act, conclusive=True)


def _nowhere(invoice: Invoice, key: str) -> Trouble:
    return Trouble(
        key=key,
        alert="invoice-refused",
        severity="HIGH",
        title=f"Invoice {invoice.id} cannot be taxed: its buyer has no address",
        text="Stripe Tax needs the country and the postal code. Nothing is billed until the buyer gives them to Basta.",
        command="pipeline status",
        cents=invoice.total_cents,
    )


def _basta_order(desk: Desk, bill: Bill) -> Outcome:
    """The winner's order at Basta, made with all of the lines, and published."""
    invoice_id = bill.invoice.id
    key = f"basta-order:{invoice_id}"
    with desk.record.write() as session:
        effects.plan(session, key, {"sale_id": bill.sale.basta_sale_id}, invoice_id=invoice_id)
    made = _told(desk, bill, "Basta refuses the order of", desk.settle(key, ordering(desk, bill)))
    if made.came is Came.DONE:
        desk.settle(f"basta-publish:{invoice_id}", publishing(desk, bill.buyer))
    return made


def ordering(desk: Desk, bill: Bill) -> Manner:
    """How the winner's order is found again by its lines' items, made, and kept."""
    invoice, buyer, lines, items = bill.invoice, bill.buyer, bill.lines, bill.items
    wanted = {items[line.lot_id] for line in lines}
    sale_id = bill.sale.basta_sale_id or ""

    def look(_: Attempt) -> Answer | None:
        theirs = [one for one in desk.basta.user_orders(buyer.basta_user_id) if one.sale_id == sale_id]
        found = [one for one in theirs if {line.item_id for line in one.lines} & wanted]
        found.sort(key=lambda one: one.status == "CANCELLED")  # one that was made twice is cancelled
        return Answer(found[0].id, {"status": found[0].status}) if found else None

    def act(_: Attempt) -> Answer:
        order = desk.basta.create_order(sale_id, buyer.basta_user_id, bill.sale.title, _order_lines(lines, items))
        return Answer(order.id, {"status": order.status})

    def record(session: Session, _: Attempt, answer: Answer) -> None:
        session.get_one(Invoice, invoice.id).basta_order_id = answer.vendor_id
        given = {"order_id": answer.vendor_id}
        effects.plan(session, f"basta-publish:{invoice.id}", given, invoice_id=invoice.id)

    return Manner(look=look, act=act, record=record, undo=desk.basta.cancel_order)


def publishing(desk: Desk, buyer: Buyer) -> Manner:
    """How the order is seen to be published, and published."""

    def look(attempt: Attempt) -> Answer | None:
        order_id = attempt.request["order_id"]
        for order in desk.basta.user_orders(buyer.basta_user_id):
            if order.id == order_id and order.status != "DRAFT":
                return Answer(order_id, {"status": order.status})
        return None

    def act(attempt: Attempt) -> Answer:
        desk.basta.publish_order(attempt.request["order_id"])
        return Answer(attempt.request["order_id"], {"status": "OPEN"})

    return Manner(look=look, act=act, conclusive=True)


def _order_lines(lines: Sequence[InvoiceLine], items: Mapping[int, str]) -> list[house.NewLine]:
    hammers = [line for line in lines if line.kind == "hammer"]
    return [
        house.NewLine(
            item_id=items[line.lot_id],
            amount_cents=line.cents,
            description=line.description,
            fees=tuple((one.description, one.cents) for one in lines if one.lot_id == line.lot_id and one is not line),
        )
        for line in hammers
    ]


def building(desk: Desk, bill: Bill, customer: str, *, has_card: bool) -> Manner:
    """The Stripe invoice: draft, all lines in one write, compared, finalized. Killed anywhere, it goes on there."""
    invoice_id, lines, items = bill.invoice.id, bill.lines, bill.items

    def look(attempt: Attempt) -> Answer | Resume | None:
        found = desk.stripe.invoice_by_ref(customer, attempt.request["ref"]) or _of_lost_row(desk, customer, lines)
        if found is None:
            return None
        return Resume.HALF_BUILT if found.status == "draft" else _answer(desk, found)

    def act(attempt: Attempt) -> Answer:
        ref = attempt.request["ref"]
        draft = desk.stripe.invoice_by_ref(customer, ref) or _of_lost_row(desk, customer, lines)
        if draft is None:
            draft = desk.stripe.create_invoice(
                customer,
                ref,
                charge=has_card,
                days_until_due=round(desk.settings.payment_deadline_days),
                automatic_tax=desk.settings.automatic_tax,
                key=f"{attempt.vendor_key}:create",
            )
            if not attempt.held():
                raise LeaseLost(f"draft {draft.id} was made after the lease was over: it stays a draft")
        if draft.status == "draft":
            draft = _finish(desk, draft, attempt, lines, items)
        return _answer(desk, draft)

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        _keep(session, invoice_id, answer, has_card)
        incidents.over(session, refused_key(invoice_id))

    return Manner(look=look, act=act, record=record, deadline=90.0)


def _refused(bill: Bill, title: str, why: str | None) -> Trouble:
    lots = sorted({line.lot_id for line in bill.lines})
    which = "lot" if len(lots) == 1 else "lots"
    return Trouble(
        key=refused_key(bill.invoice.id),
        alert="invoice-refused",
        severity="HIGH",
        title=title,
        text=f"{why}. Nobody is billed for {which} {', '.join(map(str, lots))}, and no cycle tries it again by itself: "
        "mend the cause, then type the command.",
        command=f"pipeline lot retry {lots[0]}",
        lot_id=lots[0],
        cents=bill.invoice.total_cents,
    )


def _of_lost_row(desk: Desk, customer: str, lines: Sequence[InvoiceLine]) -> bank.Invoice | None:
    """In a record that was once restored: the invoice of a row that was lost, known by its lines, as its reference is.

    Raises:
        LinesDiffer: it bills other lots as well, or not all of these: a person must look.
    """
    with desk.record.read() as session:
        if not restored.ever(session):
            return None
    wanted = {line.ref for line in lines}
    for theirs in desk.stripe.invoices_of(customer):
        if theirs.status == "void" or not theirs.ref or not theirs.ref.endswith(desk.record.known_as("")):
            continue
        have = {line.ref for line in desk.stripe.lines(theirs.id)}
        if have == wanted:
            return theirs
        if have & wanted:
            raise LinesDiffer(f"invoice {theirs.id} bills {len(have & wanted)} of these {len(wanted)} lines, not all")
    return None


def _finish(
    desk: Desk, draft: bank.Invoice, attempt: Attempt, lines: Sequence[InvoiceLine], items: Mapping[int, str]
) -> bank.Invoice:
    have = {line.ref for line in desk.stripe.lines(draft.id)} if draft.subtotal_cents else set()
    missing = [
        bank.NewLine(
            ref=line.ref,
            lot_id=line.lot_id,
            item_id=items[line.lot_id],
            description=line.description,
            cents=line.cents,
        )
        for line in lines
        if line.ref not in have
    ]
    if missing:
        key = f"{attempt.vendor_key}:lines:{len(missing)}"
        draft = desk.stripe.add_lines(draft.id, missing, key=key, taxed=desk.settings.automatic_tax)
    ours = sum(line.cents for line in lines)
    for what, theirs in (("adds up", draft.subtotal_cents), ("comes without tax", draft.total_cents - draft.tax_cents)):
        if theirs != ours:
            there, here = dollars(theirs), dollars(ours)
            raise TotalMismatch(f"invoice {draft.id} {what} to {there} at Stripe, and to {here} here")
    return desk.stripe.finalize(draft.id, key=f"{attempt.vendor_key}:finalize")


def _answer(desk: Desk, invoice: bank.Invoice) -> Answer:
    lines = [[line.ref, line.id, line.tax_cents] for line in desk.stripe.lines(invoice.id)]
    facts = {"status": invoice.status, "url": invoice.hosted_url, "tax": invoice.tax_cents, "lines": lines}
    return Answer(invoice.id, facts)


def _keep(session: Session, invoice_id: int, answer: Answer, has_card: bool) -> None:
    """Stripe's ids on our rows, and the mail that tells the winner."""
    invoice = session.get_one(Invoice, invoice_id)
    invoice.stripe_invoice_id, invoice.stripe_status = answer.vendor_id, answer.facts["status"]
    invoice.hosted_url, invoice.tax_cents = answer.facts["url"], answer.facts["tax"]
    invoice.card_on_file, invoice.status, invoice.sent_at = has_card, "OPEN", now()
    theirs = {ref: (line_id, tax) for ref, line_id, tax in answer.facts["lines"]}
    lines = list(session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id)))
    for line in lines:
        if line.ref in theirs:
            line.stripe_line_id, line.tax_cents = theirs[line.ref]
    for lot in session.scalars(select(Lot).where(Lot.invoice_id == invoice_id)):
        lot.stripe_invoice_id = answer.vendor_id
    given = {"order_id": invoice.basta_order_id}
    effects.plan(session, f"basta-invoice:{invoice_id}", given, invoice_id=invoice_id)
    if has_card:
        effects.plan(session, f"pay:{invoice_id}:1", {"invoice": answer.vendor_id}, invoice_id=invoice_id)
    buyer = session.get_one(Buyer, invoice.buyer_id)
    letters.post(
        session,
        "auction_won",
        f"invoice-{invoice_id}",
        to=buyer.email,
        facts={
            "name": buyer.name,
            "lots": lots_for_letter(session, lines),
            "card_on_file": has_card,
            "total_cents": invoice.total_cents + (invoice.tax_cents or 0),
            "due": f"{invoice.due_at:%d %B %Y}",
            "link": invoice.hosted_url or "",
        },
        invoice_id=invoice_id,
    )


__all__ = ["TotalMismatch", "ref_of", "send"]
