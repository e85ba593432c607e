"""What a day may spend at CJ: reserved by one conditional update, tied to the pay effect."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.records import DailySpend


def reserve(session: Session, cents: int, cap_cents: int | None) -> bool:
    """Reserve this much of today's cap (UTC); False when it does not fit. Call it where the effect is planned."""
    day = now().date().isoformat()
    if session.get(DailySpend, day) is None:
        insert_once(session, DailySpend, day=day, reserved_cents=0)
    fits = update(DailySpend).where(DailySpend.day == day).values(reserved_cents=DailySpend.reserved_cents + cents)
    if cap_cents is not None:
        fits = fits.where(DailySpend.reserved_cents + cents <= cap_cents)
    taken = session.execute(fits.returning(DailySpend.day).execution_options(synchronize_session="fetch"))
    return taken.first() is not None


def add(session: Session, cents: int, at: datetime) -> None:
    """Count a payment that was made without a reservation of ours: by hand, or in time that a restored record lost.

    It counts whatever the cap says, on the day on which CJ took it.
    """
    day = at.astimezone(UTC).date().isoformat()
    if session.get(DailySpend, day) is None:
        insert_once(session, DailySpend, day=day, reserved_cents=0)
    session.execute(
        update(DailySpend).where(DailySpend.day == day).values(reserved_cents=DailySpend.reserved_cents + cents)
    )


def subject() -> str:
    """What a question about today's spend is about."""
    return f"spend:{now().date().isoformat()}"


def reserved(session: Session) -> int:
    """What today has spent or promised, in cents."""
    row = session.get(DailySpend, now().date().isoformat())
    return row.reserved_cents if row else 0


def give_back(session: Session, cents: int) -> None:
    """An order that will not be paid frees what was reserved for it."""
    day = now().date().isoformat()
    session.execute(
        update(DailySpend).where(DailySpend.day == day).values(reserved_cents=DailySpend.reserved_cents - cents)
    )
