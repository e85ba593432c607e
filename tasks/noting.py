"""What Basta's pages are told of a winner's order: its invoice, its payment, its end. Basta only records it."""

from __future__ import annotations

from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.manners import Answer, Attempt, Manner
from tasks.lots.models import Buyer, Invoice

#: The kinds of effect that tell Basta something, in the order in which it takes them.
NOTES = ("basta-invoice", "basta-payment", "basta-cancel")
SHOWN_AS = {"basta-payment": "PAID", "basta-cancel": "CANCELLED"}


def tell_basta(desk: Desk, invoice_id: int) -> None:
    """Let Basta show what is planned to be told of an invoice, and is not there yet.

    Raises:
        Unsettled: Basta did not say.
    """
    with desk.record.read() as session:
        invoice = session.get_one(Invoice, invoice_id)
        planned = [kind for kind in NOTES if effects.state_of(session, f"{kind}:{invoice_id}")]
    if invoice.basta_order_id is None:
        return
    for kind in planned:
        desk.settle(f"{kind}:{invoice_id}", telling(desk, invoice_id))


def telling(desk: Desk, invoice_id: int) -> Manner:
    """How a note is seen at Basta, and made there; where there is no order, nothing was told."""
    with desk.record.read() as session:
        invoice = session.get_one(Invoice, invoice_id)
        buyer = session.get_one(Buyer, invoice.buyer_id)
    order_id = invoice.basta_order_id

    def look(attempt: Attempt) -> Answer | None:
        if order_id is None:
            return None
        kind = attempt.key.split(":")[0]
        for order in desk.basta.user_orders(buyer.basta_user_id):
            if order.id != order_id:
                continue
            if kind == "basta-invoice" and order.invoice_id:
                return Answer(order.invoice_id, {})
            if order.status == SHOWN_AS.get(kind):
                return Answer(order.payment_id or order.id, {})
        return None

    def act(attempt: Attempt) -> Answer:
        assert order_id
        kind = attempt.key.split(":")[0]
        if kind == "basta-invoice":
            assert invoice.stripe_invoice_id
            assert invoice.due_at
            url = invoice.hosted_url or ""
            return Answer(desk.basta.record_invoice(order_id, invoice.stripe_invoice_id, url, invoice.due_at), {})
        if kind == "basta-payment":
            return Answer(desk.basta.record_payment(order_id), {})
        desk.basta.cancel_order(order_id)
        return Answer(order_id, {})

    return Manner(look=look, act=act)
