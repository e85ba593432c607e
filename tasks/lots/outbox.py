"""Messages to the operator, kept until they are known to have arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.records import OutboxMessage

#: An emitted message that nobody confirmed in this time is emitted again.
CONFIRM_WITHIN = timedelta(minutes=8)
#: A message that has not arrived by then is a fault of the channel, and shown.
LATE = timedelta(minutes=20)


def note(session: Session, event: str, **facts: Any) -> None:
    """Let an event be emitted that is no alert: it is logged, and posted to nobody."""
    payload = {"severity": "INFO", "key": event, "since": now().isoformat(timespec="seconds"), **facts}
    session.add(OutboxMessage(event=event, payload=payload, created_at=now(), tries=0))


def due(session: Session, limit: int = 100) -> list[OutboxMessage]:
    """Messages that nobody emitted, or whose arrival nobody confirmed in time, oldest first."""
    stale = now() - CONFIRM_WITHIN
    return list(
        session.scalars(
            select(OutboxMessage)
            .where(
                OutboxMessage.delivered_at.is_(None),
                or_(OutboxMessage.emitted_at.is_(None), OutboxMessage.emitted_at < stale),
            )
            .order_by(OutboxMessage.id)
            .limit(limit)
        )
    )


def unconfirmed(session: Session) -> list[OutboxMessage]:
    """Messages emitted, but not known to have arrived."""
    return list(
        session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.delivered_at.is_(None), OutboxMessage.emitted_at.is_not(None))
            .order_by(OutboxMessage.id)
        )
    )


def emitted(session: Session, message_id: int) -> None:
    """It left as an event; whether it arrived is asked later."""
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id)
        .values(emitted_at=now(), tries=OutboxMessage.tries + 1)
    )


def delivered(session: Session, message_id: int) -> None:
    """It arrived."""
    session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(delivered_at=now(), error=None))


def failed(session: Session, message_id: int, error: str) -> None:
    """The channel did not take it from us; the next cycle tries again."""
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id)
        .values(emitted_at=None, tries=OutboxMessage.tries + 1, error=error)
    )


def refused(session: Session, message_id: int, error: str) -> None:
    """It left as an event, and the server could not post it; it is due again."""
    session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(emitted_at=None, error=error))


def complete(session: Session, message_id: int, payload: dict[str, Any]) -> None:
    """Keep what the first sender added to a message, so that a later one says the same."""
    session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(payload=payload))


def gather(session: Session, message_id: int, payload: dict[str, Any], others: Sequence[int]) -> None:
    """Let one message say what others say too, in the same moment: from then on it stands for them."""
    complete(session, message_id, payload)
    session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(others)).values(delivered_at=now()))


@dataclass(frozen=True)
class Waiting:
    """Messages that should have arrived by now."""

    number: int
    since: datetime
    error: str | None


def waiting(session: Session) -> Waiting | None:
    """What the operator was not told in time, and why; None when the channel works."""
    late = list(
        session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.delivered_at.is_(None))
            .where(or_(OutboxMessage.error.is_not(None), OutboxMessage.created_at < now() - LATE))
            .order_by(OutboxMessage.id)
        )
    )
    if not late:
        return None
    return Waiting(len(late), late[0].created_at, next((one.error for one in reversed(late) if one.error), None))
