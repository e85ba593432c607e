"""Tracking: CJ's orders are read in hundreds, at a rhythm that follows their age, and ours follow them hop by hop."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tasks import letters
from tasks.clients.cj import ORDERS_ENDPOINT, Order, OrderStatus
from tasks.cycling import Several
from tasks.desk import Desk, desk
from tasks.lots import cj_calls, effects, inbox, incidents, outbox, spending
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.manners import SETTLED, Answer, State
from tasks.lots.models import Buyer, Invoice, Lot
from tasks.lots.moving import follow, hold, lock, move
from tasks.lots.states import LotStatus
from tasks.retrying import READING, task
from tasks.reversals import GONE_BACK, end_basta_order
from tasks.rules.thresholds import parcel_poll_after
from tasks.settling import CANCEL_ASKED, book_order

BATCH = 100
#: Our word for an order that CJ did not show at one look; the next one decides.
NOT_SHOWN = "NOT_SHOWN"
#: So long CJ must not show an order that nobody here wanted gone: half a morning's trouble there refunds no buyer.
GONE_AFTER = timedelta(hours=6)
UNDER_WAY = (LotStatus.PAID, LotStatus.CJ_ORDERED, LotStatus.CJ_PAID, LotStatus.SHIPPED)


def parcels_due(sale_id: str | None = None) -> list[list[int]]:
    """Orders whose next look is due, that CJ told of, or whose payment nobody saw the end of; a hundred a call.

    A call that is made anyway is filled up with the other orders under way, the longest unread first: so orders
    that were bought at different times come to be read together. Where calls do not come back, new orders are looked
    at as rarely as old ones: each purchase takes two more calls, and 30 days must fit into a lifetime's 1,000.
    """
    at = desk()
    base = timedelta(seconds=at.settings.parcel_poll_seconds)
    told = _told_of()
    with at.record.read() as session:
        query = select(Lot).where(Lot.cj_order_id.is_not(None), Lot.status.in_(UNDER_WAY)).order_by(Lot.id)
        lots = list(session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query))
        called = _called(session)
        scarce = cj_calls.is_scarce(session, ORDERS_ENDPOINT)
        due = [lot.id for lot in lots if lot.cj_order_number in told or lot.id in called or _is_due(lot, base, scarce)]
        others = sorted((lot for lot in lots if lot.id not in set(due)), key=lambda lot: lot.cj_polled_at or now())
    return _batches([*due, *(lot.id for lot in others[: -len(due) % BATCH])])


def payments_called(sale_id: str | None = None) -> list[list[int]]:
    """Orders whose payment was called and that nobody read since: they alone tell whether they are paid."""
    with desk().record.read() as session:
        lots = [session.get_one(Lot, lot_id) for lot_id in sorted(_called(session))]
        return _batches([lot.id for lot in lots if sale_id is None or lot.basta_sale_id == sale_id])


def _called(session: Session) -> set[int]:
    called = effects.unproven(session, "cj-pay")
    polled = {lot_id: session.get_one(Lot, lot_id).cj_polled_at for lot_id in called}
    return {lot_id for lot_id, at in called.items() if (polled[lot_id] or at) <= at}


def parcels_told(sale_id: str | None = None) -> list[list[int]]:
    """Orders that CJ told something of, since they were last read, a hundred a call."""
    told = _told_of()
    with desk().record.read() as session:
        query = select(Lot.id).where(Lot.cj_order_number.in_(told), Lot.cj_order_id.is_not(None)).order_by(Lot.id)
        return _batches(list(session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query)))


def _batches(lots: list[int]) -> list[list[int]]:
    return [lots[start : start + BATCH] for start in range(0, len(lots), BATCH)]


def _told_of() -> set[str]:
    """The orders that waiting messages are about; messages about none that is under way are done with."""
    found: dict[str, list[int]] = {}
    with desk().record.read() as session:
        for event in inbox.waiting(session, "cj"):
            found.setdefault(str(event.payload.get("order_number")), []).append(event.id)
        if not found:
            return set()
        ours = select(Lot.cj_order_number).where(Lot.cj_order_number.in_(found), Lot.status.in_(UNDER_WAY))
        waits = set(session.scalars(ours))
    strangers = [event for number, events in found.items() if number not in waits for event in events]
    if strangers:
        with desk().record.write() as session:
            inbox.handled(session, *strangers)
    return {number for number in found if number in waits}


def _is_due(lot: Lot, base: timedelta, scarce: bool) -> bool:
    age = now() - (lot.paid_at or lot.status_since)
    return lot.cj_polled_at is None or now() - lot.cj_polled_at >= parcel_poll_after(age, base, scarce=scarce)


@task(task_run_name="follow parcels", **READING)
def poll_parcels(lot_ids: list[int]) -> Several:
    """Read up to a hundred orders in one call, and bring their lots up to them."""
    return Several(poll(desk(), lot_ids), "moved on")


def poll(at: Desk, lot_ids: list[int]) -> int:
    """Read orders and apply each; how many moved on.

    Raises:
        ServiceUnavailable: CJ did not say.
    """
    with at.record.read() as session:
        lots = {lot.cj_order_number: lot for lot in session.scalars(select(Lot).where(Lot.id.in_(lot_ids)))}
        watched = {one.lot_id for one in incidents.open_ones(session)}
        events = [event.id for event in inbox.waiting(session, "cj") if event.payload.get("order_number") in lots]
    moved, unchanged = 0, []
    shown = at.cj.orders([number for number in lots if number])
    missing = lots.keys() - {order.number for order in shown}
    for order in (*shown, *_looked_for(at, [lots[number] for number in sorted(filter(None, missing))])):
        lot = lots.get(order.number)
        if lot is not None and lot.id not in watched and _is_as_before(lot, order):
            unchanged.append(lot.id)
        elif lot is not None:
            with at.record.write() as session:
                moved += apply(session, lot.id, order)
    with at.record.write() as session:
        session.execute(update(Lot).where(Lot.id.in_(unchanged)).values(cj_polled_at=now()))
        inbox.handled(session, *events)
    return moved


def _looked_for(at: Desk, missing: list[Lot]) -> list[Order]:
    """Ask for each order that a list left out, by its number and by its id: those that are there after all.

    Before it is confirmed an order can be deleted by hand, and is never shown again. CJ must say twice that there is
    none, the quiet time apart where we wanted it gone, else `GONE_AFTER`: then it is taken for cancelled. One that was
    paid is never taken for that, as goods may be under way: a person is told.
    """
    found: list[Order] = []
    for lot in missing:
        order = at.cj.order(str(lot.cj_order_number)) or at.cj.order(str(lot.cj_order_id))
        if order is not None:
            found.append(order)
            continue
        with at.record.write() as session:
            _not_shown(session, lot.id, at.quiet)
    return found


def _not_shown(session: Session, lot_id: int, quiet: timedelta) -> None:
    lot = lock(session, lot_id)
    if lot.status not in UNDER_WAY or lot.cj_status == OrderStatus.CANCELLED:
        return
    if lot.cj_status != NOT_SHOWN:
        lot.cj_status, lot.cj_polled_at = NOT_SHOWN, now()
        return
    absent = now() - (lot.cj_polled_at or now())
    if lot.status in (LotStatus.CJ_PAID, LotStatus.SHIPPED):
        if absent >= quiet:
            incidents.report(session, _vanished(lot))
        return
    wanted_gone = lot.hold_reason == CANCEL_ASKED or lot.refund_status is not None
    if absent >= (quiet if wanted_gone else GONE_AFTER):
        lot.cj_status, lot.cj_polled_at = OrderStatus.CANCELLED, now()
        _cancelled(session, lot, None)


def _vanished(lot: Lot) -> Trouble:
    return Trouble(
        key=f"not-shown:lot:{lot.id}",
        alert="order-cancelled",
        severity="HIGH",
        title=f"CJ does not show order {lot.cj_order_id} of lot {lot.id}, which it was paid for",
        text="Nothing is refunded, as its goods may be under way. Look at CJ: is it the right account?",
        command=f"pipeline lot show {lot.id}",
        lot_id=lot.id,
        cents=lot.cj_amount_cents,
    )


def _is_as_before(lot: Lot, order: Order) -> bool:
    """Whether a bought lot's order reads as it did when it was applied: most of them, most of the time."""
    return (
        lot.status in (LotStatus.CJ_PAID, LotStatus.SHIPPED)
        and order.status == lot.cj_status
        and order.amount_cents == lot.cj_amount_cents
        and order.tracking_number in (None, lot.tracking_number)
        and order.tracking_url in (None, lot.tracking_url)
    )


