"""Our record against Stripe, CJ and Basta, to the cent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import flow
from prefect.states import Cancelled, Completed

from flows.processing import processing
from tasks import guarding, notifying
from tasks.reconciling import Report, compare, conclude
from tasks.retrying import run_logger


def _name() -> str:
    return guarding.run_name("reconciling")


@flow(
    name="reconciling",
    flow_run_name=_name,
    on_failure=[notifying.tell_of_failure],
    on_crashed=[notifying.tell_of_failure],
    description="Ask about every unknown effect, find orphans and duplicates, tie the ledger out with every vendor.",
)
def reconciling() -> Any:
    """Compare all that we know with all that the vendors know. What differs is named; running it again changes nothing.

    A processing cycle comes first: it asks every vendor about every effect of unknown end, as it always does. One that
    is at work is waited for. What the cycle did not come to, and what nobody knows after it, the report says.
    """
    try:
        with guarding.only_run("reconciling", guarding.LONG_HOLD), notifying.operator_told():
            return _reconcile()
    except guarding.LeaseHeld as busy:
        return Cancelled(name="Skipped", message=str(busy))


def _reconcile() -> Any:
    cycle: Any = processing
    report = look_and_compare(lambda: cycle(return_state=True))
    # What differs is told as incidents of its own: the run itself has done its work.
    return Completed(name=report.ends_as, message=report.sentence(), data=report.facts())


def look_and_compare(cycle: Callable[[], Any]) -> Report:
    """A cycle of one's own, which looks every unknown effect up, and then the comparison."""
    state = guarding.in_turn("processing", cycle)
    run_logger().info("%s: %s", state.name, state.message)
    report = compare(_unlooked(state))
    conclude(report)
    return report


def _unlooked(state: Any) -> str | None:
    """Why a cycle that ended so has not looked at everything; None when it has."""
    if state.name == guarding.SKIPPED:
        return f"another cycle is at work: {state.message}"
    if not state.is_completed():
        return f"the cycle before it failed: {state.message}"
    unfinished = state.result()["unfinished"]
    return f"the cycle before it did not get through {', '.join(unfinished)}" if unfinished else None
