"""Patience: a step that reads is tried again as the task layer would try it, on the held clock.

Without it a step of a rehearsal has one try, and what reads a whole vendor meets a faulty call nearly every night. The
policy is the product's own, read off the task: how often, after how long, with how much jitter, and for what.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType

from tasks.retrying import Step


class Patient:
    """Does a step of a simulation.

    Args:
        pass_time: lets so many seconds pass.
        dice: what the jitter is drawn from.
        acting: whether what acts is tried again too; else it has one try, and the next cycle looks at it again.
    """

    def __init__(self, pass_time: Callable[[float], None], dice: random.Random, *, acting: bool = False) -> None:
        self._pass_time, self._dice, self._acting = pass_time, dice, acting

    def __call__(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        """One step, to its result or its last failure."""
        for seconds in _delays(step, acting=self._acting):
            try:
                return step.fn(*args, **kwargs)
            except Exception as error:
                if not _may_pass(step, error):
                    raise
                self._pass_time(seconds * self._dice.uniform(1.0, 1.0 + (step.retry_jitter_factor or 0.0)))
        return step.fn(*args, **kwargs)


def _delays(step: Step, *, acting: bool) -> list[float]:
    """Seconds before each further try."""
    if not step.retries or (step.cache_policy is NO_CACHE and not acting):
        return []
    given = step.retry_delay_seconds
    assert isinstance(given, list), f"{step.name}: {given!r}"
    return [given[min(place, len(given) - 1)] for place in range(step.retries)]


def _may_pass(step: Step, error: Exception) -> bool:
    """By the task's own condition, which is asked with the state that the task run would have."""
    asked: Any = step.retry_condition_fn
    return bool(asked(step, None, State(type=StateType.FAILED, data=error)))
