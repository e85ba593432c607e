"""CJ's allowance: read at most so often, judged before every sourcing run and in every cycle."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from tasks.clients.service import ServiceUnavailable
from tasks.desk import Desk, desk
from tasks.guarding import login
from tasks.lots import cj_calls, incidents
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.records import CjEndpoint
from tasks.retrying import READING, task
from tasks.rules.thresholds import quota_verdict

SETTINGS_ENDPOINT = "/setting/get"
READ_EVERY = timedelta(hours=1)
#: Where CJ tells nothing there is hardly news, and the asking itself may be counted for life.
READ_SILENCE_EVERY = timedelta(days=1)
STOP = "critical"
LOW = ("warning", STOP)


def quota_due() -> list[str]:
    """Whether CJ should be asked again: once an hour is enough, as every call is counted; more often at the end, and
    once a day where CJ told nothing of any allowance.
    """
    with desk().record.read() as session:
        row = session.get(CjEndpoint, SETTINGS_ENDPOINT)
        if login.refused(session):
            return ["cj"]  # so that its end is seen at once
        if cj_calls.used_up(session):
            return ["cj"]  # nothing more is asked of that endpoint till then; this costs nothing
        every = READ_EVERY if cj_calls.is_told(session) else READ_SILENCE_EVERY
    return [] if row and row.last_called_at and now() - row.last_called_at < every else ["cj"]


@task(name="read quota", task_run_name="read CJ's quota", **READING)
def read_quota(_vendor: str = "cj") -> str:
    """Ask CJ what it still allows, and say so where it is little."""
    return refresh(desk())


def refresh(at: Desk) -> str:
    """Read the account's quotas into the record; our verdict over all endpoints."""
    account = at.cj.account()
    with at.record.write() as session:
        login.works(session)
        cj_calls.tells_only(session, [quota.endpoint for quota in account.quotas if quota.used is not None])
        if by_points := at.cj.allowed_by_points():
            cj_calls.told(session, by_points, cj_calls.POINTS)
        for kind in sorted({quota.kind for quota in account.quotas}):
            left = {
                quota.endpoint: max(quota.limit - quota.used, 0)
                for quota in account.quotas
                if quota.kind == kind and quota.used is not None
            }
            cj_calls.told(session, left, kind)
        return judge(at, session)


def judge(at: Desk, session: Session) -> str:
    """ok, warning, critical or unknown over all endpoints; incidents follow it."""
    low, worst = _known(at, session)
    incidents.settle(session, "quota:", [_low(low, worst)] if low else [])
    return worst


def _known(at: Desk, session: Session) -> tuple[list[tuple[int, str, str]], str]:
    """The endpoints that allow few calls, by what the record knows, and the gravest verdict."""
    settings = at.settings
    low = [
        (allowance.allowed, allowance.endpoint, verdict)
        for allowance in cj_calls.allowances(session)
        if (verdict := quota_verdict(allowance.allowed, settings.quota_warning, settings.quota_critical)) in LOW
    ]
    return low, "ok" if not low else STOP if any(verdict == STOP for *_, verdict in low) else "warning"


def _low(low: list[tuple[int, str, str]], worst: str) -> Trouble:
    """One message for all endpoints, as one quota runs low with another."""
    fewest, endpoint, _ = min(low)
    rest = f", and few of {len(low) - 1} others" if len(low) > 1 else ""
    names = ", ".join(f"{name} {allowed}" for allowed, name, _ in sorted(low))
    return Trouble(
        key="quota:low",
        alert="quota",
        severity="CRITICAL" if worst == STOP else "WARNING",
        title=f"CJ allows {fewest} more calls of {endpoint}{rest}",
        text=f"{'Sourcing stops.' if worst == STOP else 'Source less, and not by hand.'} Left: {names}.",
        command="pipeline pause sourcing" if worst == STOP else "pipeline status",
    )


def quota_allows_sourcing() -> tuple[bool, str]:
    """Whether sourcing may begin, and in words why.

    An unknown quota warns, and lets it begin unless what is known from before forbids it.
    """
    at = desk()
    try:
        verdict = refresh(at)
    except ServiceUnavailable as error:
        with at.record.write() as session:
            incidents.report(
                session,
                Trouble(
                    key="quota:unknown",
                    alert="quota",
                    severity="WARNING",
                    title="CJ's quota is unknown",
                    text=f"CJ did not tell it: {error}",
                    command="pipeline status",
                ),
            )
            _, known = _known(at, session)
        if known == STOP:
            return False, "CJ's quota could not be read, and was below the critical number of calls: sourcing stops"
        return True, f"CJ's quota could not be read ({error}); going on"
    if verdict == STOP:
        return False, "an endpoint of CJ allows fewer than the critical number of calls: sourcing stops"
    return True, "CJ's quota is low" if verdict == "warning" else "CJ's quota is fine"
