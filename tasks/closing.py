"""Closing: what became of each lot at Basta — won, unsold, withdrawn — and nothing is sold that is not known to be."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tasks.clients import basta as vendor
from tasks.desk import Desk, desk
from tasks.editing import adopt_edits
from tasks.lots import effects, inbox
from tasks.lots.clock import now
from tasks.lots.manners import Answer
from tasks.lots.models import Lot, Sale
from tasks.lots.moving import follow, hold, move, release
from tasks.lots.states import LotStatus
from tasks.retrying import READING, task
from tasks.rules.money import dollars

OPEN = (LotStatus.LISTED, LotStatus.PUBLISHED)
#: Why a lot waits that Basta left out of an answer: the next one decides.
NOT_SHOWN = "not shown"


def sales_to_read(sale_id: str | None = None) -> list[int]:
    """Sales with open lots that are due: past a closing date, told of by Basta, not published by us, or not shown.

    Never all history: a sale whose lots are all closed is not asked for again.
    """
    told = _told_of()
    with desk().record.read() as session:
        query = (
            select(Sale)
            .join(Lot, Lot.sale_id == Sale.id)
            .where(Sale.basta_sale_id.is_not(None))
            .where(
                or_(
                    Lot.status.in_(OPEN)
                    & or_(
                        Sale.basta_sale_id.in_(told),
                        Lot.closes_at <= now(),
                        Sale.published_at.is_(None),
                        Lot.hold_reason == NOT_SHOWN,
                    ),
                    # All its lots are closed, and their winners wait for the sale itself to close.
                    (Lot.status == LotStatus.AUCTION_CLOSED) & Lot.invoice_id.is_(None) & Sale.closed_at.is_(None),
                )
            )
            .order_by(Sale.id)
            .distinct()
        )
        sales = session.scalars(query.where(Sale.basta_sale_id == sale_id) if sale_id else query)
        return [sale.id for sale in sales]


def sales_told(sale_id: str | None = None) -> list[int]:
    """Sales that Basta told something of, since they were last read."""
    told = _told_of()
    with desk().record.read() as session:
        query = select(Sale.id).where(Sale.basta_sale_id.in_(told)).order_by(Sale.id)
        return list(session.scalars(query.where(Sale.basta_sale_id == sale_id) if sale_id else query))


def _told_of() -> set[str]:
    """Basta's ids of the sales that waiting events are about; events about nothing that is open are done with."""
    found: dict[str, list[int]] = {}
    with desk().record.read() as session:
        for event in inbox.waiting(session, "basta"):
            found.setdefault(str(event.payload.get("sale_id")), []).append(event.id)
        if not found:
            return set()
        known = select(Sale.basta_sale_id).where(Sale.basta_sale_id.in_(found))
        lots = select(Lot.sale_id).where(Lot.status.in_(OPEN))
        waits = set(session.scalars(known.where(or_(Sale.closed_at.is_(None), Sale.id.in_(lots)))))
    strangers = [event for sale, events in found.items() if sale not in waits for event in events]
    if strangers:
        with desk().record.write() as session:
            inbox.handled(session, *strangers)
    return {sale for sale in found if sale in waits}


@task(task_run_name="close sale {sale_row_id}", **READING)
def close_sale(sale_row_id: int) -> str:
    """Read one sale's lots at Basta, and move ours to what they became."""
    return read_sale(desk(), sale_row_id)


def read_sale(at: Desk, sale_row_id: int) -> str:
    """Bring our lots of a sale up to Basta's; what came of it. Running it again changes nothing.

    Raises:
        ServiceUnavailable, ServiceRefused: Basta could not be read.
    """
    with at.record.read() as session:
        ours = session.get_one(Sale, sale_row_id)
        events = [event.id for event in inbox.waiting(session, "basta") if _is_about(event.payload, ours)]
    assert ours.basta_sale_id
    theirs = at.basta.sale(ours.basta_sale_id)
    items = {item.id: item for item in at.basta.items(ours.basta_sale_id)} if theirs else {}
    with at.record.write() as session:
        sale = session.get_one(Sale, sale_row_id)
        if theirs is not None:
            sale.status = theirs.status
            if theirs.is_published and sale.published_at is None:
                sale.published_at = now()  # by hand, in Basta's own pages: adopted
                _adopt_publication(session, sale)
            if theirs.is_closed and sale.closed_at is None:
                sale.closed_at = now()
        lots = session.scalars(select(Lot).where(Lot.sale_id == sale_row_id, Lot.status.in_(OPEN)))
        for lot in lots:
            if lot.basta_item_id is None:
                continue
            if item := items.get(lot.basta_item_id):
                _apply(session, lot, item, theirs)
            else:
                _missing(session, lot, "withdrawn at Basta" if theirs else "its sale is gone at Basta", at.quiet)
        inbox.handled(session, *events)
        return "closed" if sale.closed_at else "still open"


def _is_about(payload: dict[str, object], sale: Sale) -> bool:
    return payload.get("sale_id") == sale.basta_sale_id


def _adopt_publication(session: Session, sale: Sale) -> None:
    answer = Answer(sale.basta_sale_id, {"by": "hand"})
    effects.adopt(session, f"publish:{sale.id}", answer, {"sale_id": sale.basta_sale_id}, sale_id=sale.id)


def _missing(session: Session, lot: Lot, unlisted: str, quiet: timedelta) -> None:
    """A lot that Basta does not show: taken out by us, or by hand, once a later reading says the same."""
    if effects.state_of(session, f"unlist:{lot.id}") is not None:  # by us, and nobody saw the end of it
        effects.adopt(session, f"unlist:{lot.id}", Answer(lot.basta_item_id, {}), {}, lot_id=lot.id)
    elif lot.hold_reason != NOT_SHOWN:
        # A slip of Basta's, or it was listed after the answer left.
        hold(session, lot.id, NOT_SHOWN, "Basta does not show it: another answer decides", until=now() + quiet)
        return
    elif lot.hold_until and now() < lot.hold_until:
        return
    move(session, lot.id, LotStatus.CANCELLED, why=unlisted)


def _apply(session: Session, lot: Lot, item: vendor.Item, sale: vendor.Sale | None) -> None:
    """One lot: what Basta shows decides; what it does not show is unknown, and unknown is not sold."""
    release(session, lot.id, NOT_SHOWN)
    lot.closes_at = item.closing_end or lot.closes_at
    adopt_edits(session, lot, item)
    if sale is not None and sale.is_published and lot.status is LotStatus.LISTED:
        follow(session, lot.id, LotStatus.PUBLISHED)
    if item.is_won:
        session.refresh(lot)
        lot.winner_user_id, lot.winning_bid_cents = item.leader_id, item.current_bid_cents
        lot.closed_at = lot.closed_at or now()
        session.flush()
        follow(session, lot.id, LotStatus.AUCTION_CLOSED)
    elif item.is_unsold:
        bid = item.current_bid_cents
        why = f"the highest bid, {dollars(bid)}, missed it" if bid else "no bid"
        lot.closed_at = lot.closed_at or now()
        session.flush()
        follow(session, lot.id, LotStatus.RESERVE_NOT_MET, why=why)
    elif item.is_closed:
        lot.error_message = "closed, but Basta does not say whether the reserve was met: read again next cycle"
