"""One sale, driven and watched to its end."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from flows.processing import processing
from tasks import guarding, notifying, reporting
from tasks.retrying import run_logger

Id = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[int, Field(ge=1, le=3_600)]


def _name() -> str:
    return guarding.run_name("monitoring")


@flow(
    name="monitoring",
    flow_run_name=_name,
    on_failure=[notifying.tell_of_failure],
    on_crashed=[notifying.tell_of_failure],
    description="Run processing cycles for one sale until nothing is left to do for it.",
)
def monitoring(sale_id: Id, poll_interval_s: Seconds = 30, until: Literal["paid", "delivered"] = "paid") -> Any:
    """Drive one sale to its end: each poll is a processing cycle, unless one is running. Safe to interrupt.

    Args:
        sale_id: Basta's id of the sale.
        poll_interval_s: Seconds between two polls: 1 to 3,600.
        until: "paid" ends when every lot is CJ_PAID or at an end; "delivered" waits for the parcels.
    """
    logger = run_logger()
    reporting.must_know(sale_id)
    while True:
        cycle: Any = processing
        state = cycle(sale_id=sale_id, return_state=True)
        logger.info("%s: %s", state.name, state.message)
        for line in reporting.sale_lines(sale_id):
            logger.info(line)
        if reporting.is_over(sale_id, until):
            return Completed(message=reporting.sale_summary(sale_id))
        guarding.wait(poll_interval_s)
