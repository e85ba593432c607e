"""Cancelling a lot: what it means for each of the fourteen statuses, and doing it once.

The table is the operator's; the runbook shows it. Killed midway, the same command goes on from where it stopped: an
unlisting and a deletion are effects. A refund that is planned is the next cycle's work too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import refunding
from tasks.desk import Desk
from tasks.fulfilment.ordering import deleting
from tasks.handling.planning import Call, Plan, Refused, lot_of
from tasks.listing.unlisting import WITHDRAWN, unlist
from tasks.lots import effects
from tasks.lots.manners import Came, State
from tasks.lots.models import Invoice, InvoiceLine, Lot
from tasks.lots.moving import hold, lock, move
from tasks.lots.states import LotStatus
from tasks.settling import CANCEL_ASKED

S = LotStatus
WHY = WITHDRAWN


class Way(StrEnum):
    """How a lot of one status is cancelled."""

    END = "end"
    UNLIST = "unlist"
    GIVE_BACK = "give back"
    STOP_PAYING = "stop paying"
    REFUSED = "refused"


#: Status -> the way, and what `pipeline lot cancel` does, as the operator reads it.
CANCELLING: Mapping[LotStatus, tuple[Way, str]] = {
    S.SOURCED: (Way.END, "it becomes CANCELLED; nobody outside knows of it"),
    S.LISTED: (Way.UNLIST, "it leaves the sale at Basta, then it becomes CANCELLED"),
    S.PUBLISHED: (
        Way.UNLIST,
        "it leaves the live sale at Basta, bids and all, then it becomes CANCELLED; where Basta refuses, or bidding on "
        "it is over, it stays",
    ),
    S.AUCTION_CLOSED: (
        Way.GIVE_BACK,
        "its lines are credited, so that its buyer owes nothing for it (what was paid meanwhile goes back); without an "
        "invoice it just becomes CANCELLED",
    ),
    S.PAYMENT_FAILED: (Way.GIVE_BACK, "its lines are credited, so that nothing more is charged for it"),
    S.PAID: (
        Way.GIVE_BACK,
        "its unconfirmed CJ order, if there is one, is deleted, then its own share is refunded; while an order may "
        "exist that nobody could prove absent, it is refused",
    ),
    S.CJ_ORDERED: (
        Way.STOP_PAYING,
        "CJ lets nobody delete a confirmed order by its API: the order is not paid from now on; delete it at CJ by "
        "hand, which is adopted, and the buyer is refunded",
    ),
    S.CJ_PAID: (Way.REFUSED, "refused: CJ cannot cancel an order that is paid; open a dispute at CJ"),
    S.SHIPPED: (Way.REFUSED, "refused: the parcel is on its way"),
    S.DELIVERED: (Way.REFUSED, "refused: it is delivered, and that is final"),
    S.RESERVE_NOT_MET: (Way.REFUSED, "refused: it was not sold, and that is final"),
    S.CJ_OUT_OF_STOCK: (Way.GIVE_BACK, "its own share is refunded now; the next cycle would have done it"),
    S.CJ_PRICE_CHANGED: (Way.GIVE_BACK, "its own share is refunded now; the next cycle would have done it"),
    S.CANCELLED: (Way.REFUSED, "refused: it is cancelled already, and that is final"),
}
REFUNDS = {
    "PENDING": "is on its way",
    "SUCCEEDED": "was made",
    "FAILED": "failed: pay the buyer another way",
    "LOST": "went by way of a dispute",
}
UNDECIDED = frozenset({State.IN_FLIGHT, State.UNKNOWN})


def cancel_plan(at: Desk, lot_id: int) -> Plan:
    """What cancelling would do now, call by call; nobody outside is asked.

    Raises:
        UnknownLot: there is no such lot.
    """
    with at.record.read() as session:
        return _plan(session, lot_of(session, lot_id))


def refund_plan(at: Desk, lot_id: int) -> Plan:
    """The same for a refund by hand: only of what was paid, and only where no CJ order may live.

    Raises:
        UnknownLot: there is no such lot.
    """
    with at.record.read() as session:
        lot = lot_of(session, lot_id)
        if lot.refund_status in REFUNDS:
            return _refused(lot, f"its refund {REFUNDS[lot.refund_status]}.")
        if lot.paid_at is None:
            return _refused(lot, "nobody has paid for it.")
        if lot.status is S.CANCELLED:
            return Plan(lot_id, str(lot.status), "its own share is refunded", _credit(session, lot))
        if lot.status in (S.CJ_PAID, S.SHIPPED, S.DELIVERED):
            return _refused(lot, "its CJ order is paid, and only an order that is cancelled at CJ is given back.")
        return _plan(session, lot)


def _plan(session: Session, lot: Lot) -> Plan:
    way, does = CANCELLING[lot.status]
    status = str(lot.status)
    if way is Way.REFUSED:
        return _refused(lot, does.removeprefix("refused: ") + ".")
    if way is Way.END:
        doubt = effects.state_of(session, f"lot:{lot.id}") in UNDECIDED
        again = "it may be at Basta already: type pipeline reconcile first, which asks."
        return _refused(lot, again) if doubt else Plan(lot.id, status, does)
    if way is Way.UNLIST:
        call = Call("basta", "removeItemFromSale", lot.basta_item_id or "", f"unlist:{lot.id}")
        return Plan(lot.id, status, does, (call,))
    if way is Way.STOP_PAYING and lot.cj_status != "CANCELLED":
        if effects.state_of(session, f"cj-pay:{lot.id}") not in (None, State.PLANNED, State.DROPPED):
            return _refused(lot, "its payment at CJ may be made: the next cycle finds out.")
        return Plan(lot.id, status, does)
    if key := _undecided(session, lot):
        return _refused(lot, f"a CJ order may exist, as {key} is not decided: the next cycle finds out.")
    return Plan(lot.id, status, does, (*_deletion(session, lot), *_credit(session, lot)))


def _refused(lot: Lot, why: str) -> Plan:
    return Plan(lot.id, str(lot.status), "nothing", refused=f"lot {lot.id} is {lot.status}: {why}")


def _undecided(session: Session, lot: Lot) -> str | None:
    """An effect at CJ of which nobody knows whether it happened, or one that makes an order last."""
    if lot.cj_status == "CANCELLED":
        return None
    for effect in effects.of_lot(session, lot.id, "cj-order", "cj-confirm", "cj-pay"):
        begun = effect.state in UNDECIDED
        if begun or (effect.kind != "cj-order" and effect.state in (State.DONE, State.ADOPTED)):
            return effect.key
    return None


def _deletion(session: Session, lot: Lot) -> tuple[Call, ...]:
    made = effects.state_of(session, f"cj-order:{lot.id}") in (State.DONE, State.ADOPTED)
    if not made or lot.cj_status == "CANCELLED" or lot.cj_order_id is None:
        return ()
    return (Call("cj", "DELETE /shopping/order/deleteOrder", lot.cj_order_id, f"cj-delete:{lot.id}"),)


def _credit(session: Session, lot: Lot) -> tuple[Call, ...]:
    if lot.invoice_id is None or effects.state_of(session, f"refund:{lot.id}:1") in (State.DONE, State.ADOPTED):
        return ()
    invoice = session.get_one(Invoice, lot.invoice_id)
    if invoice.stripe_invoice_id is None or invoice.status in ("PLANNED", "VOID"):
        return ()
    lines = session.scalars(select(InvoiceLine).where(InvoiceLine.lot_id == lot.id))
    cents = sum(line.cents + line.tax_cents for line in lines)
    return (Call("stripe", "POST /v1/credit_notes", invoice.stripe_invoice_id, f"refund:{lot.id}:1", cents),)


def cancel(at: Desk, plan: Plan) -> str:
    """Do what was planned, once; what came of it, in words.

    Raises:
        Refused: the world moved on, or a vendor said no; the lot stays as it is.
        Unsettled, ServiceUnavailable: a vendor did not say: the same command goes on from there.
    """
    if plan.refused:
        raise Refused(plan.refused)
    with at.record.write() as session:
        lot = lock(session, plan.lot_id)
        now_planned = _refreshed(session, lot, plan)
        if now_planned.refused:
            raise Refused(now_planned.refused)
        way, _ = CANCELLING[lot.status]
        if way is Way.END:
            effects.drop(session, f"lot:{lot.id}", WHY)
            move(session, lot.id, S.CANCELLED, why=WHY)
            return "it is cancelled"
        if way is Way.STOP_PAYING and lot.cj_status != "CANCELLED":
            effects.drop(session, f"cj-pay:{lot.id}", WHY)
            hold(session, lot.id, CANCEL_ASKED, "it is to be cancelled: delete its order at CJ by hand")
            return f"CJ order {lot.cj_order_id} is not paid from now on: delete it at CJ by hand, and the rest follows"
        if way is not Way.UNLIST:
            _prepare_refund(session, lot)
    if way is Way.UNLIST:
        outcome = unlist(at, plan.lot_id, WHY)
        if outcome.came is Came.REFUSED:
            raise Refused(f"lot {plan.lot_id} stays in its sale: {outcome.error}.")
        return "it left its sale, and is cancelled"
    if any(call.key.startswith("cj-delete") for call in now_planned.calls):
        _delete(at, plan.lot_id)
    return f"its refund: {refunding.refund(at, plan.lot_id)}"


def _refreshed(session: Session, lot: Lot, plan: Plan) -> Plan:
    """The plan as it would be now, with the lot locked."""
    if lot.status is S.CANCELLED and plan.status == str(S.CANCELLED):  # a refund of what came in afterwards
        return Plan(lot.id, plan.status, plan.does, _credit(session, lot))
    return _plan(session, lot)


def _prepare_refund(session: Session, lot: Lot) -> None:
    """From here on nothing is bought for the lot, whoever works: planned orders are dropped, and none is planned."""
    for kind in ("cj-order", "cj-confirm", "cj-pay"):
        effects.drop(session, f"{kind}:{lot.id}", WHY)
    if _deletion(session, lot):
        # A confirmation that somebody is about to plan finds itself dropped already.
        effects.plan(session, f"cj-confirm:{lot.id}", {"order_id": lot.cj_order_id}, lot_id=lot.id)
        effects.drop(session, f"cj-confirm:{lot.id}", WHY)
        effects.plan(session, f"cj-delete:{lot.id}", {"order_id": lot.cj_order_id}, lot_id=lot.id)
        effects.reopen(session, f"cj-delete:{lot.id}", {"order_id": lot.cj_order_id})  # each command asks CJ once more
    if lot.refund_status is None:
        lot.refund_status = "PLANNED"
        if lot.status not in refunding.UNDELIVERABLE:
            lot.error_message = WHY


def _delete(at: Desk, lot_id: int) -> None:
    """Delete the unconfirmed order, so that its absence is proven.

    Raises:
        Refused: CJ says no.
    """
    outcome = at.settle(f"cj-delete:{lot_id}", deleting(at, lot_id))
    if outcome.came is Came.REFUSED:
        raise Refused(f"CJ does not delete the order of lot {lot_id}: {outcome.error}.")
