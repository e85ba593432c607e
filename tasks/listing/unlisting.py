"""Taking a lot out of its sale at Basta: without a picture before the sale goes out, or cancelled by hand."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tasks.clients.service import ServiceRefused
from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.manners import Answer, Attempt, Manner, Outcome
from tasks.lots.moving import lock, move
from tasks.lots.states import LotStatus

PICTURELESS = "no picture of it could be uploaded"
UNLOOKED_FOR = "it was cancelled before Basta had put it there"
WITHDRAWN = "the seller withdrew it"


def unlist(desk: Desk, lot_id: int, why: str) -> Outcome:
    """Take a lot's item out of its sale: then the lot is CANCELLED, for the reason with which this was planned.

    Raises:
        Unsettled: Basta did not say.
    """
    with desk.record.write() as session:
        lot = lock(session, lot_id)
        request = {"item_id": lot.basta_item_id, "sale_id": lot.basta_sale_id, "why": why}
        effects.plan(session, f"unlist:{lot_id}", request, lot_id=lot_id)
        effects.reopen(session, f"unlist:{lot_id}", request)
    return desk.settle(f"unlist:{lot_id}", unlisting(desk, lot_id, lot.basta_sale_id or ""))


def unlisting(desk: Desk, lot_id: int, sale_id: str) -> Manner:
    """How an item is seen to be gone, taken out, and recorded."""

    def look(attempt: Attempt) -> Answer | None:
        item_id = attempt.request["item_id"]
        return None if any(one.id == item_id for one in desk.basta.items(sale_id)) else Answer(item_id, {})

    def act(attempt: Attempt) -> Answer:
        item_id = attempt.request["item_id"]
        if any(one.id == item_id and one.is_closed for one in desk.basta.items(sale_id)):
            raise ServiceRefused("Basta", "removeItemFromSale", "bidding on it is over: the next cycle closes it")
        desk.basta.remove_item(sale_id, item_id)
        return Answer(item_id, {})

    def record(session: Session, attempt: Attempt, _: Answer) -> None:
        move(session, lot_id, LotStatus.CANCELLED, why=attempt.request.get("why", WITHDRAWN))

    return Manner(look=look, act=act, record=record, conclusive=True)
