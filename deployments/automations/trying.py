"""Alerts sent by hand, each through its own automation; what the server says of them is what became of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from prefect.events import Event
from prefect.events.clients import get_events_client

from tasks.lots.clock import now
from tasks.notifying import automations, posting
from tasks.rules.alerts import DATABASE_DOWN, NAMED, Alert
from tasks.settings import Settings

#: So long may the server take from the event to the channel's answer.
PATIENCE_SECONDS = 30.0
SILENT = "no answer: the channel refused it, or the server did not act (see its log)"


def send_by_hand(settings: Settings, names: Sequence[str], patience: float = PATIENCE_SECONDS) -> dict[str, str | None]:
    """Send a test of each alert; None for each that the channel took, else why not."""
    kind, _ = posting.channel(settings)
    automations.forget()
    watched = [name for name in names if automations.is_watched(name)]
    found: dict[str, str | None] = {
        name: "not applied, or switched off: type pipeline automations apply" for name in names if name not in watched
    }
    events = {name: _event(NAMED[name], kind) for name in watched}
    _emit(list(events.values()))
    ids = {str(event.id): name for name, event in events.items()}
    ends, heard = time.monotonic() + patience, dict[str, str | None]()
    while len(heard) < len(ids) and time.monotonic() < ends:
        time.sleep(0.5)
        heard = automations.outcomes(ids)
    found |= {name: heard.get(one, SILENT) for one, name in ids.items()}
    return {name: found[name] for name in names}


def _event(alert: Alert, kind: str) -> Event:
    at = now()
    payload: dict[str, Any] = {
        "what": "test",
        "alert": alert.name,
        "key": f"{alert.name}:test",
        "severity": alert.severity,
        "title": alert.rule,
        "text": "Nothing happened: this was sent by hand, to see that it arrives.",
        "since": at.isoformat(timespec="seconds"),
        "page": alert.page,
        "command": "pipeline automations test",
    }
    resource = {
        "prefect.resource.id": f"dropship.message.test-{uuid.uuid4()}",
        "prefect.resource.name": "a test, sent by hand",
        "prefect.state-name": "Failed",
        "prefect.state-message": DATABASE_DOWN + ": a test" if alert.name == "database" else "a test",
    }
    payload |= posting.parts(kind, payload)
    return Event(event=f"dropship.{alert.name}.test", occurred=at, resource=resource, payload=payload, id=uuid.uuid4())


def _emit(events: Sequence[Event]) -> None:
    """Straight to the server, and not by the background queue, which may be gone before it is empty."""
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def send() -> None:
        async with get_events_client() as client:
            for event in events:
                await client.emit(event)

    run_coro_as_sync(send())
