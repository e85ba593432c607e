"""One run of a flow at a time, with a name that a person can read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from tasks.desk import desk
from tasks.lots import effects, leases
from tasks.lots.clock import now, sleep
from tasks.lots.leases import LeaseHeld, Overtaken
from tasks.retrying import run_logger

#: Longer than any cycle; a killed run's lease ends by itself. Who works longer renews it.
HOLD = timedelta(minutes=12)
#: For so long a run is waited for: one that was killed holds its lease no longer.
PATIENCE = HOLD + timedelta(minutes=1)
#: Between two looks at the lease that is waited for.
LOOKS_APART = 5.0

#: How a run ends that found another one at work.
SKIPPED = "Skipped"

#: Prefect's tag on the runs that a deployment's schedule makes.
AUTO_SCHEDULED = "auto-scheduled"

#: The database works, and says no to what was asked of it.
REQUESTS = (DataError, IntegrityError, ProgrammingError)


class Lost(Exception):
    """This run slept past its lease, and another one has it now: it ends, and the other does the work."""


class DatabaseDown(Exception):
    """Our database does not work: its alert is known by this name in the failed run's message."""


def run_name(flow: str) -> str:
    """The flow, what it is about, and when: "sourcing phone stand, 24 Nov 08:00:00"."""
    given = flow_run.parameters or {}
    about = given.get("keyword") or given.get("sale_id")
    if about is None and "keyword" in given:
        about = "the rotation's next word"
    return f"{flow}{f' {about}' if about else ''}, {now():%d %b %H:%M:%S}"


def tag_run(*words: str) -> None:
    """Give the run tags to be found by, beside those of its deployment; its tasks get none, which would cost time."""
    if not flow_run.id:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(flow_run.id), tags=sorted({*flow_run.tags, *words}))


@contextmanager
def only_run(flow: str) -> Iterator[Callable[[], None]]:
    """Hold the flow's lease in our own record, as a command, a worker and a webhook may all start one.

    Gives what keeps it for longer, which raises `Lost` when another run has it.

    Raises:
        LeaseHeld: another run has it; the message says who, since when.
        Overtaken: this run is late, and a later one did its work: after six hours off, one cycle is enough.
        DatabaseDown: the record cannot be read or written, now or anywhere in the run.
    """
    runner = flow_run.name or f"a {flow} of this terminal"
    try:
        tag_run(flow, str(desk().settings.mode))
        with leases.held(desk().record, flow, str(runner), HOLD, _due()) as owner:
            yield partial(_renew, flow, owner)
    except REQUESTS:
        raise
    except DBAPIError as error:
        raise DatabaseDown(f"the database does not work ({type(error).__name__}: {error.orig})") from error


def _renew(flow: str, owner: str) -> None:
    if not leases.renew(desk().record, flow, owner, HOLD):
        raise Lost(f"{flow} is being run by another: this run slept past its lease.")


def _due() -> datetime | None:
    """When a schedule meant this run to begin; None for a run that somebody asked for."""
    if AUTO_SCHEDULED not in flow_run.tags:
        return None
    due: datetime = flow_run.scheduled_start_time
    return due


def free_claims() -> None:
    """Let go of what a killed run held; the stages look it up."""
    with desk().record.write() as session:
        if freed := effects.free_expired(session):
            run_logger().warning("%s calls of a killed run are of unknown fate: they are looked up", freed)


def heartbeat() -> None:
    """Tell an outside watcher that a cycle finished, if there is one. A watcher that is away stops nothing."""
    url = desk().settings.heartbeat_url
    if url is None:
        return
    try:
        desk().web.get(url.get_secret_value(), timeout=5.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        logging.getLogger(__name__).warning("the heartbeat did not arrive: %s", type(error).__name__)


def in_turn(flow: str, run: Callable[[], State[Any]], waiting: Callable[[], None]) -> State[Any]:
    """Run a flow after the run of it that is at work, if one is; Skipped when it could not begin in `PATIENCE`.

    Args:
        waiting: called at each look at the other run, and before one's own.
    """
    until = now() + PATIENCE
    if leases.is_held(desk().record, flow):
        run_logger().info(
            "Another %s run is at work: its end is waited for, until %s UTC at most", flow, f"{until:%H:%M}"
        )
    while True:
        while leases.is_held(desk().record, flow) and now() < until:
            waiting()
            sleep(LOOKS_APART)
        waiting()
        state = run()
        if state.name != SKIPPED or now() >= until:
            return state
        sleep(LOOKS_APART)  # somebody was quicker


def wait(seconds: float) -> None:
    """Wait between two polls."""
    sleep(seconds)


__all__ = [
    "HOLD",
    "PATIENCE",
    "SKIPPED",
    "DatabaseDown",
    "LeaseHeld",
    "Lost",
    "Overtaken",
    "heartbeat",
    "in_turn",
    "only_run",
    "run_name",
    "tag_run",
    "wait",
]
