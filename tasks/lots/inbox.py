"""Verified webhooks, kept until their work is done. An event is marked handled after the work, never before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.records import InboxEvent

KEEP = timedelta(days=30)
#: Stripe's events that we asked for: their work is the same, and they prove nothing of its webhooks.
ASKED = "stripe, asked"

# Each stage asks one of them: built once.
_WAITING = select(InboxEvent).where(InboxEvent.handled_at.is_(None)).order_by(InboxEvent.id).limit(bindparam("limit"))
_WAITING_OF = _WAITING.where(InboxEvent.source.in_(bindparam("sources", expanding=True)))


def receive(record: Record, source: str, external_id: str, type_: str, payload: Mapping[str, Any]) -> bool:
    """Store an event, durable before this returns; False when the vendor told it before."""
    at = now()
    event = InboxEvent(
        source=source,
        external_id=external_id,
        type=type_,
        payload=dict(payload),
        received_at=at,
        tries=0,
        expires_at=at + KEEP,
    )
    try:
        with record.write() as session:
            session.add(event)
    except IntegrityError:
        return False
    return True


def known(session: Session, external_ids: Sequence[str], *sources: str) -> set[str]:
    """Those of these events that are here already, handled or not."""
    query = select(InboxEvent.external_id).where(
        InboxEvent.source.in_(sources), InboxEvent.external_id.in_(list(external_ids))
    )
    return set(session.scalars(query))


def waiting(session: Session, *sources: str, limit: int = 500) -> list[InboxEvent]:
    """Events whose work is not done, oldest first."""
    if not sources:
        return list(session.scalars(_WAITING, {"limit": limit}))
    return list(session.scalars(_WAITING_OF, {"limit": limit, "sources": sources}))


def handled(session: Session, *ids: int) -> None:
    """The work of these is done."""
    session.execute(update(InboxEvent).where(InboxEvent.id.in_(ids)).values(handled_at=now(), error=None))


def failed(session: Session, event_id: int, error: str) -> None:
    """The work of this one failed; the next cycle tries again."""
    session.execute(update(InboxEvent).where(InboxEvent.id == event_id).values(tries=InboxEvent.tries + 1, error=error))


def expire(session: Session) -> int:
    """Forget handled events past their time; how many."""
    gone = session.execute(
        delete(InboxEvent)
        .where(InboxEvent.handled_at.is_not(None), InboxEvent.expires_at < now())
        .returning(InboxEvent.id)
    )
    return len(gone.all())
