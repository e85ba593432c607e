"""Many messages of one kind at once become one: how many, the worst, and the others by their titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.lots.incidents import SEVERITIES

#: So many of one alert and one occasion are told apart; more become one message.
TOLD_APART = 3
#: The whole list would be cut by the channel anyway; `pipeline status` has all of it.
MOST_NAMED = 40
ALL_OF_IT = "pipeline status"


def together(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One message for many: as grave as the gravest, since the first, with all the money at stake."""
    by_weight = sorted(messages, key=_weight, reverse=True)
    worst, others = by_weight[0], by_weight[1:]
    commands = {one.get("command") for one in messages}
    cents = sum(int(one.get("cents") or 0) for one in messages)
    named = [f"- {one['title']}" for one in others[:MOST_NAMED]]
    if len(others) > MOST_NAMED:
        named.append(f"and {len(others) - MOST_NAMED} more.")
    return {
        **worst,
        "title": f"{len(messages)} at once, the worst: {worst['title']}",
        "text": "\n".join([worst["text"], "And:", *named]),
        "command": commands.pop() if len(commands) == 1 else ALL_OF_IT,
        "lot_id": None,
        "cents": cents or None,
        "since": min(one["since"] for one in messages),
        "gathered": len(messages),
    }


def _weight(message: dict[str, Any]) -> tuple[int, int]:
    return SEVERITIES.index(message["severity"]), abs(int(message.get("cents") or 0))
