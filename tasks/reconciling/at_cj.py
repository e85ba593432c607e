"""CJ: every order of ours once, and what it took for each. All of it by endpoints that cost no points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.cj import Order, OrderStatus
from tasks.clients.service import ServiceRefused
from tasks.desk import Desk
from tasks.lots import effects, ledger
from tasks.lots.ledger import Kind
from tasks.lots.manners import State
from tasks.lots.models import Lot
from tasks.lots.states import FINAL, LotStatus
from tasks.pursing import look_into
from tasks.reconciling.finding import Finding, Tie, What, bears_our_mark, record_name
from tasks.reconciling.unshown import unshown
from tasks.tracking import apply

VENDOR = "CJ"
BATCH, PAGES = 100, 5
NUMBER = "HS-[0-9]+"
#: Words under which CJ lists orders; a list needs one, and its newest pages are read.
LISTED = ("CREATED", "UNPAID", "UNSHIPPED", "SHIPPED", "DELIVERED")
#: A lot whose order may be unpaid.
BUYING = (LotStatus.PAID, LotStatus.CJ_ORDERED)
#: Words of 2026, which older accounts may refuse.
NEWER = ("PENDING", "PROCESSING")


def compare(at: Desk, since: datetime) -> tuple[list[Finding], list[Tie]]:
    """Read our recent orders in hundreds, and list what else bears our mark.

    Raises:
        ServiceUnavailable: CJ did not say.
    """
    with at.record.read() as session:
        lots = {
            str(lot.cj_order_number): lot
            for lot in session.scalars(select(Lot).where(Lot.cj_order_number.is_not(None)).order_by(Lot.id))
        }
    recent = [number for number, lot in lots.items() if lot.updated_at >= since or lot.status not in FINAL]
    orders = [
        order
        for start in range(0, len(recent), BATCH)
        for order in at.cj.orders(recent[start : start + BATCH])
        if order.number in lots
    ]
    with at.record.write() as session:
        for order in orders:  # what the poll has not seen yet is adopted as it would
            apply(session, lots[str(order.number)].id, order)
    look_into(at)  # after the orders: who is owed a credit is known now
    listed = list(_listed(at))
    tie = Tie(VENDOR, "paid for orders")
    cancelled = (lot.cj_order_id for lot in lots.values() if lot.cj_status == OrderStatus.CANCELLED)
    shown = {order.order_id for order in orders} | {str(one) for one in cancelled if one}
    with at.record.read() as session:
        found = [
            *_gone(session, recent, lots, orders),
            *_booked(session, lots, orders, tie),
            *unshown(session, VENDOR, (Kind.GOODS, Kind.FREIGHT), shown, since, tie),
            *_strangers(session, lots, listed),
            *_unwanted(lots, orders),
        ]
    return found, [tie]


def _listed(at: Desk) -> Iterator[Order]:
    for status in (*LISTED, *NEWER):
        for page in range(1, PAGES + 1):
            try:
                rows = at.cj.list_orders(status, page=page, size=BATCH)
            except ServiceRefused:
                if status in LISTED:
                    raise
                break
            yield from rows
            if len(rows) < BATCH:
                break


def _gone(session: Session, recent: list[str], lots: dict[str, Lot], orders: list[Order]) -> Iterator[Finding]:
    shown = {order.number for order in orders}
    for number in recent:
        lot = lots[number]
        made = effects.state_of(session, f"cj-order:{lot.id}") in (State.DONE, State.ADOPTED)
        deleted = effects.state_of(session, f"cj-delete:{lot.id}") is not None or lot.cj_status == "CANCELLED"
        if number not in shown and made and not deleted:
            yield Finding(VENDOR, What.MISSING, number, f"the order of lot {lot.id} is not at CJ")


def _booked(session: Session, lots: dict[str, Lot], orders: list[Order], tie: Tie) -> Iterator[Finding]:
    for order in orders:
        if order.status in (OrderStatus.CANCELLED, OrderStatus.UNKNOWN):
            continue  # what CJ gives back for a cancelled order shows in its purse alone
        lot = lots[str(order.number)]
        booked = ledger.total(session, Kind.GOODS, Kind.FREIGHT, lot_id=lot.id)
        taken = -(order.amount_cents or 0) if order.status.is_paid else 0
        if not tie.add(booked, taken):
            text = f"lot {lot.id}: CJ shows {order.raw_status}, and the books another sum"
            yield Finding(VENDOR, What.BOOKS, order.order_id, text, booked, taken)


def _strangers(session: Session, lots: dict[str, Lot], listed: list[Order]) -> Iterator[Finding]:
    name = record_name(session)
    once = {one.order_id: one for one in listed}  # an order that moves on meanwhile is listed under two words
    for number, times in Counter(one.number for one in once.values()).items():
        if times > 1 and bears_our_mark(name, NUMBER, number):
            yield Finding(VENDOR, What.DUPLICATE, str(number), f"CJ has {times} living orders of one number")
    for order in once.values():
        if order.number not in lots and bears_our_mark(name, NUMBER, order.number):
            text = f"its number {order.number} is ours, and no lot has it: cancel it at CJ, or see what it was for"
            taken = -(order.amount_cents or 0) if order.status.is_paid else 0
            yield Finding(VENDOR, What.ORPHAN, order.order_id, text, 0, taken)


def _unwanted(lots: dict[str, Lot], orders: list[Order]) -> Iterator[Finding]:
    """Orders that nobody pays or deletes: a request so slow that its lot was given back before it landed."""
    for order in orders:
        lot = lots[str(order.number)]
        if order.status.is_unpaid and lot.status not in BUYING:
            text = f"lot {lot.id} is {lot.status}, and its order {order.number} is {order.raw_status}: delete it at CJ"
            yield Finding(VENDOR, What.ORPHAN, order.order_id, text)
