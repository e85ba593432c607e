"""Our record against Stripe, CJ and Basta, to the cent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import flow
from prefect.states import Cancelled, Completed

from flows.processing import processing
from tasks import guarding, notifying
from tasks.reconciling import Asked, Report, ask, compare, conclude
from tasks.retrying import run_logger

#: So often what was found in a restored record goes on within one run; a lot's life at a vendor has no more steps.
ROUNDS = 4


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

    A processing cycle comes first: it goes on with all that can go on. One that is at work is waited for. Then every
    vendor is asked about every effect whose end nobody knows, also those that only a person or a sourcing run would
    ask about; nothing but what is found there is written down. What nobody knows after that, the report says.
    """
    try:
        with guarding.only_run("reconciling") as renew, notifying.operator_told():
            return _reconcile(renew)
    except guarding.LeaseHeld as busy:
        return Cancelled(name="Skipped", message=str(busy))
    except guarding.Lost as lost:
        return Cancelled(name="Stopped", message=str(lost))


def _reconcile(renew: Callable[[], None]) -> Any:
    cycle: Any = processing
    report = look_and_compare(lambda: cycle(return_state=True), renew)
    # What differs is told as incidents of its own: the run itself has done its work.
    return Completed(name=report.ends_as, message=report.sentence(), data=report.facts())


def look_and_compare(cycle: Callable[[], Any], renew: Callable[[], None] = lambda: None) -> Report:
    """A cycle of one's own, the asking, and then the comparison.

    In a restored record, what is found goes on before anything is compared: its next steps may have happened too.

    Args:
        renew: keeps the run's lease while others are waited for.
    """
    for _ in range(ROUNDS):
        state = guarding.in_turn("processing", cycle, renew)
        run_logger().info("%s: %s", state.name, state.message)
        renew()
        asked = ask(renew)
        if not asked.goes_on:
            break
    report = compare(_unlooked(state, asked), renew)
    renew()
    conclude(report)
    return report


def _unlooked(state: Any, asked: Asked) -> str | None:
    """Why not everything was asked about after a cycle that ended so; None when it was."""
    if state.name == guarding.SKIPPED:
        return f"another cycle is at work: {state.message}"
    if not state.is_completed():
        return f"the cycle before it failed: {state.message}"
    if unfinished := state.result()["unfinished"]:
        return f"the cycle before it did not get through {', '.join(unfinished)}"
    if asked.goes_on:
        return "more was found each time: reconcile again"
    return "; ".join(asked.left) or None
