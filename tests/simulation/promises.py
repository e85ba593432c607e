"""The promises of the pipeline, checked over what the outside says has happened and what our record says.

One function for each; what it yields is broken. They judge by the vendors' own figures wherever they can, and are
asked when a run has become quiet.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from deployments.demo.invariants import mailed_twice, paid_twice, unlawful_lives
from tasks.lots import restored
from tasks.lots.ledger import Kind, total
from tasks.lots.models import History, InvoiceLine, Lot
from tasks.lots.records import Approval, Incident, LedgerEntry, OutboxMessage, Stamp
from tasks.lots.states import FINAL, LotStatus
from tasks.reconciling import here
from tests.simulation.dealings import DEALINGS
from tests.simulation.evidence import EVIDENCE
from tests.simulation.held import held
from tests.simulation.rehearsal import Rehearsal

#: Statuses in which a lot has its item at Basta.
SHOWN = (LotStatus.LISTED, LotStatus.PUBLISHED)
#: So many calls are timed together: a crowded machine brings one late, and the next in time, but not all of them.
WINDOW = 32
SECRETS = ("sk_test_sandbox", "re_sandbox", "whsec_sandbox", "sandbox-cj", "sandbox-key")


def broken(stage: Rehearsal) -> list[str]:
    """What broke, each with its promise's name; nothing when all was kept."""
    return [f"{name}: {what}" for name, promise in PROMISES.items() for what in promise(stage)]


def _ordered_once(stage: Rehearsal) -> Iterator[str]:
    for number, count in Counter(order.number for order in stage.cj.orders if order.status != "CANCELLED").items():
        if count > 1:
            yield f"{count} orders of {number}"
    yield from paid_twice(stage.cj.payments)


def _charged_once(stage: Rehearsal) -> Iterator[str]:
    store, billed = stage.bank.store, Counter[str]()
    hammers = {item.id: item.current for item in stage.house.items}
    lots = {str(lot.id): lot for lot in stage.lots()}
    for row in store.invoices.values():
        if row["status"] == "void":
            continue
        lines: dict[str, int] = defaultdict(int)
        for line in store.lines[row["id"]]:
            lines[line["metadata"]["lot_id"]] += line["amount"]
        billed.update(lines.keys())
        if len(store.payments[row["id"]]) > 1:
            yield f"invoice {row['id']} was charged {len(store.payments[row['id']])} times"
        for lot_id, cents in lines.items():
            lot = lots.get(lot_id)
            if lot is None or cents != _due(stage, lot, hammers.get(lot.basta_item_id)):
                yield f"lot {lot_id} was billed {cents} cents on {row['id']}"
    yield from (f"lot {lot} is on {count} invoices" for lot, count in billed.items() if count > 1)


def _due(stage: Rehearsal, lot: Lot, hammer: int | None) -> int:
    """Hammer price and fees, by Basta's word for the one and our frozen lines for the others."""
    with stage.record.read() as session:
        lines = session.scalars(select(InvoiceLine).where(InvoiceLine.lot_id == lot.id, InvoiceLine.kind != "hammer"))
        return (hammer or 0) + sum(line.cents for line in lines)


def _given_back_once(stage: Rehearsal) -> Iterator[str]:
    store = stage.bank.store
    failed: Counter[str] = Counter()
    for row in store.refunds.values():
        if row["status"] == "failed":
            failed[row["charge"]] += row["amount"]
    for charge in store.charges.values():
        if charge["amount_refunded"] - failed[charge["id"]] > charge["amount_captured"]:
            yield f"charge {charge['id']} gave back {charge['amount_refunded']} of {charge['amount_captured']}"
    with stage.record.read() as session:
        shares: Counter[int] = Counter()
        for line in session.scalars(select(InvoiceLine)):
            shares[line.lot_id] += line.cents + line.tax_cents
        for lot in session.scalars(select(Lot)):
            gone = -total(session, Kind.REFUND, Kind.REFUND_FAILED, lot_id=lot.id)
            if max(lot.refund_cents or 0, gone) > shares[lot.id]:
                yield f"lot {lot.id} was given back {max(lot.refund_cents or 0, gone)} of {shares[lot.id]}"


def _all_ended(stage: Rehearsal) -> Iterator[str]:
    before_a_person = held(stage)
    won = {item.id for item in stage.house.items if item.leader and item.reserve_status == "MET"}
    for lot in stage.lots():
        if lot.id in before_a_person:
            continue
        back = lot.refund_status in ("SUCCEEDED", "LOST")
        if lot.status not in FINAL:
            yield f"lot {lot.id} is left {lot.status} ({lot.hold_reason or 'no hold'}), and no incident names it"
        elif lot.paid_at and lot.status is not LotStatus.DELIVERED and not back:
            yield f"lot {lot.id} is paid and {lot.status}, with refund {lot.refund_status}, and no incident names it"
        elif lot.basta_item_id in won and lot.invoice_id is None and not lot.error_message:
            yield f"lot {lot.id} was won and never invoiced"


