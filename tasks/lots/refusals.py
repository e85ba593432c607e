"""Webhooks that were refused, counted by source, hour and reason, so that failing signatures are seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.records import InboxEvent, WebhookRefusal

KEEP = timedelta(days=30)
#: A signature was there, and did not hold; without one it is hardly the vendor who knocks.
FAILING = ("wrong", "stale", "closed")


def count(session: Session, numbers: Mapping[tuple[str, str], int]) -> None:
    """Add so many refusals by (source, reason) to this hour, and forget those that are old."""
    at = now()
    hour = at.replace(minute=0, second=0, microsecond=0)
    for (source, reason), number in numbers.items():
        known = session.execute(
            update(WebhookRefusal)
            .where(WebhookRefusal.source == source, WebhookRefusal.hour == hour, WebhookRefusal.reason == reason)
            .values(count=WebhookRefusal.count + number, last_at=at)
            .returning(WebhookRefusal.source)
            .execution_options(synchronize_session=False)
        ).first()
        if known is None:
            session.add(WebhookRefusal(source=source, hour=hour, reason=reason, count=number, last_at=at))
            session.flush()
    session.execute(delete(WebhookRefusal).where(WebhookRefusal.hour < at - KEEP))


@dataclass(frozen=True)
class Signatures:
    """How one source's signatures have held since a moment."""

    failing: int  # signed, and not to be believed
    stale: int  # of those, genuine but for their time: look at this machine's clock
    genuine: int  # distinct events that were kept
    last_failing_at: datetime | None
    last_genuine_at: datetime | None

    @property
    def is_failing(self) -> bool:
        """Whether the last that was heard of this source, and signed, was not to be believed."""
        if self.last_failing_at is None:
            return False
        return self.last_genuine_at is None or self.last_failing_at > self.last_genuine_at


def signatures(session: Session, source: str, since: datetime) -> Signatures:
    """How a source's signatures have held since then (whole hours for those that failed)."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    rows = session.scalars(
        select(WebhookRefusal).where(
            WebhookRefusal.source == source, WebhookRefusal.hour >= hour, WebhookRefusal.reason.in_(FAILING)
        )
    ).all()
    kept = select(func.count(InboxEvent.id), func.max(InboxEvent.received_at)).where(
        InboxEvent.source == source, InboxEvent.received_at >= since
    )
    genuine, last_genuine_at = session.execute(kept).one()
    return Signatures(
        failing=sum(row.count for row in rows),
        stale=sum(row.count for row in rows if row.reason == "stale"),
        genuine=genuine,
        last_failing_at=max((row.last_at for row in rows), default=None),
        last_genuine_at=last_genuine_at,
    )
