"""Which of our alerts the Prefect server tells by itself, and which of our events it has acted on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from tasks.lots.clock import now
from tasks.retrying import is_serverless
from tasks.rules.alerts import automation_name

EXECUTED, FAILED = "prefect.automation.action.executed", "prefect.automation.action.failed"
#: Event ids in one question.
AT_ONCE = 20
_logger = logging.getLogger(__name__)


def has_server() -> bool:
    """Whether there is a Prefect server that could post for us."""
    return bool(PREFECT_API_URL.value()) and not is_serverless()


@lru_cache(maxsize=1)
def _enabled(minute: int) -> frozenset[str]:
    """The names of all automations that are switched on; asked once a minute."""
    found: list[dict[str, Any]] = []
    with get_client(sync_client=True) as client:
        while len(found) % 200 == 0:
            page = client._client.post("/automations/filter", json={"limit": 200, "offset": len(found)}).json()
            if not page:
                break
            found += page
    return frozenset(str(one["name"]) for one in found if one["enabled"])


def is_watched(alert: str) -> bool:
    """Whether an enabled automation tells this alert; False without a server, or when it cannot be asked."""
    if not has_server():
        return False
    try:
        return automation_name(alert) in _enabled(int(now().timestamp() // 60))
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        _logger.warning("the Prefect server did not say what it watches: %s", type(error).__name__)
        return False


def forget() -> None:
    """Ask the server anew: its automations were changed a moment ago."""
    _enabled.cache_clear()


def outcomes(event_ids: Iterable[str]) -> dict[str, str | None]:
    """What became of the actions that these events triggered: None for done, else why not.

    An event that is not in the answer has triggered nothing yet, or was lost, or Prefect gave it up without a word,
    as it does when the channel answers with an error.
    """
    wanted = sorted(event_ids)
    found: dict[str, str | None] = {}
    with get_client(sync_client=True) as client:
        for start in range(0, len(wanted), AT_ONCE):
            ids = [f"prefect.event.{one}" for one in wanted[start : start + AT_ONCE]]
            asked = {"filter": {"event": {"name": [EXECUTED, FAILED]}, "related": {"id": ids}}, "limit": 50}
            for event in client._client.post("/events/filter", json=asked).json()["events"]:
                for related in event.get("related") or ():
                    one = str(related.get("prefect.resource.id", "")).removeprefix("prefect.event.")
                    if one not in wanted:
                        continue
                    if event["event"] == EXECUTED:
                        found[one] = None
                    else:
                        found.setdefault(one, str((event.get("payload") or {}).get("reason") or "no reason given"))
    return found
