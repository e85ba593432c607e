"""Sourcing, then monitoring: from a keyword to orders that are paid."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed
from pydantic import Field

from flows.monitoring import monitoring
from flows.sourcing import sourcing
from tasks import guarding, notifying


def _name() -> str:
    return guarding.run_name("end-to-end")


@flow(
    name="end-to-end",
    flow_run_name=_name,
    on_failure=[notifying.tell_of_failure],
    on_crashed=[notifying.tell_of_failure],
    description="Source a keyword, publish the sale, and follow it.",
)
def end_to_end(
    keyword: Annotated[str, Field(min_length=1, max_length=200)],
    max_cost: Annotated[float, Field(gt=0, le=10_000)] = 50,
    max_products: Annotated[int, Field(ge=1, le=5)] = 5,
    publish: bool = False,
    poll_interval_s: Annotated[int, Field(ge=1, le=3_600)] = 30,
) -> Any:
    """Source a keyword and follow the sale to its end. Without publishing it ends after sourcing, and says so.

    Args:
        keyword: What to search CJ for.
        max_cost: The most a product may cost landed, in dollars: more than 0, at most 10,000.
        max_products: How many products become lots: 1 to 5.
        publish: Publish the sale, so that there is something to follow.
        poll_interval_s: Seconds between two polls of the sale: 1 to 3,600.
    """
    source: Any = sourcing  # Prefect's overloads do not know that a sync flow gives its state at once
    state = source(keyword, max_cost, max_products, publish, return_state=True)
    if not state.is_completed():
        return _as_it_ended(state)
    sourced = state.result()
    if not sourced.published:
        return Completed(message=f"{state.message}; not published, so there is nothing to follow")
    return _as_it_ended(monitoring(sale_id=sourced.sale_id, poll_interval_s=poll_interval_s, return_state=True))


def _as_it_ended(state: Any) -> Any:
    """A state of this run's own: of another run's, Prefect would keep no more than "1/1 states failed"."""
    return State(type=state.type, name=state.name, message=state.message)
