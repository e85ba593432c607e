"""The pages of our Prefect server, where a message leads."""

from __future__ import annotations

from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL


def prefect_ui() -> str | None:
    """The address of the server's pages, if there is a server.

    Always the second UI, which lives under /v2: in the first one's form the list of answers does not open by a click.
    """
    given = PREFECT_UI_URL.value() or (PREFECT_API_URL.value() or "").rstrip("/").removesuffix("/api")
    return f"{given.rstrip('/')}/v2" if given else None


def run_page(run_id: str | None = None) -> str | None:
    """The page of a flow run; without an id, of the one that asks."""
    ui, run_id = prefect_ui(), run_id or flow_run.id
    return f"{ui}/runs/flow-run/{run_id}" if ui and run_id else None
