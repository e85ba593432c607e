"""What somebody wrote into a lot in Basta's own pages: ours from then on, recorded, and never written over."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.clients import basta as vendor
from tasks.lots import effects
from tasks.lots.manners import Answer
from tasks.lots.models import Lot
from tasks.lots.records import Effect

#: Of a lot and of its item alike. What Basta does not show says nothing.
WRITTEN = ("title", "description", "reserve_cents", "starting_bid_cents")


def adopt_edits(session: Session, lot: Lot, item: vendor.Item) -> bool:
    """Take over what was edited, and keep what stood there before; False when nothing was.

    Each edit is an effect of its own, made by hand: `edit:<lot>:<n>` with the old words as its request and the new
    ones as its answer.
    """
    theirs = {name: getattr(item, name) for name in WRITTEN}
    new = {name: value for name, value in theirs.items() if value is not None and value != getattr(lot, name)}
    if not new:
        return False
    old = {name: getattr(lot, name) for name in new}
    made = select(func.count()).select_from(Effect).where(Effect.kind == "edit", Effect.lot_id == lot.id)
    key = f"edit:{lot.id}:{session.execute(made).scalar_one() + 1}"
    effects.adopt(session, key, Answer(item.id, new), old, lot_id=lot.id)
    for name, value in new.items():
        setattr(lot, name, value)
    session.flush()
    return True
