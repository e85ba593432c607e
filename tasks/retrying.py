"""The one place where anything is tried again: how a Prefect task of ours behaves.

Clients only say whether a failure may pass. An acting task is never cached and has no Prefect timeout: the
deadlines live in the clients, and a thread that was interrupted in the middle of a payment is worse than a
slow one. What fails after these tries is looked at again by the next cycle.

Tasks have no tags: for each set of tags Prefect asks the server for concurrency slots before every task run,
with a client of its own that takes two seconds to start. Runs are tagged by their deployments.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task
from sqlalchemy.exc import DBAPIError

from tasks.clients.service import ServiceUnavailable
from tasks.desk import Unsettled, desk
from tasks.lots.engine import taken_away

#: A run's log, or a process's.
Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

#: How a step is done without Prefect; None while Prefect does them.
_inline: Callable[..., Any] | None = None
_serverless = False


class Step(Task[Any, Any]):
    """A Prefect task that also runs without Prefect, as simulations need it (`inline`)."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, as a task run of the flow that asks; inline, as the plain function that it is."""
        return _inline(self, *args, **kwargs) if _inline else super().__call__(*args, **kwargs)


def task(**options: Any) -> Callable[[Callable[..., Any]], Step]:
    """Make a step of a plain function."""
    return lambda function: Step(function, **options)


def _plainly(step: Step, *args: Any, **kwargs: Any) -> Any:
    return step.fn(*args, **kwargs)


@contextmanager
def inline(how: Callable[..., Any] = _plainly, *, with_server: bool = False) -> Iterator[None]:
    """Let every step of this process run in its caller's thread, without a Prefect run and without a retry.

    Args:
        how: does a step with its arguments, where a simulation does it in its own way.
        with_server: whether messages still go through the Prefect server that is configured.
    """
    global _inline, _serverless
    before, (_inline, _serverless) = (_inline, _serverless), (how, not with_server)
    try:
        yield
    finally:
        _inline, _serverless = before


def is_inline() -> bool:
    """Whether steps run without a Prefect run now."""
    return _inline is not None


def is_serverless() -> bool:
    """Whether no Prefect server takes part, even if one is configured."""
    return _serverless


def run_logger() -> Log:
    """The log of the run, or of the process where there is no run."""
    return logging.getLogger("dropship") if _inline else get_run_logger()


def may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again can help: where a vendor was away or our record was in demand, never after a no."""
    try:
        state.result()
    except ServiceUnavailable as error:
        return error.soon
    except Unsettled:
        return True
    except DBAPIError as error:
        return taken_away(error)
    except Exception:
        return False
    return False


ACTING: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [2, 8],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}

READING: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 5, 15],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
}


def cached(minutes: float) -> dict[str, Any]:
    """A read that may be answered from memory for so long, within one vendor account (see `source_of`)."""
    return {
        **READING,
        "cache_policy": INPUTS + TASK_SOURCE,
        "cache_expiration": timedelta(minutes=minutes),
        "persist_result": True,
        "result_serializer": "json",
    }


def source_of(vendor: str) -> str:
    """The vendor's address and account: an input of every cached read, so that no account sees another's."""
    settings = desk().settings
    address = {"cj": settings.cj_api_url, "basta": settings.basta_api_url}[vendor]
    account = settings.account_id or ""
    if vendor == "cj":
        account = desk().cj.open_id()
    return f"{address}#{account}"


__all__ = [
    "ACTING",
    "READING",
    "Log",
    "Step",
    "cached",
    "inline",
    "is_inline",
    "is_serverless",
    "may_pass",
    "run_logger",
    "source_of",
    "task",
]
