"""The promises, checked over what the outside world thinks has happened and what our record says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deployments.demo.stage import Stage
from deployments.sandbox.control import state
from tasks.desk import desk
from tasks.lots.ledger import Kind, total
from tasks.lots.models import History, Invoice, InvoiceLine, Lot
from tasks.lots.records import Effect
from tasks.lots.states import MOVES, LotStatus

#: What Prefect gives at once: rows, and events.
PAGE, EVENTS = 200, 50


def check(stage: Stage) -> list[tuple[str, list[str]]]:
    """Each promise, with what breaks it; an empty list is a kept promise."""
    world: dict[str, Any] = state(stage.world)
    with desk().record.read() as session:
        return [
            ("one CJ order a lot at most, one payment an order", list(_orders(stage, world))),
            ("each lot charged once, and exactly its lines", list(_charges(session, world))),
            (
                "no refund above a lot's own share, nor above what was captured",
                list(_shares(session, world)),
            ),
            ("every paid lot delivered or refunded, every won lot invoiced", list(_ends(session))),
            ("nothing bought without a captured payment", list(_bought(session, world))),
            ("no item at Basta without a lot of ours, no listed lot without its item", list(_items(session, world))),
            ("the ledger ties to Stripe, CJ and Basta, to the cent", list(_books(stage, session, world))),
            ("no illegal move, every history whole and in order", list(unlawful_lives(session))),
            ("one mail a key, CJ's calls never closer nor more than allowed", list(_pace(stage))),
            ("no secret and no address in a log, run, artifact, event or alert", list(_secrets(stage))),
        ]


def _orders(stage: Stage, world: dict[str, Any]) -> Iterable[str]:
    for number, count in Counter(one["number"] for one in world["cj_orders"]).items():
        if count > 1:
            yield f"{number} has {count} orders"
    cj: Any = stage.world.vendors["cj"]
    yield from paid_twice(cj.payments)


def paid_twice(payments: Iterable[Any]) -> Iterable[str]:
    """CJ orders that took more than one payment."""
    for order, count in Counter(one.order_id for one in payments if one.kind == "pay").items():
        if count > 1:
            yield f"order {order} was paid {count} times"


def _charges(session: Session, world: dict[str, Any]) -> Iterable[str]:
    billed: Counter[str] = Counter()
    for invoice in world["invoices"]:
        if invoice["status"] == "void":
            continue
        billed.update({line["lot_id"] for line in invoice["lines"]})
        if invoice["payments"] > 1:
            yield f"invoice {invoice['id']} was paid {invoice['payments']} times"
        if invoice["payments"] and invoice["paid"] != invoice["total"]:
            yield f"invoice {invoice['id']} took {invoice['paid']} of {invoice['total']} cents"
        ours = session.execute(
            select(func.sum(InvoiceLine.cents))
            .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
            .where(Invoice.stripe_invoice_id == invoice["id"])
        ).scalar_one()
        if ours != invoice["total"]:
            yield f"invoice {invoice['id']} is {invoice['total']} cents there and {ours} here"
    yield from (f"lot {lot} is on {count} invoices" for lot, count in billed.items() if count > 1)


def _shares(session: Session, world: dict[str, Any]) -> Iterable[str]:
    for invoice in world["invoices"]:
        if invoice["refunded"] > invoice["paid"]:
            yield f"invoice {invoice['id']} gave back more than it took"
    for lot in session.scalars(select(Lot).where(Lot.refund_cents.is_not(None))):
        share = session.execute(
            select(func.sum(InvoiceLine.cents + InvoiceLine.tax_cents)).where(InvoiceLine.lot_id == lot.id)
        ).scalar_one()
        if (lot.refund_cents or 0) > share:
            yield f"lot {lot.id} was refunded {lot.refund_cents} of {share} cents"


def _ends(session: Session) -> Iterable[str]:
    for lot in session.scalars(select(Lot)):
        paid, delivered = lot.paid_at is not None, lot.status is LotStatus.DELIVERED
        if paid and not delivered and lot.refund_status not in ("SUCCEEDED", "LOST"):
            yield f"lot {lot.id} is paid, and {lot.status} with refund {lot.refund_status}"
        if lot.winning_bid_cents and lot.invoice_id is None:
            yield f"lot {lot.id} was won and never invoiced"


def _bought(session: Session, world: dict[str, Any]) -> Iterable[str]:
    lots = {lot.cj_order_number: lot.id for lot in session.scalars(select(Lot))}
    for order in world["cj_orders"]:
        lot_id = lots.get(order["number"])
        if lot_id is None:
            yield f"{order['number']} is no lot's order"
        elif order["paid"] and total(session, Kind.HAMMER, lot_id=lot_id) <= 0:
            yield f"{order['number']} was bought before it was paid for"


def _items(session: Session, world: dict[str, Any]) -> Iterable[str]:
    items = {item["id"] for sale in world["sales"] for item in sale["items"]}
    ours = {lot.basta_item_id: lot for lot in session.scalars(select(Lot).where(Lot.basta_item_id.is_not(None)))}
    yield from (f"item {one} is nobody's" for one in items - set(ours))
    for item_id, lot in ours.items():
        if item_id not in items and lot.status is not LotStatus.CANCELLED:
            yield f"lot {lot.id} is {lot.status}, and its item is gone"


def _books(stage: Stage, session: Session, world: dict[str, Any]) -> Iterable[str]:
    cj: Any = stage.world.vendors["cj"]
    pairs = {
        "captured at Stripe": (
            total(session, Kind.HAMMER, Kind.PREMIUM, Kind.TAX),
            sum(one["paid"] for one in world["invoices"]),
        ),
        "refunded at Stripe": (-total(session, Kind.REFUND), sum(one["amount"] for one in world["refunds"])),
        "Stripe's fees": (-total(session, Kind.STRIPE_FEE), world["fees"]),
        "paid at CJ": (
            -total(session, Kind.GOODS, Kind.FREIGHT),
            -sum(one.cents for one in cj.payments if one.kind == "pay"),
        ),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield f"{what}: {ours} cents here, {theirs} there"
    bids = {item["id"]: item["current_bid"] for sale in world["sales"] for item in sale["items"]}
    for lot in session.scalars(select(Lot).where(Lot.paid_at.is_not(None))):
        hammer = total(session, Kind.HAMMER, lot_id=lot.id)
        if hammer != bids.get(str(lot.basta_item_id)):
            yield f"lot {lot.id}: {hammer} cents here, {bids.get(str(lot.basta_item_id))} at Basta"


def unlawful_lives(session: Session) -> Iterable[str]:
    """Hops that the table does not have, and histories with a gap or another end than the lot's."""
    for lot in session.scalars(select(Lot).order_by(Lot.id)):
        rows = list(session.scalars(select(History).where(History.lot_id == lot.id).order_by(History.seq)))
        at: LotStatus | None = None
        for place, row in enumerate(rows, start=1):
            lawful = at is None or LotStatus(row.to) in MOVES[at]
            if row.seq != place or (row.frm or None) != (str(at) if at else None) or not lawful:
                yield f"lot {lot.id}: hop {place} from {row.frm} to {row.to}"
            at = LotStatus(row.to)
        if at is not lot.status:
            yield f"lot {lot.id} is {lot.status}, and its history ends with {at}"


