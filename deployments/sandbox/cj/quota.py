"""How much may be asked: the pace, the points, and the older counts of calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from deployments.sandbox.cj.envelope import POINTS_EXHAUSTED, RATE_EXCEEDED, Refusal
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.world import Clock

COUNT_EXHAUSTED = 1600201
PREFIX = "/api2.0/v1"

#: Points that a call costs; the others are free.
COSTS: dict[str, int] = {
    "/product/list": 50,
    "/product/listV2": 50,
    "/product/query": 10,
    "/product/variant/query": 10,
    "/product/variant/queryByVid": 10,
    "/product/stock/queryByVid": 10,
    "/product/stock/queryBySku": 10,
    "/product/stock/getInventoryByPid": 10,
    "/logistic/freightCalculate": 10,
}

#: Never counted, so that one can always log in and look how much is left.
UNCOUNTED = ("/authentication/", "/setting/")


class Gate:
    """One request per interval for the whole account, on the real clock: no process can speed that up."""

    def __init__(self, options: CjOptions, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._options, self._monotonic = options, monotonic
        self._last: float | None = None
        self.breaches = 0

    def arrive(self) -> bool:
        """Whether a call may come in now; a breach is counted, and takes no slot."""
        now = self._monotonic()
        interval = self._options.min_interval_seconds
        if interval > 0 and self._last is not None and now - self._last < interval:
            self.breaches += 1
            return False
        self._last = now
        return True

    def refusal(self) -> Refusal:
        """CJ's own words for "too fast"."""
        message = "Too Many Requests, QPS limit is 1 time/1second"
        return Refusal(RATE_EXCEEDED, message, self._options.throttle_status, points=False)


class Quota:
    """What is left, under whichever regime the account has."""

    def __init__(self, clock: Clock, options: CjOptions) -> None:
        self._clock, self._options = clock, options
        self.requested: Counter[str] = Counter()
        #: Calls that were refused for what they would cost: when, and of what.
        self.refused: list[tuple[datetime, str]] = []
        self._period = ""
        self._remaining = float(options.points_total)
        self._used_today = 0
        self._filled_at = clock.now()

    def charge(self, path: str) -> None:
        """Take a call's price; a call that cannot be paid for is refused and costs nothing."""
        try:
            if self._options.quota == "points":
                self._charge_points(path)
            elif self._options.quota == "counts":
                self._count(path)
        except Refusal:
            self.refused.append((self._clock.now(), path))
            raise

    def points_info(self) -> dict[str, int] | None:
        """The counters that every answer shows in the era of points."""
        if self._options.quota != "points":
            return None
        self._refill()
        return {
            "usedToday": self._used_today,
            "remaining": int(self._remaining),
            "total": self._options.points_total,
        }

    def rows(self, paths: list[str]) -> list[dict[str, Any]]:
        """The quotas as `setting/get` tells them; empty where they are not counted by call."""
        if self._options.quota != "counts":
            return []
        self._roll()
        return [
            {
                "quotaUrl": PREFIX + path,
                "quotaLimit": self.limit(path),
                "requestedNum": self.requested[path],
                "quotaType": self._options.quota_type,
            }
            for path in paths
            if not path.startswith(UNCOUNTED)
        ]

    def limit(self, path: str) -> int:
        """Calls allowed of one endpoint."""
        return self._options.quota_limits.get(path, self._options.quota_limit)

    def set_points(self, remaining: int) -> None:
        """Have so many points left now."""
        self._refill()
        self._remaining = float(remaining)

    def _charge_points(self, path: str) -> None:
        self._refill()
        cost = COSTS.get(path, 0)
        if cost > self._remaining:
            if self._options.points_exhausted_status == 429:
                raise Refusal(429, "Too Many Requests, API points are used up", 429)
            raise Refusal(POINTS_EXHAUSTED, "api points not enough")
        self._remaining -= cost
        self._used_today += cost

    def _refill(self) -> None:
        """Trickle by the minute, and full again at midnight UTC."""
        now, total = self._clock.now(), self._options.points_total
        if now.date() != self._filled_at.date():
            self._remaining, self._used_today = float(total), 0
        else:
            seconds = (now - self._filled_at).total_seconds()
            self._remaining = min(float(total), self._remaining + seconds * total / 86_400)
        self._filled_at = now

    def _count(self, path: str) -> None:
        if path.startswith(UNCOUNTED):
            return
        self._roll()
        if self.requested[path] >= self.limit(path):
            raise Refusal(COUNT_EXHAUSTED, "Quota has been used up")
        self.requested[path] += 1

    def _roll(self) -> None:
        period = _period(self._clock.now(), self._options.quota_type)
        if period != self._period:
            if self._period:
                self.requested.clear()
            self._period = period


def _period(now: datetime, kind: int) -> str:
    """The stretch of time that a quota counts in, by CJ's newer numbering; type 0 has only one."""
    match kind:
        case 1:
            return f"{now:%Y}"
        case 2:
            return f"{now:%Y} quarter {(now.month - 1) // 3}"
        case 3:
            return f"{now:%Y-%m}"
        case 4:
            return f"{now:%Y-%m-%d}"
        case 5:
            return f"{now:%Y-%m-%d %H}"
        case _:
            return "for ever"