def apply(session: Session, lot_id: int, order: Order) -> bool:
    """Bring one lot up to its order at CJ, whoever did what there; whether it moved. Webhook and poll both end here."""
    lot = lock(session, lot_id)
    before = lot.status
    lot.cj_polled_at = now()
    if lot.status not in UNDER_WAY or (lot.cj_status == OrderStatus.CANCELLED and order.status != lot.cj_status):
        return False  # an older reading: what was deleted or cancelled at CJ stays so
    lot.cj_status = order.status
    incidents.over(session, f"not-shown:lot:{lot_id}")
    if order.status is OrderStatus.CANCELLED:
        return _cancelled(session, lot, order)
    if not order.status.is_paid:
        return False  # an unknown word moves nothing: what it means is for a person
    lot.tracking_number = order.tracking_number or lot.tracking_number
    lot.tracking_url = order.tracking_url or lot.tracking_url
    session.flush()
    _adopt_payment(session, lot, order)
    target = {
        OrderStatus.SHIPPED: LotStatus.SHIPPED,
        OrderStatus.DELIVERED: LotStatus.DELIVERED,
        OrderStatus.COMPLETED: LotStatus.DELIVERED,
    }.get(order.status, LotStatus.CJ_PAID)
    if target is not LotStatus.CJ_PAID:
        incidents.over(session, f"order-lives:lot:{lot_id}")  # it cannot be stopped any more
    if _behind(before, target):
        if lot.hold_reason == CANCEL_ASKED:
            _paid_all_the_same(session, lot)
        for hop in follow(session, lot_id, target):
            _tell_buyer(session, lot_id, hop, order)
    return lot.status is not before


