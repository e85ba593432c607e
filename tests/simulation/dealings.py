"""More promises: what was bought, billed, given back and told, lot by lot, judged by what the vendors hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from sqlalchemy import select

from tasks.lots.models import Invoice, Lot
from tasks.lots.records import Effect, Incident
from tasks.lots.states import FINAL, LotStatus
from tests.simulation.rehearsal import Rehearsal

ADDRESS = ("customer", "country_code", "city", "line1", "zip")
#: Between the last guard and the call there is a moment in which the world may change.
GUARDED_SECONDS = 60.0
#: Incidents that tell of an order that is to be cancelled by hand; the lot's id follows.
ORDER_TOLD = ("order-lives:lot:", "refund:unproven:")


def _ordered_for_a_lot(stage: Rehearsal) -> Iterator[str]:
    lots = {lot.cj_order_number: lot for lot in stage.lots() if lot.cj_order_number}
    told = _asked_to_cancel(stage)
    for order in stage.cj.orders:
        lot = lots.get(order.number)
        if lot is None:
            yield f"order {order.number} is no lot's"
        elif order.status != "CANCELLED" and not all(order.address[part].strip() for part in ADDRESS):
            yield f"order {order.number} goes nowhere: {sorted(part for part in ADDRESS if not order.address[part])}"
        elif order.status != "CANCELLED" and lot.status is LotStatus.CANCELLED and lot.id not in told:
            yield f"lot {lot.id} has ended, and its order {order.number} is {order.status}"


def _bought_within_limits(stage: Rehearsal) -> Iterator[str]:
    lots = {lot.cj_order_number: lot for lot in stage.lots() if lot.cj_order_number}
    limit = 1 + stage.settings.price_rise_limit
    for one in stage.cj.payments:
        lot = lots.get(one.number) if one.kind == "pay" else None
        if lot is not None and -one.cents > lot.landed_cents * limit:
            yield f"lot {lot.id} was bought for {-one.cents} cents, {lot.landed_cents} when sourced"


def _not_bought_after_it_went_back(stage: Rehearsal) -> Iterator[str]:
    """An order is made neither while the bank has the money, nor after all of it went back by hand."""
    store = stage.bank.store
    gone: dict[str, float] = {}
    disputes = [one for one in store.disputes.values() if one["status"] != "won"]  # then the money is here again
    for invoice_id, payments in store.payments.items():
        for payment in payments:
            intent = payment["payment"]["payment_intent"]
            charge = store.charges.get(store.intents[intent]["latest_charge"])
            if charge is None:
                continue
            times = [one["created"] for one in disputes if one["charge"] == charge["id"]]
            whole = [one for one in store.refunds.values() if one["charge"] == charge["id"]]
            times += [one["created"] for one in whole if one["amount"] == charge["amount"]]
            if times:
                gone[invoice_id] = min(times)
    lots = {lot.cj_order_number: lot for lot in stage.lots() if lot.cj_order_number}
    for order in stage.cj.orders:
        lot = lots.get(order.number)
        since = gone.get((lot and lot.stripe_invoice_id) or "")
        if since is not None and since + GUARDED_SECONDS < order.created.timestamp() < since + 4 * 3_600:
            yield f"lot {lot and lot.id} was ordered when its money had gone back"


def _billed_what_was_won(stage: Rehearsal) -> Iterator[str]:
    store, items = stage.bank.store, {item.id: item for item in stage.house.items}
    lots = {str(lot.id): lot for lot in stage.lots()}
    for row in store.invoices.values():
        if row["auto_advance"]:
            yield f"invoice {row['id']} advances by itself"
        if row["status"] in ("void", "draft"):
            continue
        sums: Counter[str] = Counter()
        for line in store.lines[row["id"]]:
            sums[line["metadata"]["lot_id"]] += line["amount"]
        ours = [lots[one] for one in sums if one in lots]
        if row["status"] == "open" and ours and all(lot.status in FINAL for lot in ours):
            yield f"invoice {row['id']} asks for money, and its lots have ended"
        for lot in ours:
            item = items.get(lot.basta_item_id or "")
            if item is None or item.reserve_status != "MET":
                yield f"lot {lot.id} was billed, and was not won"
            elif sums[str(lot.id)] != (due := item.current + _premium(stage, item.current)):
                yield f"lot {lot.id} was billed {sums[str(lot.id)]} cents, and costs {due} with its fees"


def _premium(stage: Rehearsal, hammer: int) -> int:
    """By Basta's own configuration."""
    fees = stage.house.options.fees or ()
    return sum((hammer * fee["value"] + 5_000) // 10_000 for fee in fees if fee["type"] == "PERCENTAGE")


def _given_back_whole(stage: Rehearsal) -> Iterator[str]:
    """A credit note of ours is for all lines of its lot, and for no other's."""
    store = stage.bank.store
    for note in store.notes.values():
        ref = (note.get("metadata") or {}).get("refund_ref") or ""
        if not ref.startswith("lot-"):
            continue
        lines = [row for row in store.lines[note["invoice"]] if row["metadata"]["lot_id"] == ref.removeprefix("lot-")]
        if note["subtotal"] != sum(row["amount"] for row in lines):
            yield f"{ref} got a credit of {note['subtotal']} cents, of {sum(row['amount'] for row in lines)}"


def _everybody_is_told(stage: Rehearsal) -> Iterator[str]:
    """What is due was written, and nobody reads the same twice, whatever its key was."""
    with stage.record.read() as session:
        mails = set(session.scalars(select(Effect.key).where(Effect.kind == "mail")))
        by_us = {row.lot_id for row in session.scalars(select(Effect).where(Effect.kind == "refund")) if row.vendor_id}
        wanted: dict[str, bool] = defaultdict(bool)
        for lot in session.scalars(select(Lot)):
            wanted[f"mail:order_delivered:lot-{lot.id}:1"] = lot.status is LotStatus.DELIVERED
            wanted[f"mail:order_refunded:lot-{lot.id}:1"] = lot.refund_status == "SUCCEEDED" and lot.id in by_us
        for invoice in session.scalars(select(Invoice)):
            wanted[f"mail:auction_won:invoice-{invoice.id}:1"] = invoice.sent_at is not None
            wanted[f"mail:payment_received:invoice-{invoice.id}:1"] = invoice.status == "PAID"
    sent = Counter(key for mail in stage.post.mails for key in _keys_in(mail.key) if key in mails)
    yield from (f"{key} went {times} times" for key, times in sorted(sent.items()) if times > 1)
    yield from (f"{key} was never written" for key, due in sorted(wanted.items()) if due and key not in mails)


def _keys_in(text: str) -> Iterator[str]:
    """A vendor's key begins with ours, and goes on with the record's name or whatever else, but with no digit."""
    yield from (text[:end] for end in range(1, len(text) + 1) if not text[end : end + 1].isdigit())


def _asked_to_cancel(stage: Rehearsal) -> set[int]:
    """Lots of which a person was told at some time that their order at CJ lives, or may live."""
    with stage.record.read() as session:
        rows = [one for one in session.scalars(select(Incident)) if one.key.startswith(ORDER_TOLD)]
    return {int(one.key.rpartition(":")[2]) for one in rows}


DEALINGS: dict[str, Callable[[Rehearsal], Iterator[str]]] = {
    "every order is a lot's that lives": _ordered_for_a_lot,
    "bought within the limit": _bought_within_limits,
    "not ordered when the money went back": _not_bought_after_it_went_back,
    "billed what was won, with its fees": _billed_what_was_won,
    "given back whole": _given_back_whole,
    "everybody is told, once": _everybody_is_told,
}
