"""What a run did, as artifacts of the run. Each is a new version under its key, so that the UI keeps the story."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run

from tasks.cycling import Tally
from tasks.desk import desk
from tasks.lots.clock import now
from tasks.reporting import pages


def show_cycle(tallies: Sequence[Tally]) -> None:
    """The artifacts of one cycle: what each stage did, the lots, the funnel, the money and CJ's quota."""
    worked = [tally for tally in tallies if tally.counts or tally.failures or tally.left]
    if not worked or not flow_run.id:
        return  # a quiet cycle changes nothing worth a new version; and artifacts belong to a run
    at = desk()
    days = at.settings.rate_window_days  # as the alerts judge; `pipeline report` tells of all time
    with at.record.read() as session:
        shown = {
            "lots": (pages.lots(session, at.settings), "The newest lots"),
            "funnel": (pages.funnel(session), "Lots by status"),
            "money": (pages.money(session, now() - timedelta(days=days)), f"Margin and refund rate, {days:g} days"),
            "quota": (pages.quota(session), "What CJ still allows, in calls"),
        }
    create_table_artifact(table=_stages(tallies), key="stages", description="What each stage of the cycle did")
    for key, (page, what) in shown.items():
        create_markdown_artifact(page, key=key, description=what)


def _stages(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    return [
        {
            "stage": tally.stage,
            "done": ", ".join(f"{number} {what}" for what, number in sorted(tally.counts.items()) if number),
            "failed": len(tally.failures),
            "left": tally.left,
        }
        for tally in tallies
    ]


def show_products(chosen: Sequence[dict[str, Any]]) -> None:
    """What was chosen, with its pictures, as an artifact of the run."""
    if flow_run.id:
        create_markdown_artifact(pages.products(chosen), key="products", description="The products that became lots")