def _pace(stage: Stage) -> Iterable[str]:
    resend: Any = stage.world.vendors["resend"]
    yield from mailed_twice(resend.mails)
    gaps = [later - sooner for sooner, later in pairwise(sorted(desk().sent_to_cj))]
    if gaps and min(gaps) < stage.interval:
        yield f"two calls of CJ left {min(gaps):.4f} s apart"
    cj: Any = stage.world.vendors["cj"]
    if cj.gate.breaches:
        yield f"CJ found {cj.gate.breaches} calls too close"
    yield from (f"{path} was called with nothing left of its quota" for _, path in cj.quota.refused)


def mailed_twice(mails: Iterable[Any]) -> Iterable[str]:
    """Keys under which more than one mail went out."""
    yield from (f"mail {key} went {n} times" for key, n in Counter(one.key for one in mails).items() if n > 1)


def _secrets(stage: Stage) -> Iterable[str]:
    """Read everything that Prefect keeps and that the operator was told, and look for what must not be there."""
    hidden = {"sk_test_sandbox", "re_sandbox", "whsec_sandbox", "sandbox-cj"}
    for person in stage.world.people.all():
        hidden.add(person.email)
        if person.address:
            hidden.add(person.address.line1)
    with desk().record.read() as session:
        assert session.execute(select(func.count()).select_from(Effect)).scalar_one()
    alerts: Any = stage.world.vendors["alerts"]
    pages = chain(kept_by_prefect(stage.server_url), (("alerts", post.text) for post in alerts.posts))
    found = {(one, what) for what, text in pages for one in hidden if one in text}
    yield from (f"{one!r} is in the {what}" for one, what in sorted(found))


def kept_by_prefect(server_url: str) -> Iterable[tuple[str, str]]:
    """All that a Prefect server keeps of its runs, page by page: what it is, and its text."""
    with httpx.Client(base_url=f"{server_url}/api", timeout=20) as http:
        for what in ("logs", "artifacts", "flow_runs", "task_runs"):
            offset, full = 0, True
            while full:
                answer = http.post(f"/{what}/filter", json={"limit": PAGE, "offset": offset}).raise_for_status()
                yield what, answer.text
                offset, full = offset + PAGE, len(answer.json()) == PAGE
        answer = http.post("/events/filter", json={"limit": EVENTS}).raise_for_status()
        yield "events", answer.text
        while following := answer.json()["next_page"]:
            answer = http.get(following).raise_for_status()
            yield "events", answer.text