def _settled(stage: Rehearsal) -> Iterator[str]:
    before_a_person = held(stage)
    for key in stage.unsettled():
        if stage.effect(key).lot_id not in before_a_person:
            yield f"{key} is {stage.effect(key).state}"


def _bought_after_payment(stage: Rehearsal) -> Iterator[str]:
    captured, recorded = dict(_captured(stage)), dict(_recorded(stage))
    lots = {lot.cj_order_number: lot for lot in stage.lots() if lot.cj_order_number}
    spent: Counter[str] = Counter()
    by_hand = {order.order_id for order in stage.cj.orders if order.paid_by_hand}
    times = [(one.number, "ordered", one.created) for one in stage.cj.orders]
    for one in stage.cj.payments:
        if one.kind != "pay":
            continue
        times.append((one.number, "bought", one.at))
        day = f"{one.at:%Y-%m-%d}"
        if one.order_id not in by_hand:  # the cap binds us, and not who pays in CJ's own dashboard
            spent[day] -= one.cents
            if 0 < _allowed(stage, day, one.at) < spent[day]:
                yield f"{spent[day]} cents were spent on {day}"
    with stage.record.read() as session:
        # What was bought before the record was put back, it learned of only then.
        floor = session.get(Stamp, restored.FLOOR)
        restored_at = floor.since if floor else None
    for number, what, at in times:
        lot = lots.get(number)
        if lot is None or captured.get(lot.id, float("inf")) > at.timestamp():
            yield f"order {number} was {what} without a captured payment"
        elif (restored_at is None or at > restored_at) and (lot.id not in recorded or recorded[lot.id] > at):
            yield f"order {number} was {what} before its payment was on record"


def _allowed(stage: Rehearsal, day: str, at: datetime) -> int:
    """What a day might spend at this moment: the cap, or what a person had granted by then; 0 is without bounds."""
    if not (cap := stage.settings.daily_cap_cents):
        return 0
    with stage.record.read() as session:
        granted = select(Approval.granted_cents).where(Approval.subject == f"spend:{day}", Approval.answered_at <= at)
        return max(cap, *(cents or 0 for cents in session.scalars(granted)), 0)


def _captured(stage: Rehearsal) -> Iterator[tuple[int, float]]:
    """When Stripe had the whole money for each lot of an invoice that is paid with money."""
    store = stage.bank.store
    for row in store.invoices.values():
        intents = [store.intents[one["payment"]["payment_intent"]] for one in store.payments[row["id"]]]
        charges = [store.charges[one["latest_charge"]] for one in intents if one["latest_charge"]]
        if row["status"] != "paid" or not 0 < row["amount_paid"] <= sum(one["amount_captured"] for one in charges):
            continue
        for line in store.lines[row["id"]]:
            yield int(line["metadata"]["lot_id"]), max(one["created"] for one in charges if one["amount_captured"])


def _recorded(stage: Rehearsal) -> Iterator[tuple[int, datetime]]:
    """When our record had the money of each lot: the hop to PAID, and its rows in the books."""
    with stage.record.read() as session:
        hops = select(History.lot_id, func.min(History.at)).where(History.to == LotStatus.PAID)
        paid = dict(session.execute(hops.group_by(History.lot_id)).all())
        rows = select(LedgerEntry.lot_id, func.min(LedgerEntry.at)).where(LedgerEntry.kind == Kind.HAMMER)
        booked = dict(session.execute(rows.group_by(LedgerEntry.lot_id)).all())
    yield from ((lot_id, max(paid[lot_id], booked[lot_id])) for lot_id in paid.keys() & booked.keys())


def _our_record_says_so(stage: Rehearsal) -> Iterator[str]:
    """What the nightly reconciliation would say of our record alone."""
    with stage.record.read() as session:
        yield from (f"{one.about}: {one.text}" for one in here.promises(session))


def _told_of(stage: Rehearsal) -> str:
    with stage.record.read() as session:
        return " ".join(session.scalars(select(Incident.text).where(Incident.closed_at.is_(None))))


def _items_are_lots(stage: Rehearsal) -> Iterator[str]:
    lots = stage.lots()
    ours = {lot.basta_item_id for lot in lots}
    theirs = {item.id for item in stage.house.items}
    shown = {item.id for sale in stage.house.sales.values() if sale.status != "UNPUBLISHED" for item in sale.items}
    yield from (f"item {one} is nobody's" for one in sorted(theirs - ours))
    for lot in lots:
        if lot.status in SHOWN and lot.basta_item_id not in theirs:
            yield f"lot {lot.id} is {lot.status} without an item"
        if lot.status is LotStatus.CANCELLED and lot.invoice_id is None and lot.basta_item_id in shown:
            yield f"lot {lot.id} was given up ({lot.error_message}), and Basta sells its item"
    # Of a sale that two workers made, the one that is empty and unseen is before a person.
    told = _told_of(stage)
    made = [
        sale for sale in stage.house.sales.values() if sale.items or sale.status != "UNPUBLISHED" or sale.id not in told
    ]
    sales = Counter(sale.external_id for sale in made)
    yield from (f"{count} sales of {run}" for run, count in sales.items() if count > 1)
    ordered: Counter[str] = Counter()
    for order in stage.house.orders.values():
        if order.status != "CANCELLED":
            ordered.update(str(line.get("itemId") or line.get("item_id") or line.get("id")) for line in order.lines)
    yield from (f"item {item} is on {count} orders at Basta" for item, count in ordered.items() if count > 1)


