"""What was begun, is proven not to have happened, and that no cycle does by itself: with the command that does it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from sqlalchemy.orm import Session

from tasks.listing.unlisting import PICTURELESS
from tasks.lots import effects
from tasks.lots.manners import State
from tasks.lots.models import Lot, Sale, SourcingRun
from tasks.lots.records import Effect
from tasks.lots.states import FINAL
from tasks.reconciling.finding import Finding, What

SOURCING = ("sale", "lot", "image", "publish")


def by_hand(session: Session) -> Iterator[Finding]:
    """Every such effect."""
    for one in effects.to_ask(session):
        if one.state == State.PLANNED and (text := _text(session, one)):
            yield Finding("our record", What.UNDONE, one.key, f"it did not happen; {text}")


def _text(session: Session, one: Effect) -> str | None:
    lot = session.get(Lot, one.lot_id) if one.lot_id else None
    if lot is not None and lot.status in FINAL:
        return None
    if one.kind in SOURCING or (one.kind == "unlist" and one.request.get("why") == PICTURELESS):
        sale_row = one.sale_id or (lot.sale_id if lot else None)
        return _sourced(session, session.get(Sale, sale_row) if sale_row else None)
    if lot is None:
        return None
    if one.kind == "unlist":
        return f"lot {lot.id} is still in its sale: `pipeline lot cancel {lot.id}` takes it out"
    if one.kind == "cj-delete" and "amount_cents" not in one.request:
        return f"CJ's order of lot {lot.id} lives: `pipeline lot cancel {lot.id}` deletes it"
    return None


def _sourced(session: Session, sale: Sale | None) -> str | None:
    """Who goes on with a sale: its run while that is unfinished, else whoever publishes it."""
    run = session.get(SourcingRun, sale.sourcing_run_id) if sale else None
    if sale is None or run is None:
        return None
    if run.state == "OPEN":
        dollars = f"{run.max_cost_cents / 100:g}"
        words = f"pipeline source --keyword {quote(run.keyword)} --max-cost {dollars} --max-products {run.max_products}"
        return f"`{words}{' --publish' if run.publish else ''}` goes on with it, or the next sourcing run"
    return None if sale.published_at else f"`pipeline publish --sale-id {sale.basta_sale_id}` goes on with it"