def _paid_all_the_same(session: Session, lot: Lot) -> None:
    """Tell the operator, to whom we said that it is not paid any more: a call was under way, or a hand paid it."""
    outbox.note(
        session,
        "dropship.order.paid-all-the-same",
        alert="order-cancelled",
        severity="HIGH",
        title=f"CJ order {lot.cj_order_id} of lot {lot.id}, which was to be cancelled, is paid",
        text="It goes on to its buyer. To stop it, open a dispute at CJ.",
        lot_id=lot.id,
        cents=lot.cj_amount_cents,
    )


def _behind(ours: LotStatus, theirs: LotStatus) -> bool:
    """News that comes late ("SHIPPED" after "DELIVERED") moves nothing back."""
    road = (LotStatus.PAID, LotStatus.CJ_ORDERED, LotStatus.CJ_PAID, LotStatus.SHIPPED, LotStatus.DELIVERED)
    return road.index(ours) < road.index(theirs)


def _adopt_payment(session: Session, lot: Lot, order: Order) -> None:
    """An order that CJ shows as paid is paid: what we planned for it is settled, never repeated."""
    given = {"order_id": order.order_id}
    answer = Answer(order.order_id, {"amount_cents": order.amount_cents, "goods_cents": order.goods_cents})
    effects.adopt(session, f"cj-confirm:{lot.id}", Answer(order.order_id, {}), given, lot_id=lot.id)
    unplanned = effects.state_of(session, f"cj-pay:{lot.id}") is None
    if effects.adopt(session, f"cj-pay:{lot.id}", answer, given, lot_id=lot.id) and unplanned:
        spending.add(session, order.amount_cents or lot.cj_amount_cents or 0, order.paid_at or now())
    if order.amount_cents is not None or lot.cj_amount_cents is not None:
        book_order(session, lot.id, order.order_id, dict(answer.facts))
    incidents.over(session, f"pay:lot:{lot.id}")


