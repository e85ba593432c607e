"""What a spectator must have seen by the end: one of everything an operator will meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots.models import History, Lot


@dataclass(frozen=True)
class Seen:
    """A lot as it ended, and every status it had."""

    invoice_id: int | None
    refunded: bool
    paid: bool
    life: tuple[str, ...]
    note: str = ""

    def was(self, *statuses: str) -> bool:
        """Whether it had these statuses, each some time after the one before."""
        left = iter(self.life)
        return all(status in left for status in statuses)


Lots = Sequence[Seen]
NO_BID = "no bid"


def _partly_refunded(lots: Lots) -> bool:
    gone = [one for one in lots if one.was("CJ_OUT_OF_STOCK") and one.refunded]
    kept = {one.invoice_id for one in lots if one.was("DELIVERED")}
    return any(one.invoice_id in kept for one in gone)


#: In the order in which they are told.
PROGRAMME: dict[str, Callable[[Lots], bool]] = {
    "a parcel delivered": lambda lots: any(one.was("DELIVERED") for one in lots),
    "two lots on one invoice": lambda lots: (
        max(Counter(one.invoice_id for one in lots if one.paid).values() or [0]) > 1
    ),
    "a lot out of stock, refunded in part of its invoice": _partly_refunded,
    "a price change refunded": lambda lots: any(one.was("CJ_PRICE_CHANGED") and one.refunded for one in lots),
    "a bid below the reserve": lambda lots: any(one.was("RESERVE_NOT_MET") and one.note != NO_BID for one in lots),
    "a card declined, and then paid": lambda lots: any(one.was("PAYMENT_FAILED", "PAID") for one in lots),
    "a buyer who never paid": lambda lots: any(
        one.was("AUCTION_CLOSED", "CANCELLED") and one.invoice_id and not one.paid for one in lots
    ),
}


def shown(session: Session) -> tuple[list[str], list[str]]:
    """What of the programme came, and what did not."""
    lives: dict[int, list[str]] = {}
    for hop in session.scalars(select(History).order_by(History.lot_id, History.seq)):
        lives.setdefault(hop.lot_id, []).append(hop.to)
    lots = [
        Seen(
            invoice_id=lot.invoice_id,
            refunded=lot.refund_status == "SUCCEEDED",
            paid=lot.paid_at is not None,
            life=tuple(lives.get(lot.id, ())),
            note=lot.error_message or "",
        )
        for lot in session.scalars(select(Lot))
    ]
    came = [what for what, holds in PROGRAMME.items() if holds(lots)]
    return came, [what for what in PROGRAMME if what not in came]
