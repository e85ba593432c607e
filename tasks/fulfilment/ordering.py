"""An order at CJ, from nothing to paid: four effects, each done once, with the order's own detail as the judge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks import letters
from tasks.clients import cj as vendor
from tasks.clients.service import ServiceRefused, ServiceUnavailable
from tasks.desk import Desk
from tasks.fulfilment import address as addresses
from tasks.fulfilment import capping
from tasks.fulfilment.address import Address
from tasks.fulfilment.capping import CAP
from tasks.fulfilment.checking import Quote, Verdict, payment_trouble, quote
from tasks.lots import effects, incidents, outbox, spending
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.manners import SETTLED, Answer, Attempt, Came, Manner, Outcome, Proof, State
from tasks.lots.models import Buyer, Invoice, Lot
from tasks.lots.moving import hold, lock, move, release
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.rules.money import dollars
from tasks.rules.pricing import rose_too_much
from tasks.settling import NOT_CONFIRMED, TOO_DEAR, book_order

NO_ADDRESS, REFUSED = "no address", "refused by CJ"
#: An address is looked for again after a fifth of the time that it is missing, and after six hours at most.
LONGEST_LOOK = timedelta(hours=6)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=10), timedelta(hours=6)
#: A payment that shows no effect is tried twice at most; then a person decides.
MOST_PAYS = 2


def order_goods(desk: Desk, lot_id: int) -> str:
    """Check a paid lot and create its order at CJ, unpaid; what came of it, in a word.

    Raises:
        Unsettled, ServiceUnavailable, GuardUnknown: not now; nothing is lost.
    """
    with desk.record.read() as session:
        lot = session.get_one(Lot, lot_id)
        invoice = session.get_one(Invoice, lot.invoice_id)
        buyer = session.get_one(Buyer, invoice.buyer_id)
        state = effects.state_of(session, f"cj-order:{lot_id}")
    if state in (None, State.PLANNED, State.REFUSED, State.DROPPED):
        if payment_trouble(desk, lot_id, invoice):
            return "on hold"
        where = Address(**lot.ship_to) if lot.ship_to else addresses.find(desk, invoice, buyer)
        if where is None:
            return _ask_for_address(desk, lot_id, buyer)
        offer = quote(desk, lot, where)
        if isinstance(offer, Verdict):
            return _cannot_be_bought(desk, lot_id, offer)
        if not _plan_order(desk, lot_id, where, offer):
            return "left alone"
    outcome = desk.settle(f"cj-order:{lot_id}", creating(desk, lot_id))
    if outcome.came is Came.REFUSED:
        return _refused(desk, lot_id, outcome)
    return outcome.came.value


def _is_unordered(session: Session, lot: Lot) -> bool:
    """Whether nobody ordered it, or gave it up, since it was read: what was decided about it still holds."""
    state = effects.state_of(session, f"cj-order:{lot.id}")
    return lot.status is LotStatus.PAID and state in (None, State.PLANNED, State.REFUSED, State.DROPPED)


def number_of(desk: Desk, lot_id: int) -> str:
    """A lot's order number at CJ, one for ever: at most 50 characters, and no other record's."""
    return desk.record.known_as(f"HS-{lot_id}")


def _plan_order(desk: Desk, lot_id: int, where: Address, offer: Quote) -> bool:
    """Freeze address and request, in one transaction with the checks that exclude a refund."""
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if lot.status is not LotStatus.PAID or lot.refund_status or effects.of_lot(session, lot_id, "refund"):
            return False
        lot.ship_to = where.frozen()
        lot.cj_order_number = number_of(desk, lot_id)
        lot.from_country, lot.logistic_name = offer.from_country, offer.logistic_name
        release(session, lot_id, NO_ADDRESS, REFUSED)
        request = {
            "number": lot.cj_order_number,
            "vid": lot.cj_vid,
            "logistic_name": offer.logistic_name,
            "from_country": offer.from_country,
            "goods_cents": offer.goods_cents,
            "freight_cents": offer.freight_cents,
        }
        effects.plan(session, f"cj-order:{lot_id}", request, lot_id=lot_id)
        effects.reopen(session, f"cj-order:{lot_id}", request)
    return True


def creating(desk: Desk, lot_id: int) -> Manner:
    """How an order is looked for, created and recorded."""

    def look(attempt: Attempt) -> Answer | None:
        order = desk.cj.order(attempt.request["number"])
        return None if order is None else Answer(order.order_id, {"amount_cents": order.amount_cents})

    def act(attempt: Attempt) -> Answer:
        with desk.record.read() as session:
            where = Address(**(session.get_one(Lot, lot_id).ship_to or {}))
        request = attempt.request
        new = vendor.NewOrder(
            number=request["number"],
            vid=request["vid"],
            logistic_name=request["logistic_name"],
            from_country=request["from_country"],
            country=where.country,
            country_name=where.country,
            province=where.province,
            city=where.city,
            line1=where.line1,
            line2=where.line2,
            zip_code=where.zip_code,
            name=where.name,
            phone=where.phone,
        )
        try:
            created = desk.cj.create_order(new)
        except vendor.OrderNumberTaken as taken:
            found = look(attempt)  # an earlier attempt landed after all
            if found is None:
                raise ServiceUnavailable("CJ", "createOrderV2", "the number is taken, but not shown yet") from taken
            return found
        return Answer(created.order_id, {"amount_cents": created.amount_cents})

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        lot = lock(session, lot_id)
        lot.cj_order_id, lot.error_message = answer.vendor_id, None

    # CJ refuses a second order of one number, so an order that is not there may be made at once.
    return Manner(look=look, act=act, record=record, conclusive=True)


def compare_orders(desk: Desk, lot_ids: list[int]) -> int:
    """Read created orders in one call, and let each be confirmed, or be deleted where it became too dear.

    How many may be confirmed.
    """
    with desk.record.read() as session:
        lots = {lot.cj_order_number: lot for lot in session.scalars(select(Lot).where(Lot.id.in_(lot_ids)))}
    orders = desk.cj.orders([number for number in lots if number])
    return sum(compare(desk, lots[order.number].id, order) for order in orders if order.number in lots)


def delete_order(desk: Desk, lot_id: int) -> str:
    """Delete an order that became too dear; CJ does not tell what it cost, once it is gone.

    Raises:
        Unsettled: CJ did not say whether it deleted it: it is asked about again.
    """
    return desk.settle(f"cj-delete:{lot_id}", deleting(desk, lot_id)).came.value


def is_too_dear(request: Mapping[str, Any]) -> bool:
    """Whether an order is deleted for its price; else an operator asked for it."""
    return "amount_cents" in request


def compare(desk: Desk, lot_id: int, order: vendor.Order) -> bool:
    """Judge one order by its own detail, and plan what follows; True when it may be confirmed and paid."""
    if order.amount_cents is None:
        return False  # CJ is still working it out: wait
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if lot.status is not LotStatus.PAID or effects.state_of(session, f"cj-confirm:{lot_id}") is not None:
            return False  # judged meanwhile by somebody else, whose reading may be the newer one
        if effects.state_of(session, f"cj-delete:{lot_id}") not in (None, *SETTLED):
            return False  # its deletion may have happened, or happen yet: cheap again or not, it comes to its end
        if desk.settings.test_orders and not order.is_sandbox:
            hold(session, lot_id, "no test order", "CJ does not say that this is a test order: nothing is paid")
            return False
        lot.cj_order_id, lot.cj_status = order.order_id, order.status
        lot.cj_amount_cents = order.amount_cents
        request = session.get_one(Effect, f"cj-order:{lot_id}").request
        quoted = request["goods_cents"] + request["freight_cents"]
        limit = desk.settings.price_rise_limit
        too_dear = rose_too_much(sourced_cents=lot.landed_cents, now_cents=order.amount_cents, limit=limit)
        facts: dict[str, Any] = {"order_id": order.order_id, "amount_cents": order.amount_cents}
        if order.amount_cents != quoted:
            facts["quoted_cents"] = quoted
        if order.amount_cents != quoted:
            _note_difference(session, lot, order.amount_cents - quoted)
        if too_dear and order.status is not vendor.OrderStatus.UNPAID:
            effects.plan(session, f"cj-delete:{lot_id}", facts, lot_id=lot_id)
            effects.reopen(session, f"cj-delete:{lot_id}", facts)  # a person let go of the lot that CJ's no held
        elif too_dear:
            _too_dear(session, lot, "It is confirmed, and CJ lets nobody delete such a one by its API.")
        elif order.status is vendor.OrderStatus.UNPAID:
            _confirmed(session, lot_id, order.order_id)
        elif order.status.is_unpaid:
            effects.plan(session, f"cj-confirm:{lot_id}", facts, lot_id=lot_id)
    return not too_dear


def _too_dear(session: Session, lot: Lot, why: str) -> None:
    """Hold a lot whose order is not bought, and which we cannot delete: a person is told for as long as it waits."""
    asked, planned = dollars(lot.cj_amount_cents or 0), dollars(lot.landed_cents)
    hold(session, lot.id, TOO_DEAR, f"CJ asks {asked} for the order, {planned} when sourced. {why}")


def _note_difference(session: Session, lot: Lot, cents: int) -> None:
    """What CJ takes is what is booked; that it was not what it quoted stays on record."""
    outbox.note(
        session,
        "dropship.order.amount-differs",
        title=f"CJ order {lot.cj_order_id} of lot {lot.id} costs {dollars(cents)} more than quoted",
        text="The amount that CJ asks is the one that is judged, paid and booked.",
        lot_id=lot.id,
        cents=cents,
    )


def deleting(desk: Desk, lot_id: int) -> Manner:
    """How an unconfirmed order is seen to be gone, deleted, and recorded, whoever wanted it gone."""

    def look(attempt: Attempt) -> Answer | None:
        found = desk.cj.order(attempt.request["order_id"])
        gone = found is None or found.status is vendor.OrderStatus.CANCELLED
        return Answer(attempt.request["order_id"], {}) if gone else None

    def act(attempt: Attempt) -> Answer:
        desk.cj.delete_order(attempt.request["order_id"])
        return Answer(attempt.request["order_id"], {})

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        lot = lock(session, lot_id)
        lot.cj_status = vendor.OrderStatus.CANCELLED
        if not is_too_dear(attempt.request):
            return  # its refund follows
        asked, planned = dollars(attempt.request["amount_cents"]), dollars(lot.landed_cents)
        move(session, lot_id, LotStatus.CJ_PRICE_CHANGED, why=f"CJ asks {asked} for the order, {planned} when sourced")

    def refused(session: Session, attempt: Attempt, error: Exception) -> None:
        if is_too_dear(attempt.request):  # else the operator who typed it is told
            _too_dear(session, lock(session, lot_id), f"CJ does not delete it: {error}.")

    return Manner(look=look, act=act, record=record, refused=refused, conclusive=True)


def confirm_order(desk: Desk, lot_id: int) -> str:
    """Confirm an accepted order: that is CJ_ORDERED. One that CJ said no to waits until a person lets it go on."""
    key = f"cj-confirm:{lot_id}"
    with desk.record.read() as session:
        was_refused = effects.state_of(session, key) is State.REFUSED
    if was_refused:
        with desk.record.write() as session:
            lot = lock(session, lot_id)
            if lot.status is LotStatus.PAID and lot.hold_reason is None and lot.refund_status is None:
                effects.reopen(session, key, session.get_one(Effect, key).request)
    return desk.settle(key, confirming(desk, lot_id)).came.value


def confirming(desk: Desk, lot_id: int) -> Manner:
    """How an order is seen to be confirmed, confirmed, and recorded."""

    def look(attempt: Attempt) -> Answer | None:
        order = desk.cj.order(attempt.request["order_id"])
        if order is None or order.status in (vendor.OrderStatus.CREATED, vendor.OrderStatus.IN_CART):
            return None
        if order.status in (vendor.OrderStatus.CANCELLED, vendor.OrderStatus.UNKNOWN):
            raise ServiceUnavailable("CJ", "getOrderDetail", f"the order to be confirmed is {order.raw_status}")
        return Answer(order.order_id, {})

    def act(attempt: Attempt) -> Answer:
        desk.cj.confirm_order(attempt.request["order_id"])
        return Answer(attempt.request["order_id"], {})

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        move(session, lot_id, LotStatus.CJ_ORDERED)

    def refused(session: Session, attempt: Attempt, error: Exception) -> None:
        hold(session, lot_id, NOT_CONFIRMED, f"CJ does not confirm the order: {error}.")

    return Manner(look=look, act=act, record=record, refused=refused)


def _confirmed(session: Session, lot_id: int, order_id: str) -> None:
    """Some accounts get their orders confirmed at once: the hop settles the effect."""
    if effects.adopt(session, f"cj-confirm:{lot_id}", Answer(order_id, {}), {"order_id": order_id}, lot_id=lot_id):
        move(session, lot_id, LotStatus.CJ_ORDERED)


def pay_order(desk: Desk, lot_id: int) -> str:
    """Pay a confirmed order from CJ's balance. Only the order's own detail makes it CJ_PAID, read for all at once."""
    if not _plan_pay(desk, lot_id):
        return "on hold"
    outcome = desk.perform(f"cj-pay:{lot_id}", paying(desk, lot_id))
    if outcome.came is not Came.WAITING:
        return outcome.came.value
    if outcome.error is None:
        return "called"
    _tell_of_pay(desk, lot_id, outcome)
    return "waiting"


def paying(desk: Desk, lot_id: int) -> Manner:
    """How an order is seen to be paid, paid, and booked."""

    def look(attempt: Attempt) -> Answer | None:
        order = desk.cj.order(attempt.request["order_id"])
        if order is None:
            raise ServiceUnavailable("CJ", "getOrderDetail", "the order to be paid is not shown")
        if order.status.is_unpaid:
            return None
        if not order.status.is_paid:  # cancelled there: tracking adopts that, and refunds the buyer
            raise ServiceUnavailable("CJ", "getOrderDetail", f"the order to be paid is {order.raw_status}")
        return _answer(order)

    def act(attempt: Attempt) -> Proof:
        order_id = attempt.request["order_id"]
        try:
            (desk.cj.simulate_pay if desk.settings.test_orders else desk.cj.pay_order)(order_id)
        except ServiceRefused as error:
            # Its word is no proof that the balance did not move: the next look decides.
            raise ServiceUnavailable("CJ", "payBalance", error.message, status=error.status, code=error.code) from error
        return Proof.BY_READING

    def record(session: Session, attempt: Attempt, answer: Answer) -> None:
        book_order(session, lot_id, str(answer.vendor_id), dict(answer.facts))
        move(session, lot_id, LotStatus.CJ_PAID)

    return Manner(look=look, act=act, record=record, twice=True, most=MOST_PAYS)


def _plan_pay(desk: Desk, lot_id: int) -> bool:
    """Reserve the day's cap and plan the payment, together; and nothing without a captured payment on record."""
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        invoice = session.get_one(Invoice, lot.invoice_id)
        known = effects.state_of(session, f"cj-pay:{lot_id}")
        if lot.status is not LotStatus.CJ_ORDERED or lot.hold_reason not in (None, CAP) or lot.refund_status:
            return False
        if invoice.status != "PAID" or not invoice.paid_cents or lot.cj_amount_cents is None:
            return False
        if known in (None, State.DROPPED):  # given up with the order, which a retry takes up again
            if capping.is_unsure(session, desk):
                capping.wait_for_look(session, lot)
                return False
            today = now().date().isoformat()
            before = session.get(Effect, f"cj-pay:{lot_id}")
            is_reserved = before is not None and before.request.get("reserved_on") == today
            if not is_reserved and not spending.reserve(session, lot.cj_amount_cents, capping.cap_cents(session, desk)):
                capping.wait(session, desk, lot)
                return False
            request = {"order_id": lot.cj_order_id, "amount_cents": lot.cj_amount_cents, "reserved_on": today}
            effects.plan(session, f"cj-pay:{lot_id}", request, lot_id=lot_id)
            effects.reopen(session, f"cj-pay:{lot_id}", request)
        release(session, lot_id, CAP)
    return True


