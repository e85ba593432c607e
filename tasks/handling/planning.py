"""What a command would do, before it does it: made from the record alone, so that nobody outside is asked."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from tasks.lots.models import Lot


class UnknownLot(LookupError):
    """No lot has this id."""


class Refused(Exception):
    """Nothing was done; the message is one sentence."""


@dataclass(frozen=True)
class Call:
    """One call that changes the outside world. `operation` is the vendor's own word for it."""

    vendor: str
    operation: str
    subject: str  # the vendor's id of what it is about
    key: str  # the effect that makes it happen once
    cents: int | None = None  # what it gives back at most, or takes off the bill


@dataclass(frozen=True)
class Plan:
    """What shall happen to one lot: the calls in their order, or why nothing will."""

    lot_id: int
    status: str
    does: str
    calls: tuple[Call, ...] = ()
    refused: str | None = None


def lot_of(session: Session, lot_id: int) -> Lot:
    """One lot.

    Raises:
        UnknownLot: there is none.
    """
    lot = session.get(Lot, lot_id)
    if lot is None:
        raise UnknownLot(f"no lot has the id {lot_id}.")
    return lot
