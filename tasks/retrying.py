"""The one place where anything is tried again: how a Prefect task of ours behaves.

Clients only say whether a failure may pass. An acting task is never cached and has no Prefect timeout: the
deadlines live in the clients, and a thread that was interrupted in the middle of a payment is worse than a
slow one. What fails after these tries is looked at again by the next cycle.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import task
from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from tasks.clients.service import ServiceUnavailable
from tasks.desk import Unsettled, desk


def may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again can help: only where the vendor was away, never where it said no."""
    try:
        state.result()
    except (ServiceUnavailable, Unsettled):
        return True
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


__all__ = ["ACTING", "READING", "cached", "may_pass", "source_of", "task"]
