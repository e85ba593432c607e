"""A reconciliation holds its lease like any run: short, and renewed for as long as it waits and works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from prefect.states import Completed

import flows.reconciling
from flows.reconciling import look_and_compare, reconciling
from tasks import guarding
from tasks.guarding.running import HOLD
from tasks.lots import leases
from tests.simulation.rehearsal import Rehearsal

MINUTE = 60.0


def quiet_cycle(between: Callable[[], None] = lambda: None) -> Callable[..., Any]:
    def cycle(**_: Any) -> Any:
        between()
        return Completed(data={"unfinished": []})

    return cycle


def test_one_that_was_killed_is_refused_for_no_longer_than_any_other(stage: Rehearsal) -> None:
    killed = guarding.only_run("reconciling")
    killed.__enter__()  # and nobody ever leaves
    with pytest.raises(guarding.LeaseHeld), guarding.only_run("reconciling"):
        pass
    stage.advance(HOLD.total_seconds() + 1)
    with guarding.only_run("reconciling"):
        pass


def test_one_that_waits_and_works_for_long_keeps_its_lease(stage: Rehearsal) -> None:
    leases.take(stage.record, "processing", "another cycle", timedelta(minutes=11))

    def work() -> None:
        stage.advance(10 * MINUTE)
        assert leases.is_held(stage.record, "reconciling")

    with guarding.only_run("reconciling") as renew:
        look_and_compare(quiet_cycle(work), renew)
        stage.advance(11 * MINUTE)
        assert leases.is_held(stage.record, "reconciling")


def test_one_that_slept_past_its_lease_ends_and_leaves_the_work_to_the_other(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep() -> None:
        stage.advance(13 * MINUTE)
        leases.take(stage.record, "reconciling", "the other", HOLD)

    monkeypatch.setattr(flows.reconciling, "processing", quiet_cycle(sleep))
    sent = len(stage.world.calls)
    state = reconciling.fn()
    assert (state.name, state.message) == (
        "Stopped",
        "reconciling is being run by another: this run slept past its lease.",
    )
    assert len(stage.world.calls) == sent
    assert leases.is_held(stage.record, "reconciling")
