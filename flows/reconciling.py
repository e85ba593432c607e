"""Our record against Stripe, CJ and Basta, to the cent."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import Cancelled, Completed

from flows.processing import processing
from tasks import guarding, notifying
from tasks.reconciling import compare, conclude
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

    A processing cycle comes first: it asks every vendor about every effect of unknown end, as it always does.
    """
    try:
        with guarding.only_run("reconciling"), notifying.operator_told():
            return _reconcile()
    except guarding.LeaseHeld as busy:
        return Cancelled(name="Skipped", message=str(busy))


def _reconcile() -> Any:
    cycle: Any = processing
    state = cycle(return_state=True)
    run_logger().info("%s: %s", state.name, state.message)
    report = compare()
    conclude(report)
    # What differs is told as incidents of its own: the run itself has done its work.
    name = "Completed" if report.clean else "Differs"
    return Completed(name=name, message=report.sentence(), data=report.facts())
