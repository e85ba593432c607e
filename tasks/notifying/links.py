"""Where a message points: the run at our Prefect server, and the page of the vendor it is about."""

from __future__ import annotations

from typing import Any

from tasks.desk import Desk
from tasks.lots.models import Lot
from tasks.pages import run_page
from tasks.rules.alerts import NAMED, STRIPE
from tasks.settings import Mode


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
