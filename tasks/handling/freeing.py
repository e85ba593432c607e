"""Freeing a lot: ending what it waits for, and giving it the address that its buyer did not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tasks.clients.basta import User
from tasks.desk import Desk
from tasks.fulfilment.address import Address
from tasks.fulfilment.ordering import NO_ADDRESS
from tasks.handling.planning import Plan, Refused, lot_of
from tasks.invoicing.planning import refused_calls
from tasks.lots import effects
from tasks.lots.clock import now
from tasks.lots.manners import State
from tasks.lots.models import Buyer, Invoice, Lot
from tasks.lots.moving import lock, release
from tasks.lots.records import Effect
from tasks.lots.states import FINAL, LotStatus

#: Holds that no retry can end: what does, in words.
STAYS = {
    "dispute": "the bank decides it",
    "lost to a dispute": "the money is gone",
    "refunded elsewhere": "its money went back to the buyer",
    "refund batch": "answer the question: pipeline approvals list",
    "voided_elsewhere": "cancel it: its invoice is void",
    "cancelled at CJ": "its refund is on its way",
}
#: CJ takes no longer parts.
LONGEST = 200
NO_ORDER = (State.PLANNED, State.REFUSED, State.DROPPED)
BEFORE_THE_ORDER = (LotStatus.AUCTION_CLOSED, LotStatus.PAYMENT_FAILED, LotStatus.PAID)


def plan_retry(at: Desk, lot_id: int) -> Plan:
    """What a retry would end; it calls nobody.

    Raises:
        UnknownLot: there is no such lot.
    """
    with at.record.read() as session:
        return _retry_plan(session, lot_of(session, lot_id))


def _retry_plan(session: Session, lot: Lot) -> Plan:
    def refused(why: str) -> Plan:
        return Plan(lot.id, str(lot.status), "nothing", refused=f"lot {lot.id} is {lot.status}: {why}.")

    if lot.status in FINAL:
        return refused("that is final")
    if lot.hold_reason in STAYS:
        return refused(f"it waits for {lot.hold_reason!r}, and {STAYS[lot.hold_reason]}")
    charge = _next_charge(session, lot)
    ends = [f"its wait for {lot.hold_reason!r} ends"] if lot.hold_reason else []
    if invoice := _refused_invoice(session, lot):
        ends.append(f"what was refused for invoice {invoice.id} is asked for again")
    ends += [f"its buyer's card is charged at once, not at {charge:%Y-%m-%d %H:%M} UTC"] if charge else []
    if not ends:
        return refused("nothing holds it; the next cycle does what can be done")
    return Plan(lot.id, str(lot.status), f"{' and '.join(ends)}; the next cycle tries now")


def _refused_invoice(session: Session, lot: Lot) -> Invoice | None:
    """A lot's invoice with a call that was refused, and that it cannot do without."""
    if lot.invoice_id is None or lot.refund_status is not None:
        return None
    invoice = session.get_one(Invoice, lot.invoice_id)
    return invoice if refused_calls(session, invoice) else None


def _next_charge(session: Session, lot: Lot) -> datetime | None:
    if lot.status is not LotStatus.PAYMENT_FAILED or lot.invoice_id is None:
        return None
    at = session.get_one(Invoice, lot.invoice_id).next_charge_at
    return at if at and at > now() else None


def retry(at: Desk, plan: Plan) -> str:
    """End the wait; what happens next, in words.

    Raises:
        Refused: it waits for something that no retry ends.
        ServiceUnavailable, ServiceRefused: Basta did not tell who the buyer is; nothing was done.
    """
    who = _who_was_refused(at, plan.lot_id)
    with at.record.write() as session:
        lot = lock(session, plan.lot_id)
        current = _retry_plan(session, lot)
        if current.refused:
            raise Refused(current.refused)
        if _next_charge(session, lot):
            session.get_one(Invoice, lot.invoice_id).next_charge_at = now()
        if invoice := _refused_invoice(session, lot):
            _ask_again(session, invoice, who)
        release(session, lot.id)
    return current.does


def _who_was_refused(at: Desk, lot_id: int) -> User | None:
    """The buyer as Basta knows them now, where Stripe refused them: an e-mail address may be mended there."""
    with at.record.read() as session:
        invoice = _refused_invoice(session, lot_of(session, lot_id))
        if invoice is None or not any(one.kind == "customer" for one in refused_calls(session, invoice)):
            return None
        user_id = session.get_one(Buyer, invoice.buyer_id).basta_user_id
    return at.basta.user(user_id)


def _ask_again(session: Session, invoice: Invoice, who: User | None) -> None:
    for call in refused_calls(session, invoice):
        effects.reopen(session, call.key, call.request)
    if who is not None:
        buyer = session.get_one(Buyer, invoice.buyer_id)
        buyer.name, buyer.email = who.name or buyer.name, who.email or buyer.email


def address_of(parts: dict[str, str]) -> Address:
    """An address from its parts, checked.

    Raises:
        Refused: it is incomplete, too long, or no address; the message quotes none of it.
    """
    clean = {name: " ".join(value.split()) for name, value in parts.items()}
    for name, value in clean.items():
        if len(value) > LONGEST or not value.isprintable():
            raise Refused(f"the {name.replace('_', ' ')} is too long, or is no text.")
    country = clean["country"].upper()
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise Refused("the country is no code of two letters, such as US.")
    address = Address(**{**clean, "country": country, "province": clean["province"] or clean["city"]})
    if not address.complete:
        raise Refused("the address needs a name, a street, a city, a postal code and a country.")
    return address


def plan_address(at: Desk, lot_id: int) -> Plan:
    """Whether a lot's address may be set now; it calls nobody.

    Raises:
        UnknownLot: there is no such lot.
    """
    with at.record.read() as session:
        return _address_plan(session, lot_of(session, lot_id))


def _address_plan(session: Session, lot: Lot) -> Plan:
    order = session.get(Effect, f"cj-order:{lot.id}")
    # One that was asked for and is proven absent may land yet, and would go to the address that was asked for.
    late = order is not None and (
        order.state not in NO_ORDER or (order.state == State.PLANNED and order.acted_at is not None)
    )
    if lot.status not in BEFORE_THE_ORDER or late or lot.refund_status:
        why = "its order may be made already" if late else "an address is set between its sale and its order"
        why = "its buyer is being refunded" if lot.refund_status else why
        return Plan(lot.id, str(lot.status), "nothing", refused=f"lot {lot.id} is {lot.status}: {why}.")
    replaced = "is replaced" if lot.ship_to else "is set"
    freed = ", and its wait for one ends" if lot.hold_reason == NO_ADDRESS else ""
    return Plan(lot.id, str(lot.status), f"its shipping address {replaced}{freed}")


def set_address(at: Desk, plan: Plan, address: Address) -> str:
    """Freeze an address on the lot, before anything is ordered; what was done, in words that show none of it.

    Raises:
        Refused: its order may exist already.
    """
    with at.record.write() as session:
        lot = lock(session, plan.lot_id)
        current = _address_plan(session, lot)
        if current.refused:
            raise Refused(current.refused)
        lot.ship_to = address.frozen()
        release(session, lot.id, NO_ADDRESS)
    return current.does
