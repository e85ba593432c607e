"""Asking every vendor what became of the effects whose end nobody knows; nothing is done but to adopt what is there.

Each kind of effect is asked about in the manner in which its stage does it. What a vendor says is remembered for some
seconds, so that the lots of one sale cost one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.charging import charging
from tasks.clients.cj import OrderStatus
from tasks.clients.service import ServiceError
from tasks.collecting import voiding
from tasks.desk import Desk, desk
from tasks.fulfilment import ordering
from tasks.invoicing import sending
from tasks.listing import making, pictures, publishing
from tasks.listing.unlisting import unlisting
from tasks.lots import effects, restored
from tasks.lots.clock import now
from tasks.lots.manners import Attempt, Came, Manner
from tasks.lots.models import Buyer, Invoice, Lot, Sale
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.notifying.mails import KEYS_LAST
from tasks.noting import telling
from tasks.refunding import giving_back
from tasks.retrying import READING, run_logger, task

BASTA, STRIPE, CJ = "Basta", "Stripe", "CJ"
#: For so long an answer is as good as new: what is asked about is older by the quiet time, and by this.
REMEMBERED = timedelta(seconds=10)
#: So many errors of a vendor in a row end the asking there: the rest would only wait for the same.
ABSENCES = 3
#: So many orders CJ shows in one call.
BATCH = 100
FORGOTTEN = "Resend does not know any more whether it went out, and it is not sent again"


@dataclass(frozen=True)
class Asker:
    """Which vendor knows what became of a kind of effect, and in which manner it is asked."""

    vendor: str
    manner: Callable[[Desk, Effect], Manner]


@dataclass
class Asked:
    """What came of asking."""

    adopted: int = 0
    left: list[str] = field(default_factory=list)  # why some were not asked about
    goes_on: bool = False  # whether it was found in a restored record, so that its next steps may have happened too


def _no_act(_: Attempt) -> NoReturn:
    raise AssertionError("who asks does nothing")


#: Where the thing that a call would have changed was never made.
NEVER = Manner(look=lambda _: None, act=_no_act)


def _row(at: Desk, table: type[Any], row_id: int | None) -> Any:
    with at.record.read() as session:
        return session.get_one(table, row_id)


def _image(at: Desk, one: Effect) -> Manner:
    return pictures.uploading(at, _row(at, Lot, one.lot_id), int(one.key.rpartition(":")[2]))


def _policy(at: Desk, _: Effect) -> Manner:
    return publishing.making_policy(at) if at.basta.has_policies else NEVER


def _customer(at: Desk, one: Effect) -> Manner:
    return sending.keeping_customer(at, _row(at, Buyer, int(one.key.rpartition(":")[2])))


def _of_buyer(at: Desk, one: Effect) -> Buyer:
    buyer: Buyer = _row(at, Buyer, _row(at, Invoice, one.invoice_id).buyer_id)
    return buyer


def _invoice(at: Desk, one: Effect) -> Manner:
    bill = sending.bill_of(at, one.invoice_id or 0)
    customer = bill.buyer.stripe_customer_id or sending.customer_of(at, bill.buyer)
    if customer is None:
        return NEVER
    return sending.building(at, bill, customer, has_card=sending.knows_card(at, bill.invoice, customer))


def _note(at: Desk, one: Effect) -> Manner:
    return telling(at, one.invoice_id or 0)


#: Every kind of effect that can be of unknown end, but for mails.
ASKERS: dict[str, Asker] = {
    "sale": Asker(BASTA, lambda at, one: making.making_sale(at, one.sale_id or 0)),
    "lot": Asker(BASTA, lambda at, one: making.listing_lot(at, _row(at, Lot, one.lot_id))),
    "image": Asker(BASTA, _image),
    "policy": Asker(BASTA, _policy),
    "publish": Asker(BASTA, lambda at, one: publishing.publishing_sale(at, _row(at, Sale, one.sale_id))),
    "unlist": Asker(BASTA, lambda at, one: unlisting(at, one.lot_id or 0, _row(at, Lot, one.lot_id).basta_sale_id)),
    "basta-order": Asker(BASTA, lambda at, one: sending.ordering(at, sending.bill_of(at, one.invoice_id or 0))),
    "basta-publish": Asker(BASTA, lambda at, one: sending.publishing(at, _of_buyer(at, one))),
    "basta-invoice": Asker(BASTA, _note),
    "basta-payment": Asker(BASTA, _note),
    "basta-cancel": Asker(BASTA, _note),
    "customer": Asker(STRIPE, _customer),
    "place": Asker(STRIPE, lambda at, one: sending.placing(at, _of_buyer(at, one))),
    "invoice": Asker(STRIPE, _invoice),
    "pay": Asker(STRIPE, lambda at, one: charging(at, one.invoice_id or 0)),
    "void": Asker(STRIPE, lambda at, _: voiding(at)),
    "refund": Asker(STRIPE, lambda at, one: giving_back(at, one.lot_id or 0)),
    "cj-order": Asker(CJ, lambda at, one: ordering.creating(at, one.lot_id or 0)),
    "cj-confirm": Asker(CJ, lambda at, one: ordering.confirming(at, one.lot_id or 0)),
    "cj-pay": Asker(CJ, lambda at, one: ordering.paying(at, one.lot_id or 0)),
    "cj-delete": Asker(CJ, lambda at, one: ordering.deleting(at, one.lot_id or 0)),
}
#: Who knows about the others.
NOT_ASKED = {
    "mail": "every cycle sends it again under its key, of which Resend makes one mail; after that nobody can tell",
    "edit": "it is adopted in the moment in which it is seen",
}


def ask(between: Callable[[], None]) -> Asked:
    """Ask every vendor about every effect that somebody began and nobody saw the end of.

    Args:
        between: called before each vendor.
    """
    asked, at = Asked(), desk()
    _forget_mails()
    with at.record.write() as session:
        if restored.since(session) is not None:  # what a run was to do next may have happened since
            making.plan_next(at, session)
    for vendor in (BASTA, STRIPE, CJ):
        between()
        there = ask_at(vendor)
        asked.adopted += there.adopted
        asked.left += there.left
    with at.record.read() as session:
        asked.goes_on = asked.adopted > 0 and restored.since(session) is not None
    return asked


@task(task_run_name="ask {vendor}", **READING)
def ask_at(vendor: str) -> Asked:
    """Ask one vendor. Running it again adopts nothing twice."""
    at, log, asked, away = desk(), run_logger(), Asked(), 0
    reading = _reading(at)
    ends = now() + timedelta(seconds=at.settings.process_budget_seconds)
    with at.record.read() as session:
        waiting = [one for one in effects.to_ask(session) if _is_known_by(vendor, one)]
    if vendor == CJ:
        _read_together(at, reading, waiting)
    for number, one in enumerate(waiting):
        if away >= ABSENCES or now() >= ends:
            why = "did not answer" if away >= ABSENCES else "took too long"
            asked.left.append(f"{vendor} {why} ({len(waiting) - number} left)")
            break
        failed: list[Exception] = []
        try:
            outcome = at.ask(one.key, _watched(ASKERS[one.kind].manner(reading, one), failed), heard=REMEMBERED)
        except Exception as error:
            failed.append(error)
            log.warning("%s could not be asked about: %s", one.key, error)
            if not isinstance(error, ServiceError):  # a fault of ours: the others are asked about all the same
                asked.left.append(f"asking about {one.key} failed: {type(error).__name__}: {error}")
                continue
        else:
            log.info("%s was asked about: %s", one.key, outcome.error or outcome.came.value)
            asked.adopted += outcome.came is Came.DONE
        away = away + 1 if any(isinstance(error, ServiceError) for error in failed) else 0
    if vendor == BASTA:
        try:
            asked.adopted += _adopt_pictures(reading)
        except ServiceError as error:
            asked.left.append(f"the pictures that were put up could not be read: {error}")
    return asked


def _read_together(at: Desk, reading: Desk, waiting: list[Effect]) -> None:
    """Read several orders in one call; those that it leaves out, or shows as unpaid, are read each by itself."""
    names = sorted({str(one.request.get("number") or one.request.get("order_id")) for one in waiting})[:BATCH]
    if len(names) < 2:
        return
    try:
        orders = at.cj.orders(names)
    except ServiceError as error:
        run_logger().warning("orders could not be read together, each is asked for: %s", error)
        return
    remembers: Any = reading.cj
    for order in orders:
        if order.status is not OrderStatus.UNPAID:
            remembers.remember("order", order.number, order)
            remembers.remember("order", order.order_id, order)


def _is_known_by(vendor: str, one: Effect) -> bool:
    return one.kind in ASKERS and ASKERS[one.kind].vendor == vendor


def _watched(manner: Manner, failed: list[Exception]) -> Manner:
    def look(attempt: Attempt) -> Any:
        try:
            return manner.look(attempt)
        except Exception as error:
            failed.append(error)
            raise

    return replace(manner, look=look, act=_no_act)


def _forget_mails() -> None:
    """Give up mails whose key Resend has forgotten: better none than two, and nobody will ever know more."""
    at = desk()
    with at.record.write() as session:
        for one in effects.to_ask(session):
            if one.kind == "mail" and one.acted_at and one.acted_at <= now() - KEYS_LAST:
                effects.give_up(session, one.key, FORGOTTEN, begun=True)


def _adopt_pictures(at: Desk) -> int:
    """In a restored record, adopt the pictures of which no effect tells: the next run would put them up again."""
    with at.record.read() as session:
        if restored.since(session) is None:
            return 0
        lots = list(_unpublished(session))
    found = 0
    for lot in lots:
        items = [item for item in at.basta.items(str(lot.basta_sale_id)) if item.id == lot.basta_item_id]
        with at.record.write() as session:
            found += sum(pictures.adopt_shown(at, session, lot, item) for item in items)
    return found


def _unpublished(session: Session) -> Iterator[Lot]:
    query = select(Lot).join(Sale, Sale.id == Lot.sale_id).where(Lot.status == LotStatus.LISTED)
    yield from session.scalars(query.where(Sale.published_at.is_(None)).order_by(Lot.id))


class _Remembering:
    """A vendor's reads, each answered from memory for some seconds."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._said: dict[tuple[Any, ...], tuple[datetime, Any]] = {}

    def remember(self, name: str, given: Any, answer: Any) -> None:
        self._said[name, given] = now(), answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client(), name)
        if not callable(found):
            return found

        def read(*given: Any) -> Any:
            said_at, answer = self._said.get((name, *given), (None, None))
            if said_at is None or now() - said_at >= REMEMBERED:
                said_at = now()
                answer = found(*given)
                self._said[name, *given] = said_at, answer
            return answer

        return read


def _reading(at: Desk) -> Desk:
    """The same desk, with vendors that are asked the same thing once."""
    reading = copy(at)
    reading.__dict__.update(
        {
            "basta": _Remembering(lambda: at.basta),
            "cj": _Remembering(lambda: at.cj),
            "stripe": _Remembering(lambda: at.stripe),
        }
    )
    return reading


__all__ = ["ASKERS", "NOT_ASKED", "Asked", "ask"]