def _answer(order: vendor.Order) -> Answer:
    return Answer(
        order.order_id,
        {"amount_cents": order.amount_cents, "goods_cents": order.goods_cents, "status": str(order.status)},
    )


def _tell_of_pay(desk: Desk, lot_id: int, outcome: Outcome) -> None:
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if lot.status is not LotStatus.CJ_ORDERED:
            return  # paid after all, as another worker has seen
        lot.error_message = outcome.error
        if outcome.error and "a person must decide" in outcome.error:
            trouble = Trouble(
                key=f"pay:lot:{lot_id}",
                alert="fulfilment-failures",
                severity="CRITICAL",
                title=f"CJ order {lot.cj_order_id} does not get paid",
                text="Two payments had no effect. Pay it, or delete it, at CJ by hand: either is adopted.",
                command=f"pipeline lot show {lot.id}",
                lot_id=lot_id,
                cents=lot.cj_amount_cents,
            )
            incidents.report(session, trouble)


def _ask_for_address(desk: Desk, lot_id: int, buyer: Buyer) -> str:
    """Hold the lot, ask its buyer once, and plan the refund when the deadline has passed."""
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if not _is_unordered(session, lot):
            return "left alone"
        deadline = (lot.paid_at or now()) + timedelta(days=desk.settings.address_deadline_days)
        if now() >= deadline:
            lot.refund_status = lot.refund_status or "PLANNED"
            hold(session, lot_id, NO_ADDRESS, "no address came in time: the buyer gets the money back")
            return "refund planned"
        waited = now() - (lot.paid_at or now())
        again = min(now() + min(waited / 5, LONGEST_LOOK), deadline)
        hold(session, lot_id, NO_ADDRESS, "the buyer has no complete shipping address: asked for one", until=again)
        letters.post(
            session,
            "address_needed",
            f"lot-{lot_id}",
            to=buyer.email,
            facts={"name": buyer.name, "title": lot.title, "deadline": f"{deadline:%d %B %Y}"},
            lot_id=lot_id,
        )
    return "on hold"


def _cannot_be_bought(desk: Desk, lot_id: int, verdict: Verdict) -> str:
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if _is_unordered(session, lot) and (
            effects.state_of(session, f"cj-order:{lot_id}") is not State.PLANNED
            or effects.drop(session, f"cj-order:{lot_id}", verdict.why)
        ):
            move(session, lot_id, verdict.status, why=verdict.why)
            return verdict.status.lower()
    return "left alone"


def _refused(desk: Desk, lot_id: int, outcome: Outcome) -> str:
    """CJ said no: wait longer each time, and give up after the retry days. A refusal is proof of absence."""
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        if not _is_unordered(session, lot):
            return "left alone"
        why = outcome.error or "CJ refused the order"
        tried = session.get_one(Effect, f"cj-order:{lot_id}").attempts
        if now() - (lot.paid_at or lot.status_since) >= timedelta(days=desk.settings.fulfilment_retry_days):
            lot.refund_status = lot.refund_status or "PLANNED"
            hold(session, lot_id, REFUSED, f"{why}: given up, the buyer gets the money back")
            return "refund planned"
        hold(session, lot_id, REFUSED, why, until=now() + min(FIRST_WAIT * 2 ** (tried - 1), LONGEST_WAIT))
    return "refused"
