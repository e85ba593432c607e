"""When the operator is told: the limits of the runbook's table, on both sides."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tasks.rules.thresholds import missed_daily_run, parcel_poll_after, quota_verdict, stuck_severity

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("allowed", "verdict"),
    [(200, "ok"), (199, "warning"), (100, "warning"), (99, "critical"), (0, "critical"), (None, "unknown")],
)
def test_a_quota_warns_below_200_and_is_critical_below_100(allowed: int | None, verdict: str) -> None:
    assert quota_verdict(allowed, 200, 100) == verdict


@pytest.mark.parametrize(
    ("status", "hours", "severity"),
    [
        ("AUCTION_CLOSED", 3.9, None),
        ("AUCTION_CLOSED", 4, "MEDIUM"),
        ("PAID", 4, "MEDIUM"),
        ("CJ_ORDERED", 7.9, "MEDIUM"),
        ("CJ_ORDERED", 8, "HIGH"),
        ("SHIPPED", 900, None),
        ("RESERVE_NOT_MET", 900, None),
    ],
)
def test_a_lot_is_stuck_after_four_hours_and_an_unpaid_order_louder_after_eight(
    status: str, hours: float, severity: str | None
) -> None:
    assert stuck_severity(status, hours) == severity


def test_parcels_are_asked_for_often_for_a_day_and_then_six_times_rarer() -> None:
    assert parcel_poll_after(timedelta(hours=23), HOUR) == HOUR
    assert parcel_poll_after(timedelta(hours=25), HOUR) == 6 * HOUR


def test_where_calls_do_not_come_back_new_parcels_are_asked_for_as_rarely_as_old_ones() -> None:
    assert parcel_poll_after(timedelta(hours=1), HOUR, scarce=True) == 6 * HOUR


@pytest.mark.parametrize(
    ("at", "last", "missed"),
    [
        ("08:29", None, False),
        ("08:30", None, True),
        ("23:59", "07:59", True),
        ("08:31", "08:00", False),
        ("00:10", None, False),
    ],
)
def test_todays_run_is_missed_half_an_hour_after_it_was_due(at: str, last: str | None, missed: bool) -> None:
    def moment(clock: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-24T{clock}:00+00:00")

    assert (missed_daily_run(moment(at), moment(last) if last else None) is not None) is missed
