"""Whether sourcing does its work: a run that fails, lists nothing or does not begin is told of, and so is the next good
one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from tasks.desk import desk
from tasks.lots import incidents, leases, pauses
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.retrying import is_inline
from tasks.rules.thresholds import missed_daily_run

KEY, MISSED = "sourcing:run", "sourcing:missed"
DAILY = "sourcing/daily"
See = Callable[[State[Any]], State[Any]]


@contextmanager
def sourcing_watched(*, unless: tuple[type[Exception], ...]) -> Iterator[See]:
    """Report how a sourcing run ends; gives the function that looks at its final state.

    Args:
        unless: errors that are answers to whoever asked, and no failures.
    """
    try:
        yield _see
    except unless:
        raise
    except Exception as error:
        _report("Sourcing failed", f"{error}. The same command goes on with the unfinished run.", "pipeline source")
        raise


def _see(state: State[Any]) -> State[Any]:
    if state.is_failed():
        _report("Sourcing listed nothing", f"{state.message}: the run's log has the reasons.", "pipeline keywords list")
    elif state.is_completed():
        with desk().record.write() as session:
            incidents.over(session, KEY)
    return state


def tell_of_empty_rotation(why: str) -> None:
    """Report that there is nothing to source: a schedule asked, and nobody else would see its answer."""
    _report("Sourcing has no keyword", why, "pipeline keywords list")


def look_for_daily_run() -> None:
    """Report that today's run did not begin, where the daily deployment exists and nobody paused it."""
    with desk().record.read() as session:
        due = missed_daily_run(now(), leases.last_started(session, "sourcing"))
        stopped = pauses.paused(session, "sourcing")
    missed = due is not None and not stopped and _is_scheduled(since=due)
    text = "The deployment sourcing/daily is active: is a worker running, and the work pool not paused?"
    command = f"prefect deployment run {DAILY}"
    trouble = Trouble(MISSED, "sourcing", "MEDIUM", "Sourcing has not run by 08:30 UTC", text, command)
    with desk().record.write() as session:
        incidents.settle(session, MISSED, [trouble] if missed else [])


def _is_scheduled(*, since: datetime) -> bool:
    """Whether the daily deployment was there and active by then; no server, or none that says so, is no."""
    if is_inline():
        return False
    try:
        with get_client(sync_client=True) as client:
            daily = client.read_deployment_by_name(DAILY)
    except (ObjectNotFound, httpx.HTTPError):
        return False
    active = not daily.paused and any(one.active for one in daily.schedules)
    return active and daily.created is not None and daily.created < since


def _report(title: str, text: str, command: str) -> None:
    with desk().record.write() as session:
        incidents.report(session, Trouble(KEY, "sourcing", "MEDIUM", title, text, command))
