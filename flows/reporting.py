"""Margin and refund rate, once a week: a page with charts, tables for programs, and an artifact of the run."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from tasks import guarding, reporting


def _name() -> str:
    return guarding.run_name("reporting")


@flow(name="reporting", flow_run_name=_name, description="Write margin and refund rate: tables, charts and files.")
def reporting_flow(days: Annotated[int | None, Field(ge=1, le=3_650)] = None) -> Any:
    """Write the report over all paid lots, or over those of the last days. Nothing but files is made.

    Args:
        days: How many days back: 1 to 3,650; none means all.
    """
    guarding.tag_run("reporting")
    return Completed(message=reporting.write_report(days))
