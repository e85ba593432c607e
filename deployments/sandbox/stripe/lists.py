"""Lists as Stripe gives them: the newest first, filtered, page by page."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from deployments.sandbox.stripe.store import invalid

Row = dict[str, Any]
MOST = 100
BOUNDS = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}


def newest(rows: Iterable[Row]) -> list[Row]:
    """The last made comes first."""
    return list(reversed(list(rows)))


def filtered(rows: Iterable[Row], given: Row, *names: str) -> list[Row]:
    """The rows that have what was asked for, within `created` where that was given."""
    kept = [row for row in rows if all(row[name] == given[name] for name in names if given.get(name))]
    created = given.get("created") or {}
    if isinstance(created, str):
        return [row for row in kept if row["created"] == int(created)]
    return [row for row in kept if all(BOUNDS[word](row["created"], int(at)) for word, at in created.items())]


def page(rows: list[Row], given: Row) -> Row:
    """`limit` rows after `starting_after`, or just before `ending_before`.

    Raises:
        ApiError: a limit out of bounds, or a place that is not in the list.
    """
    limit = int(given.get("limit", 10))
    if not 1 <= limit <= MOST:
        raise invalid(f"limit is from 1 to {MOST}", param="limit")
    if given.get("ending_before"):
        end = _place(rows, given, "ending_before")
        start = max(end - limit, 0)
        return {"object": "list", "data": rows[start:end], "has_more": start > 0}
    start = _place(rows, given, "starting_after") + 1 if given.get("starting_after") else 0
    shown = rows[start : start + limit]
    return {"object": "list", "data": shown, "has_more": start + limit < len(rows)}


def _place(rows: list[Row], given: Row, name: str) -> int:
    for at, row in enumerate(rows):
        if row["id"] == given[name]:
            return at
    raise invalid(f"No such object: '{given[name]}'", code="resource_missing", param=name)
