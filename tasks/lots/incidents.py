"""What the operator must know: opened once, told when it opens, worsens, every 12 hours, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.records import Incident, OutboxMessage

REMIND_AFTER = timedelta(hours=12)
SEVERITIES = ("INFO", "MEDIUM", "WARNING", "HIGH", "CRITICAL")  # in rising order

# Each cycle asks them several times: built once.
_OPEN = select(Incident).where(Incident.closed_at.is_(None)).order_by(Incident.opened_at)
_OPEN_OF_KEY = select(Incident).where(Incident.key == bindparam("key"), Incident.closed_at.is_(None))


@dataclass(frozen=True)
class Trouble:
    """One finding, as a stage sees it now.

    `alert` is the alert's name (`quota`, `lot-stuck`); `key` tells two findings of one alert apart;
    `cents` is the money at stake; `command` is what to type.
    """

    key: str
    alert: str
    severity: str
    title: str
    text: str
    command: str | None = None
    lot_id: int | None = None
    cents: int | None = None


def report(session: Session, trouble: Trouble) -> Incident:
    """Open an incident, or bring the open one up to date, and queue the message that is due."""
    at = now()
    incident = _open_one(session, trouble.key)
    if incident is None:
        new = insert_once(session, Incident, **asdict(trouble), opened_at=at)
        incident = session.scalars(_OPEN_OF_KEY, {"key": trouble.key}).one()
        if new:
            _tell(session, incident, "opened")
            return incident
    worse = SEVERITIES.index(trouble.severity) > SEVERITIES.index(incident.severity)
    incident.severity, incident.title, incident.text = trouble.severity, trouble.title, trouble.text
    incident.command, incident.cents = trouble.command, trouble.cents
    if worse:
        _tell(session, incident, "worsened")
    elif incident.told_at and at - incident.told_at >= REMIND_AFTER:
        _tell(session, incident, "reminder")
    return incident


def over(session: Session, key: str) -> bool:
    """The trouble has passed; False when there was none."""
    incident = _open_one(session, key)
    if incident is None:
        return False
    incident.closed_at = now()
    _tell(session, incident, "over")
    return True


def end_quietly(session: Session, key: str) -> None:
    """Close an incident without a message, where whoever ended it knows."""
    if incident := _open_one(session, key):
        incident.closed_at = now()


def settle(session: Session, prefix: str, still: Sequence[Trouble]) -> None:
    """Report every trouble of a kind, and close those open ones that are not among them."""
    for trouble in still:
        report(session, trouble)
    keys = {trouble.key for trouble in still}
    for incident in open_ones(session, prefix):
        if incident.key not in keys:
            over(session, incident.key)


def open_ones(session: Session, prefix: str = "") -> list[Incident]:
    """The incidents that are open, the gravest first."""
    ours = [incident for incident in session.scalars(_OPEN) if incident.key.startswith(prefix)]
    return sorted(ours, key=lambda one: -SEVERITIES.index(one.severity))


def _open_one(session: Session, key: str) -> Incident | None:
    return session.scalars(_OPEN_OF_KEY, {"key": key}).one_or_none()


def _tell(session: Session, incident: Incident, what: str) -> None:
    incident.told_at = now()
    payload: dict[str, Any] = {
        "what": what,
        "alert": incident.alert,
        "key": incident.key,
        "severity": incident.severity,
        "title": incident.title,
        "text": incident.text,
        "command": incident.command,
        "lot_id": incident.lot_id,
        "cents": incident.cents,
        "since": incident.opened_at.isoformat(timespec="seconds"),
    }
    session.add(
        OutboxMessage(
            event=f"dropship.{incident.alert}.{what}",
            incident_id=incident.id,
            payload=payload,
            created_at=now(),
            tries=0,
        )
    )
    session.flush()
