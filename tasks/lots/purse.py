"""CJ's purse: what it must hold by our books, and what a change of it says that they do not explain.

CJ lists no movement of the purse; it tells only what is in it. So each change that no order of ours explains is booked
as it is seen, as nobody's. A rise of exactly what cancelled orders had cost is their credit: until one is seen, CJ has
given nothing back. A change that later bookings explain (an order paid by hand, read after the purse) is undone by
its counterpart. What falls between two looks together with money put in by hand cannot be told apart, and stays
nobody's: the operator was told of the order when it was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.lots import effects, ledger
from tasks.lots.clock import now
from tasks.lots.ledger import Kind
from tasks.lots.models import Lot
from tasks.lots.records import LedgerEntry

VENDOR = "cj"
SPENT = (Kind.GOODS, Kind.FREIGHT)
#: As long as CJ may take for it; afterwards the nightly comparison still looks.
PATIENCE = timedelta(days=30)
#: More cancelled orders than these are not tried in every combination.
MOST_AT_ONCE = 12
OPENING, CHANGE = "opening", "change"


@dataclass(frozen=True)
class Owed:
    """A cancelled order of which CJ has not been seen to give back what it took."""

    lot_id: int
    order_id: str
    cents: int


def owed(session: Session, sale_id: str | None = None, *, recent: bool = False) -> list[Owed]:
    """What CJ took for orders that are cancelled now, oldest lot first."""
    booked = select(LedgerEntry.lot_id, func.sum(-LedgerEntry.cents).label("cents")).where(
        LedgerEntry.kind.in_((*SPENT, Kind.CJ_CREDIT))
    )
    sums = booked.group_by(LedgerEntry.lot_id).subquery()
    query = select(Lot, sums.c.cents).join(sums, sums.c.lot_id == Lot.id).where(sums.c.cents > 0)
    query = query.where(Lot.cj_status == "CANCELLED", Lot.cj_order_id.is_not(None)).order_by(Lot.id)
    query = query.where(Lot.basta_sale_id == sale_id) if sale_id else query
    query = query.where(Lot.updated_at >= now() - PATIENCE) if recent else query
    return [Owed(lot.id, str(lot.cj_order_id), int(cents)) for lot, cents in session.execute(query)]


def is_known(session: Session) -> bool:
    """Whether somebody has looked into it."""
    return session.execute(select(LedgerEntry.id).where(LedgerEntry.kind == Kind.CJ_PURSE)).first() is not None


def expected(session: Session) -> int | None:
    """What it must hold; None while a payment is under way of which nobody knows whether it was taken.

    Ask before the purse is read, and give it to `see`: what was booked in between is not in what was read.
    """
    if effects.unproven(session, "cj-pay"):
        return None
    query = select(func.coalesce(func.sum(LedgerEntry.cents), 0)).where(LedgerEntry.vendor == VENDOR)
    return int(session.execute(query).scalar_one())


def see(session: Session, seen_cents: int, before_cents: int | None) -> list[Owed]:
    """Book how the purse changed, and the credits that show in it; those. A second call for one reading books nothing.

    Args:
        before_cents: `expected`, as it was before the reading.
    """
    if before_cents is None or expected(session) != before_cents:
        return []  # it moves just now: the next look will do
    opened = is_known(session)
    _change(session, seen_cents - before_cents, CHANGE if opened else OPENING)
    return list(_credits(session)) if opened else []


def _credits(session: Session) -> Iterator[Owed]:
    """Let each rise that is nobody's yet undo the fall that it explains, or be what CJ gave back."""
    rows = list(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == Kind.CJ_PURSE).order_by(LedgerEntry.id)))
    explained = {row.vendor_id for row in rows}
    nobodys = [row for row in rows if row.vendor_id == CHANGE and row.fact not in explained]
    for rise in [row for row in nobodys if row.cents > 0]:
        fall = next((row for row in nobodys if row.cents == -rise.cents and row.id < rise.id), None)
        if fall is not None:
            nobodys.remove(fall)
            _change(session, -fall.cents, fall.fact)
            _change(session, -rise.cents, rise.fact)
            continue
        for one in _together(owed(session), rise.cents):
            _change(session, -one.cents, rise.fact)
            fact = f"credit:{one.order_id}"
            ledger.book(
                session, fact, Kind.CJ_CREDIT, one.cents, vendor=VENDOR, vendor_id=one.order_id, lot_id=one.lot_id
            )
            yield one


def _together(waiting: list[Owed], cents: int) -> tuple[Owed, ...]:
    """The fewest, oldest orders that had cost exactly this together."""
    some = waiting[:MOST_AT_ONCE]
    tried = (chosen for size in range(1, len(some) + 1) for chosen in combinations(some, size))
    return next((chosen for chosen in tried if sum(one.cents for one in chosen) == cents), ())


def _change(session: Session, cents: int, why: str) -> None:
    """One row of the purse: `why` is the opening, a change, or the change that this row explains away."""
    number = session.execute(
        select(func.count()).select_from(LedgerEntry).where(LedgerEntry.kind == Kind.CJ_PURSE)
    ).scalar_one()
    ledger.book(session, f"purse:{number}", Kind.CJ_PURSE, cents, vendor=VENDOR, vendor_id=why)
