"""The report, as files and as an artifact of its run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from tasks.desk import desk
from tasks.lots.clock import now
from tasks.reporting import pages
from tasks.reports.files import reckon, write
from tasks.reports.money import lot_frame
from tasks.retrying import READING, task

FOLDER = Path("reports-out")


@task(task_run_name="write report", **READING)
def write_report(days: int | None) -> str:
    """Write the report's files into the project's folder; where they are. A second run the same day replaces them."""
    at, moment = desk(), now()
    since = moment - timedelta(days=days) if days else None
    with at.record.read() as session:
        report = reckon(lot_frame(session, since), moment, since)
        page = pages.money(session, since)
    files = write(report, at.settings.root / FOLDER)
    if flow_run.id:
        create_markdown_artifact(page, key="report", description=f"Margin and refund rate; charts in {files[0].name}")
    return f"{files[0].name} and {len(files) - 1} files beside it, in {FOLDER}"
