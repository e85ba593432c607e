"""Where a message points: the run at our Prefect server, and the page of the vendor it is about."""

from __future__ import annotations

from typing import Any

from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

from tasks.desk import Desk
from tasks.lots.models import Lot
from tasks.rules.alerts import NAMED, STRIPE
from tasks.settings import Mode


def prefect_ui() -> str | None:
    """The address of the server's pages (the second UI, which lives under /v2), if there is a server."""
    given = PREFECT_UI_URL.value() or (PREFECT_API_URL.value() or "").rstrip("/").removesuffix("/api")
    return f"{given.rstrip('/')}/v2" if given else None


def run_page(run_id: str | None = None) -> str | None:
    """The page of a flow run; without an id, of the one that asks."""
    ui, run_id = prefect_ui(), run_id or flow_run.id
    return f"{ui}/runs/flow-run/{run_id}" if ui and run_id else None


def of(at: Desk, payload: dict[str, Any]) -> dict[str, str]:
    """What a message adds when it is first sent: `run` and `page`, where there are any."""
    alert = NAMED.get(str(payload.get("alert")))
    page = alert.page if alert else None
    if page == STRIPE and payload.get("lot_id"):
        with at.record.read() as session:
            lot = session.get(Lot, payload["lot_id"])
        if lot is not None and lot.stripe_invoice_id:
            test = "" if at.settings.mode is Mode.LIVE else "test/"
            page = f"{STRIPE}{test}invoices/{lot.stripe_invoice_id}"
    found = {"run": run_page(), "page": page}
    return {name: link for name, link in found.items() if link}
