"""The meter at CJ's door: what CJ told us of its allowance, and the calls by which it was overrun.

Overrun is, by what CJ itself said and counted, and never by our own record:

- a call that CJ refused for its quota, though we knew that nothing was left: CJ had told so within the hour, or
  refused the same endpoint within the hour, or the number that it told was used up by our own calls since; and
- a search, with which every sourcing run begins, while CJ's last reading, not older than an hour, left fewer calls
  of any endpoint than the reserve that sourcing must keep (`QUOTA_CRITICAL`).

What reached nobody told nobody: an answer that was lost, and the last call of a process that died.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from deployments.sandbox.cj.envelope import POINTS_EXHAUSTED
from deployments.sandbox.cj.quota import COSTS, COUNT_EXHAUSTED, PREFIX, UNCOUNTED
from deployments.sandbox.wire import Reply

SEARCH, READING = "/product/listV2", "/setting/get"
REFUSALS = (COUNT_EXHAUSTED, POINTS_EXHAUSTED, 429)
HOLDS_FOR = timedelta(hours=1)


@dataclass
class _Known:
    """What we were told: calls left and since when, by endpoint; points and since when; and the last reading."""

    left: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    points: tuple[int, datetime] | None = None
    reading: tuple[dict[str, int], datetime] | None = None


class Meter:
    """Told of every call to CJ.

    Args:
        quota: CJ's own, which knows its regime and what it refused.
        now: the moment.
        reserve: calls of each endpoint with fewer of which nothing may be sourced.
    """

    def __init__(self, quota: Any, now: Callable[[], datetime], reserve: int) -> None:
        self._quota, self._now, self._reserve = quota, now, reserve
        self._known = self._before = _Known()
        self.overruns: list[str] = []

    @contextmanager
    def call(self, path: str) -> Iterator[None]:
        """One call, judged when CJ has had it."""
        refused, at = len(self._quota.refused), self._now()
        if path == SEARCH and (few := self._few(at)):
            self.overruns.append(f"{at:%d %H:%M:%S} a search, with few calls left of {few}")
        yield
        if len(self._quota.refused) > refused and self._is_spent(path, at):
            self.overruns.append(f"{at:%d %H:%M:%S} {path} was called, and nothing was left of it")
        self._before, known = self._known, self._known
        if path in known.left and not path.startswith(UNCOUNTED):
            left, since = known.left[path]
            self._known = replace(known, left={**known.left, path: (left - 1, since)})

    def heard(self, path: str, reply: Reply) -> None:
        """An answer that reached us, if it tells anything."""
        try:
            body = json.loads(reply.body)
        except ValueError:
            return
        if not isinstance(body, dict):
            return
        known, at = self._known, self._now()
        points, data = body.get("pointsInfo"), body.get("data")
        if points:
            known = replace(known, points=(points["remaining"], at))
        if body.get("code") in REFUSALS:
            known = replace(known, left={**known.left, path: (0, at)})
        elif path == READING and body.get("code") == 200:
            rows = {
                row["quotaUrl"].removeprefix(PREFIX): row["quotaLimit"] - row["requestedNum"]
                for row in data["setting"]["quotaLimits"]
            }
            afford = {one: points["remaining"] // cost for one, cost in COSTS.items()} if points else {}
            known = _Known({one: (left, at) for one, left in rows.items()}, known.points, ({**afford, **rows}, at))
        self._known = known

    def died(self) -> None:
        """The process that called is gone, and its last call with it, if that was not written down."""
        self._known = self._before

    def _is_spent(self, path: str, at: datetime) -> bool:
        left, since = self._known.left.get(path, (1, at))
        points, told = self._known.points or (0, None)
        poor = told is not None and COSTS.get(path, 0) > points and at - told < HOLDS_FOR
        return poor or (left <= 0 and at - since < HOLDS_FOR)

    def _few(self, at: datetime) -> str:
        left, since = self._known.reading or ({}, at)
        if at - since >= HOLDS_FOR:
            return ""
        return ", ".join(f"{one} ({number})" for one, number in left.items() if number < self._reserve)
