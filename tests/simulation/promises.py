"""The promises, checked over what the outside world thinks has happened and what our record says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import func, select

from tasks.lots.ledger import Kind, total
from tasks.lots.models import History, InvoiceLine
from tasks.lots.states import FINAL, MOVES, LotStatus
from tests.simulation.rehearsal import Rehearsal


def broken(stage: Rehearsal) -> list[str]:
    """What broke; nothing when all was kept."""
    return [*_orders(stage), *_charges(stage), *_ends(stage), *_items(stage), *_books(stage), *_lives(stage)]


def _orders(stage: Rehearsal) -> Iterator[str]:
    for number, count in Counter(order.number for order in stage.cj.orders).items():
        if count > 1:
            yield f"{count} orders of {number}"
    for order, count in Counter(one.order_id for one in stage.cj.payments if one.kind == "pay").items():
        if count > 1:
            yield f"order {order} paid {count} times"


def _charges(stage: Rehearsal) -> Iterator[str]:
    billed: Counter[str] = Counter()
    for row in stage.bank.store.invoices.values():
        if row["status"] == "void":
            continue
        billed.update({line["metadata"]["lot_id"] for line in stage.bank.store.lines[row["id"]]})
        if len(stage.bank.store.payments[row["id"]]) > 1:
            yield f"invoice {row['id']} charged twice"
    yield from (f"lot {lot} billed {count} times" for lot, count in billed.items() if count > 1)
    keys = Counter(mail.key for mail in stage.post.mails)
    yield from (f"mail {key} sent {count} times" for key, count in keys.items() if count > 1)


def _ends(stage: Rehearsal) -> Iterator[str]:
    for lot in stage.lots():
        if lot.status not in FINAL and not stage.incidents():
            yield f"lot {lot.id} is left {lot.status}"
        if lot.paid_at and lot.status is not LotStatus.DELIVERED and lot.refund_status not in ("SUCCEEDED", "LOST"):
            yield f"lot {lot.id} is paid, {lot.status}, refund {lot.refund_status}"
    yield from (f"{key} is unsettled" for key in stage.unsettled())


def _items(stage: Rehearsal) -> Iterator[str]:
    ours = {lot.basta_item_id for lot in stage.lots()}
    yield from (f"item {item.id} is nobody's" for item in stage.house.items if item.id not in ours)
    if len(stage.house.sales) > 1:
        yield f"{len(stage.house.sales)} sales of one run"
    if len(stage.house.orders) > len(stage.invoices()):
        yield "an order at Basta too many"


def _books(stage: Rehearsal) -> Iterator[str]:
    with stage.record.read() as session:
        captured = total(session, Kind.HAMMER, Kind.PREMIUM, Kind.TAX)
        pairs = {
            "captured": (captured, sum(row["amount_paid"] for row in stage.bank.store.invoices.values())),
            "refunded": (
                -total(session, Kind.REFUND),
                sum(row["amount"] for row in stage.bank.store.refunds.values()),
            ),
            "fees": (
                -total(session, Kind.STRIPE_FEE, Kind.DISPUTE_FEE),
                sum(row["fee"] for row in stage.bank.store.movements.values()),
            ),
            "disputed": (
                total(session, Kind.DISPUTE),
                sum(row["amount"] for row in stage.bank.store.movements.values() if row["type"] == "adjustment"),
            ),
            "paid at CJ": (
                -total(session, Kind.GOODS, Kind.FREIGHT),
                -sum(one.cents for one in stage.cj.payments if one.kind == "pay"),
            ),
        }
        for lot in stage.lots():
            share = session.execute(
                select(func.coalesce(func.sum(InvoiceLine.cents + InvoiceLine.tax_cents), 0)).where(
                    InvoiceLine.lot_id == lot.id
                )
            ).scalar_one()
            if (lot.refund_cents or 0) > share:
                yield f"lot {lot.id} was refunded {lot.refund_cents} of {share}"
    yield from (f"{what}: {ours} here, {theirs} there" for what, (ours, theirs) in pairs.items() if ours != theirs)


def _lives(stage: Rehearsal) -> Iterator[str]:
    with stage.record.read() as session:
        for lot in stage.lots():
            at: LotStatus | None = None
            rows = session.scalars(select(History).where(History.lot_id == lot.id).order_by(History.seq))
            for place, row in enumerate(rows, start=1):
                if row.seq != place or (at is not None and LotStatus(row.to) not in MOVES[at]):
                    yield f"lot {lot.id}: hop {place} to {row.to}"
                at = LotStatus(row.to)
            if at is not lot.status:
                yield f"lot {lot.id} is {lot.status} after {at}"
