"""When the operator is told: limits, clocks and rhythms."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

REFUND_RATE_LIMIT = 0.20
FULFILMENT_FAILURES_PER_DAY = 3

#: Hours in a status with nothing to wait for, and how loud that is.
STUCK_HOURS: dict[str, tuple[tuple[float, str], ...]] = {
    "AUCTION_CLOSED": ((4, "MEDIUM"),),
    "PAID": ((4, "MEDIUM"),),
    "CJ_ORDERED": ((4, "MEDIUM"), (8, "HIGH")),
}
#: Hours after which the status page calls a lot stuck.
STATUS_PAGE_HOURS: dict[str, float] = {"AUCTION_CLOSED": 1, "PAID": 1, "CJ_ORDERED": 4}

#: How long a parcel may stay in a status.
PARCEL_LIMITS: dict[str, timedelta] = {"CJ_PAID": timedelta(days=7), "SHIPPED": timedelta(days=30)}

#: Stripe's webhooks: looked at over this time; so many bad signatures, or payments that nobody told of, are an alert.
WEBHOOK_WINDOW = timedelta(hours=24)
SIGNATURES_FAILING = 3
UNTOLD_PAYMENTS = 3
#: An event may come this late before its absence means something, and must be worked in this time.
WEBHOOK_LATE = timedelta(hours=1)
WEBHOOK_WORKED_WITHIN = timedelta(hours=1)

#: The daily sourcing begins at 08:00 UTC, and should have begun half an hour later.
DAILY_AT = time(8)
DAILY_GRACE = timedelta(minutes=30)

FRESH_PARCEL = timedelta(days=1)
SLOWER = 6


def quota_verdict(allowed: int | None, warning: int, critical: int) -> str:
    """ok, warning, critical or unknown, from the calls an endpoint still allows."""
    if allowed is None:
        return "unknown"
    if allowed < critical:
        return "critical"
    return "warning" if allowed < warning else "ok"


def stuck_severity(status: str, hours: float) -> str | None:
    """How loud it is that a lot has been in a status for so long; None while it is no alert."""
    loud = [severity for limit, severity in STUCK_HOURS.get(status, ()) if hours >= limit]
    return loud[-1] if loud else None


def parcel_poll_after(age: timedelta, base: timedelta, *, scarce: bool = False) -> timedelta:
    """How long after one look at an order the next is due: often for a day, then six times rarer.

    Args:
        scarce: the calls do not come back, so that none can be spent on looking often.
    """
    return base if age < FRESH_PARCEL and not scarce else base * SLOWER


def missed_daily_run(at: datetime, last_started: datetime | None) -> datetime | None:
    """When today's sourcing should have begun, if it should have by now and none did since; else None."""
    due = datetime.combine(at.date(), DAILY_AT, tzinfo=UTC)
    begun = last_started is not None and last_started >= due
    return None if begun or at < due + DAILY_GRACE else due