def _cancelled(session: Session, lot: Lot, order: Order | None) -> bool:
    """CJ, or a person there, cancelled the order: never made again; the buyer gets the money back.

    Args:
        order: as CJ shows it; None where it was deleted, and nothing but the purse tells whether it was paid.
    """
    unsure = order is None and lot.id in effects.unproven(session, "cj-pay")
    incidents.over(session, f"pay:lot:{lot.id}")
    incidents.over(session, f"order-lives:lot:{lot.id}")
    if order is not None and order.paid_at is not None:
        # It was paid before that, whatever became of our call: what CJ took is booked.
        session.flush()
        _adopt_payment(session, lot, order)
    gone = "cancelled" if order else "deleted"
    effects.have_no_use(session, f"the order is {gone} at CJ", f"cj-confirm:{lot.id}", f"cj-pay:{lot.id}")
    _adopt_deletion(session, lot)
    if lot.refund_status in GONE_BACK:  # the buyer has the money already: nothing is left to do for this lot
        move(session, lot.id, LotStatus.CANCELLED, why=f"{lot.hold_reason or 'given back'}: its order was {gone}")
        end_basta_order(session, lot)
        return True
    if lot.refund_status is None:
        lot.refund_status = "PLANNED"
        hold(session, lot.id, "cancelled at CJ", f"the order was {gone} at CJ: the buyer gets the money back")
        paid = effects.state_of(session, f"cj-pay:{lot.id}") in (State.DONE, State.ADOPTED)
        incidents.report(
            session,
            Trouble(
                key=f"cancelled:lot:{lot.id}",
                alert="order-cancelled",
                severity="HIGH",
                title=f"CJ order {lot.cj_order_id} of lot {lot.id} is {gone}",
                text="The buyer is refunded."
                + (" See that CJ gives its price back to our balance." if paid else "")
                + (
                    " Its payment was called: see in CJ's wallet whether that was taken, and ask for it."
                    if unsure
                    else ""
                ),
                command=f"pipeline lot show {lot.id}",
                lot_id=lot.id,
                cents=lot.cj_amount_cents,
            ),
        )
    return False


def _adopt_deletion(session: Session, lot: Lot) -> None:
    """What we had begun to delete is gone, whoever did it: no later step asks about it."""
    key, given = f"cj-delete:{lot.id}", {"order_id": lot.cj_order_id}
    if effects.state_of(session, key) not in (None, *SETTLED):
        effects.adopt(session, key, Answer(lot.cj_order_id, {}), given, lot_id=lot.id)


def _tell_buyer(session: Session, lot_id: int, hop: LotStatus, order: Order) -> None:
    lot = session.get_one(Lot, lot_id)
    if hop is LotStatus.SHIPPED:
        lot.shipped_at = now()
    elif hop is LotStatus.DELIVERED:
        lot.delivered_at = now()
    else:
        return
    invoice = session.get_one(Invoice, lot.invoice_id)
    buyer = session.get_one(Buyer, invoice.buyer_id)
    shipped = hop is LotStatus.SHIPPED
    facts: dict[str, object] = {"name": buyer.name, "title": lot.title}
    if shipped:
        facts |= {
            "carrier": order.logistic_name,
            "tracking_number": lot.tracking_number,
            "tracking_url": lot.tracking_url,
        }
    template = "order_shipped" if shipped else "order_delivered"
    letters.post(session, template, f"lot-{lot_id}", to=buyer.email, facts=facts, lot_id=lot_id)
