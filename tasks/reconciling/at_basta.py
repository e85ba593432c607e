"""Basta: sales and items by our mark, and winners' orders as our invoices stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients import basta as house
from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.manners import SETTLED, State
from tasks.lots.models import Buyer, Invoice, Lot, Sale
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.reconciling.finding import Finding, Tie, What, bears_our_mark, record_name

VENDOR = "Basta"
STATUSES = ("UNPUBLISHED", "PUBLISHED", "OPENED", "CLOSING", "PAUSED", "PROCESSING", "CLOSED")
LIVE = (LotStatus.LISTED, LotStatus.PUBLISHED)


def compare(at: Desk, since: datetime) -> tuple[list[Finding], list[Tie]]:
    """Page through the account's sales, and read those of ours that are open or recent, and their orders.

    Raises:
        ServiceUnavailable: Basta did not say.
    """
    theirs = list(at.basta.sales(*STATUSES))
    with at.record.read() as session:
        name = record_name(session)
        ours = {one.basta_sale_id: one for one in session.scalars(select(Sale)) if one.basta_sale_id}
        found = list(_sales(session, ours, theirs, name, since))
    for sale_id, sale in ours.items():
        if sale.status != "CLOSED" or sale.created_at >= since:
            items = at.basta.items(str(sale_id))
            with at.record.read() as session:
                found += _items(session, str(sale_id), items, name)
    with at.record.read() as session:
        invoices = list(session.scalars(select(Invoice).where(Invoice.created_at >= since)))
        buyers = {one.id: one for one in session.scalars(select(Buyer))}
    for buyer_id in sorted({one.buyer_id for one in invoices}):
        orders = at.basta.user_orders(buyers[buyer_id].basta_user_id)
        with at.record.read() as session:
            found += _orders(session, [one for one in invoices if one.buyer_id == buyer_id], orders)
    return found, []


def _sales(
    session: Session, ours: dict[str, Sale], theirs: Sequence[house.Sale], name: str, since: datetime
) -> Iterator[Finding]:
    marks = [one for one in theirs if bears_our_mark(name, "run-[0-9]+", one.external_id)]
    for mark, times in Counter(one.external_id for one in marks).items():
        if times > 1:
            yield Finding(VENDOR, What.DUPLICATE, str(mark), f"{times} sales of one sourcing run")
    asked = {
        effect.request.get("external_id")
        for effect in session.scalars(select(Effect).where(Effect.kind == "sale"))
        if effect.state not in SETTLED
    }
    for sale in marks:
        if sale.id not in ours and sale.external_id not in asked:
            text = f"sale {sale.external_id!r} is {sale.status} and on no record: close or cancel it at Basta"
            yield Finding(VENDOR, What.ORPHAN, sale.id, text)
    shown = {one.id for one in theirs}
    for sale_id, row in ours.items():
        if sale_id not in shown and row.created_at >= since:
            yield Finding(VENDOR, What.MISSING, str(sale_id), f"our sale {row.id} is not at Basta")


def _items(session: Session, sale_id: str, items: Sequence[house.Item], name: str) -> Iterator[Finding]:
    lots = {lot.basta_item_id: lot for lot in session.scalars(select(Lot).where(Lot.basta_sale_id == sale_id))}
    marks = [one for one in items if bears_our_mark(name, "lot-[0-9]+", one.external_id)]
    for mark, times in Counter(one.external_id for one in marks).items():
        if times > 1:
            yield Finding(VENDOR, What.DUPLICATE, str(mark), f"{times} items of one lot in sale {sale_id}")
    for item in items:
        if item.id not in lots and not _being_made(session, item, name):
            text = f"item {item.title!r} of sale {sale_id} is no lot's: remove it at Basta before it sells"
            yield Finding(VENDOR, What.ORPHAN, item.id, text)
        elif item.id in lots and lots[item.id].status is LotStatus.CANCELLED and not item.is_closed:
            whose = f"lot {lots[item.id].id}, which is CANCELLED"
            text = f"item {item.title!r} of sale {sale_id} is of {whose}: remove it at Basta before it sells"
            yield Finding(VENDOR, What.ORPHAN, item.id, text)
    shown = {one.id for one in items}
    for item_id, lot in lots.items():
        if item_id and item_id not in shown and lot.status in LIVE:
            yield Finding(VENDOR, What.MISSING, item_id, f"lot {lot.id} is {lot.status}, and its item is gone")


def _being_made(session: Session, item: house.Item, name: str) -> bool:
    mark = (item.external_id or "").removesuffix(f"-{name}" if name else "")
    return effects.state_of(session, mark.replace("lot-", "lot:", 1)) not in (None, *SETTLED)


def _orders(session: Session, invoices: Sequence[Invoice], orders: Sequence[house.Order]) -> Iterator[Finding]:
    by_id = {one.id: one for one in orders}
    alive = [one for one in orders if one.status != "CANCELLED"]
    for item, times in Counter(line.item_id for one in alive for line in one.lines).items():
        if times > 1:
            yield Finding(VENDOR, What.DUPLICATE, str(item), f"{times} living orders for one item")
    for invoice in invoices:
        if invoice.basta_order_id is None:
            continue
        order = by_id.get(invoice.basta_order_id)
        if order is None:
            text = f"the order of invoice {invoice.id} is not at Basta"
            yield Finding(VENDOR, What.MISSING, invoice.basta_order_id, text)
            continue
        for kind, status in (("basta-cancel", "CANCELLED"), ("basta-payment", "PAID")):
            state = effects.state_of(session, f"{kind}:{invoice.id}")
            if state in (State.DONE, State.ADOPTED):
                if order.status != status:
                    text = f"invoice {invoice.id}: Basta shows its order as {order.status}, not {status}"
                    yield Finding(VENDOR, What.BOOKS, order.id, text)
                break