def _books_tie(stage: Rehearsal) -> Iterator[str]:
    store = stage.bank.store
    refunds = list(store.refunds.values())
    with stage.record.read() as session:
        pairs = {
            "captured": (
                total(session, Kind.HAMMER, Kind.PREMIUM, Kind.TAX),
                sum(row["amount_paid"] for row in store.invoices.values()),
            ),
            "refunded": (
                -total(session, Kind.REFUND, Kind.REFUND_FAILED),
                sum(row["amount"] for row in refunds if row["status"] != "failed"),
            ),
            "fees": (
                -total(session, Kind.STRIPE_FEE, Kind.DISPUTE_FEE),
                sum(row["fee"] for row in store.movements.values()),
            ),
            "disputed": (
                total(session, Kind.DISPUTE),
                sum(row["amount"] for row in store.movements.values() if row["type"] == "adjustment"),
            ),
            "spent at CJ": (
                -total(session, Kind.GOODS, Kind.FREIGHT),
                -sum(one.cents for one in stage.cj.payments if one.kind == "pay"),
            ),
        }
        credited = total(session, Kind.CJ_CREDIT)
    yield from (f"{what}: {ours} here, {theirs} there" for what, (ours, theirs) in pairs.items() if ours != theirs)
    # CJ tells of no movement: a credit that fell together with money moved by hand may stay unseen, never invented.
    given = sum(one.cents for one in stage.cj.payments if one.kind == "refund")
    by_hand = any(one.kind in ("top_up", "set") for one in stage.cj.payments)
    if credited > given or (credited < given and not by_hand):
        yield f"credited by CJ: {credited} here, {given} there"


def _lives_are_lawful(stage: Rehearsal) -> Iterator[str]:
    with stage.record.read() as session:
        yield from unlawful_lives(session)


def _mailed_once(stage: Rehearsal) -> Iterator[str]:
    yield from mailed_twice(stage.post.mails)


def _cj_is_not_hurried(stage: Rehearsal) -> Iterator[str]:
    """No two calls, and no `WINDOW` of them, come faster than CJ allows."""
    interval, asked = (
        stage.settings.cj_min_interval_seconds,
        [call for call in stage.world.calls if call.vendor == "cj"],
    )
    for calls in (1, WINDOW):
        for sooner, later in zip(asked, asked[calls:], strict=False):
            if (gap := (later.at - sooner.at).total_seconds()) < calls * interval - stage.late_by_seconds:
                few = f"{gap:.3f} s" if calls == 1 else f"{gap:.3f} s for {calls} calls"
                yield f"{few} between {sooner.operation} and {later.operation} at {later.at:%d %H:%M:%S}"


def _quota_is_kept(stage: Rehearsal) -> Iterator[str]:
    yield from stage.meter.overruns


def _nothing_leaks(stage: Rehearsal) -> Iterator[str]:
    hidden = [*SECRETS]
    for person in stage.world.people.all():
        hidden += [person.email]
        hidden += [person.address.line1] if person.address and person.address.line1 else []
    with stage.record.read() as session:
        texts: dict[str, Any] = {
            "history": [row.why for row in session.scalars(select(History)) if row.why],
            "a lot's note": [lot.error_message for lot in session.scalars(select(Lot)) if lot.error_message],
            "an incident": [f"{row.title} {row.text} {row.command}" for row in session.scalars(select(Incident))],
            "the outbox": [json.dumps(row.payload) for row in session.scalars(select(OutboxMessage))],
            "an alert": [post.text for post in stage.sink.posts],
            "the log": stage.log,
        }
    for where, lines in texts.items():
        whole = "\n".join(lines)
        yield from (f"{one!r} stands in {where}" for one in sorted(set(hidden)) if one in whole)


PROMISES: dict[str, Callable[[Rehearsal], Iterator[str]]] = {
    "ordered and bought once": _ordered_once,
    "charged once, and exactly": _charged_once,
    "no refund above its share": _given_back_once,
    "every lot ends": _all_ended,
    "every effect is settled": _settled,
    "bought only when paid for, within the cap": _bought_after_payment,
    "every item is a lot's": _items_are_lots,
    "the books tie": _books_tie,
    "our record breaks no promise by itself": _our_record_says_so,
    "only lawful moves": _lives_are_lawful,
    "one mail a key": _mailed_once,
    "CJ's pace": _cj_is_not_hurried,
    "CJ's quota": _quota_is_kept,
    "no secret and no address": _nothing_leaks,
    **DEALINGS,
    **EVIDENCE,
}
