"""What the Prefect server's automations watch, and which of our events they have acted on."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatch
from functools import lru_cache
from typing import Any

import httpx
from prefect.client.orchestration import get_client

from tasks.lots.clock import now

ACTED = ("prefect.automation.action.executed", "prefect.automation.action.failed")
LOOK_BACK = timedelta(hours=1)


@lru_cache(maxsize=1)
def _watched(minute: int) -> tuple[str, ...]:
    """The event patterns that an enabled automation of ours waits for; asked once a minute."""
    with get_client(sync_client=True) as client:
        answer = client._client.post("/automations/filter", json={"limit": 200})
        answer.raise_for_status()
    found: list[str] = []
    for automation in answer.json():
        if automation.get("enabled") and str(automation.get("name", "")).startswith("dropship"):
            found += (automation.get("trigger") or {}).get("expect") or []
    return tuple(found)


def is_watched(event: str) -> bool:
    """Whether an enabled automation will post this event; False when the server cannot be asked."""
    try:
        patterns = _watched(int(now().timestamp() // 60))
    except (httpx.HTTPError, OSError):
        return False
    return any(fnmatch(event, pattern) for pattern in patterns)


def delivered_keys(event_ids: set[str]) -> dict[str, bool]:
    """Event id -> whether the action it triggered succeeded, for those that the server knows of."""
    since = (now() - LOOK_BACK).isoformat()
    asked: dict[str, Any] = {
        "filter": {"event": {"name": list(ACTED)}, "occurred": {"since": since}},
        "limit": 50,
    }
    outcomes: dict[str, bool] = {}
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events/filter", json=asked)
        answer.raise_for_status()
        for event in answer.json()["events"]:
            for related in event.get("related") or ():
                name = related.get("prefect.resource.id", "").removeprefix("prefect.event.")
                if name in event_ids:
                    succeeded = event["event"] == ACTED[0]
                    outcomes[name] = outcomes.get(name, False) or succeeded
    return outcomes
