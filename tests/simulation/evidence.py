"""Promises that our record alone would keep by its word: what it says has become of a lot, the vendors must show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import select

from tasks.lots.models import Invoice, Lot
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tests.simulation.rehearsal import Rehearsal

BOUGHT = (LotStatus.CJ_PAID, LotStatus.SHIPPED, LotStatus.DELIVERED)


def _delivered_by_cj(stage: Rehearsal) -> Iterator[str]:
    orders = {order.number: order for order in stage.cj.orders if order.status != "CANCELLED"}
    for lot in stage.lots():
        order = orders.get(lot.cj_order_number)
        if lot.status in BOUGHT and (order is None or order.paid is None):
            yield f"lot {lot.id} is {lot.status}, and no order of it is paid at CJ"
        elif lot.status is LotStatus.DELIVERED and order is not None and order.delivered is None:
            yield f"lot {lot.id} is DELIVERED, and its order is {order.status}"


def _sent_to_the_winner(stage: Rehearsal) -> Iterator[str]:
    lots = {lot.cj_order_number: lot for lot in stage.lots() if lot.cj_order_number}
    leaders = {item.id: item.leader for item in stage.house.items}
    for order in stage.cj.orders:
        lot = lots.get(order.number)
        if lot is None or order.status == "CANCELLED":
            continue
        if [(line.vid, line.quantity) for line in order.lines] != [(lot.cj_vid, 1)]:
            yield f"order {order.number} is for something else than lot {lot.id}"
        winner = stage.world.people.get(leaders.get(lot.basta_item_id) or "")
        home = winner.address if winner else None
        if home is None or (order.address["line1"], order.address["zip"]) != (home.line1, home.postal_code):
            yield f"order {order.number} goes to somebody else than the winner of lot {lot.id}"


def _given_back_by_stripe(stage: Rehearsal) -> Iterator[str]:
    store, said = stage.bank.store, Counter[str]()
    for lot in stage.lots():
        if lot.refund_status == "SUCCEEDED" and lot.stripe_invoice_id:
            said[lot.stripe_invoice_id] += lot.refund_cents or 0
            if not lot.refund_cents:
                yield f"lot {lot.id} is refunded, and of no sum"
    for invoice_id, cents in said.items():
        charges = {
            store.intents[one["payment"]["payment_intent"]]["latest_charge"] for one in store.payments[invoice_id]
        }
        given = sum(
            row["amount"] for row in store.refunds.values() if row["charge"] in charges and row["status"] == "succeeded"
        )
        if given < cents:
            yield f"{cents} cents of invoice {invoice_id} are said to be given back, and Stripe gave {given}"


def _charged_for_an_invoice(stage: Rehearsal) -> Iterator[str]:
    """No money is taken but by an invoice's own payment."""
    store = stage.bank.store
    paying = {
        store.intents[one["payment"]["payment_intent"]]["latest_charge"]
        for payments in store.payments.values()
        for one in payments
    }
    for charge in store.charges.values():
        if charge["amount_captured"] and charge["id"] not in paying:
            yield f"charge {charge['id']} of {charge['amount_captured']} cents pays no invoice"


def _shown_at_basta(stage: Rehearsal) -> Iterator[str]:
    """An order stands as our effects say: paid, or cancelled, which comes last."""
    with stage.record.read() as session:
        done = select(Effect.invoice_id, Effect.kind).where(Effect.state.in_(("DONE", "ADOPTED")))
        did = {
            kind: set(session.scalars(done.where(Effect.kind == kind))) for kind in ("basta-payment", "basta-cancel")
        }
        for invoice in session.scalars(select(Invoice).where(Invoice.basta_order_id.is_not(None))):
            order = stage.house.orders.get(invoice.basta_order_id)
            paid = "PAID" if invoice.id in did["basta-payment"] else None
            meant = "CANCELLED" if invoice.id in did["basta-cancel"] else paid
            if order is None or (meant and order.status != meant):
                yield f"the order of invoice {invoice.id} is {order.status if order else 'gone'} at Basta"


def _something_was_made(stage: Rehearsal) -> Iterator[str]:
    """Where nothing is, all other promises are kept by nothing."""
    with stage.record.read() as session:
        if session.scalars(select(Lot.id).limit(1)).first() is None:
            yield "no lot was ever made"


EVIDENCE: dict[str, Callable[[Rehearsal], Iterator[str]]] = {
    "delivered is what CJ delivered": _delivered_by_cj,
    "sent to who won it": _sent_to_the_winner,
    "refunded is what Stripe gave back": _given_back_by_stripe,
    "charged by an invoice alone": _charged_for_an_invoice,
    "Basta shows what became of an order": _shown_at_basta,
    "something was made": _something_was_made,
}
