"""A sale and its items at Basta, each found again by our own external id."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.basta import NewItem, NewSale
from tasks.desk import Desk
from tasks.lots import effects
from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.manners import Answer, Attempt, Came, Manner
from tasks.lots.models import Lot, Sale, SourcingRun
from tasks.lots.moving import move
from tasks.lots.states import LotStatus
from tasks.rules.pricing import INCREMENTS
from tasks.settings import Mode


def make_sale(desk: Desk, run_id: int) -> int:
    """The sale of a run, made at Basta once; our row's id.

    Raises:
        Unsettled: Basta did not say.
    """
    with desk.record.write() as session:
        sale_row = _plan_sale(desk, session, session.get_one(SourcingRun, run_id))
    desk.settle(f"sale:{run_id}", making_sale(desk, sale_row))
    return sale_row


def _plan_sale(desk: Desk, session: Session, run: SourcingRun) -> int:
    title = f"{run.keyword.title()}, {run.created_at:%d %B %Y}"
    insert_once(session, Sale, sourcing_run_id=run.id, title=title, status="UNPUBLISHED", created_at=now())
    sale = session.scalars(select(Sale).where(Sale.sourcing_run_id == run.id)).one()
    external_id = desk.record.known_as(f"run-{run.id}")
    effects.plan(session, f"sale:{run.id}", {"external_id": external_id, "title": sale.title}, sale_id=sale.id)
    return sale.id


def plan_next(desk: Desk, session: Session) -> None:
    """Plan what every unfinished run does next, its sale and then its items; a second call plans nothing more."""
    for run in session.scalars(select(SourcingRun).where(SourcingRun.state == "OPEN").order_by(SourcingRun.id)):
        lots = select(Lot).where(Lot.sourcing_run_id == run.id, Lot.status == LotStatus.SOURCED).order_by(Lot.id)
        for lot in list(session.scalars(lots)):
            if lot.basta_sale_id is None:
                _plan_sale(desk, session, run)
            else:
                _plan_lot(session, lot)


def making_sale(desk: Desk, sale_row: int) -> Manner:
    """How a run's sale is looked for, made and recorded."""

    def look(attempt: Attempt) -> Answer | None:
        found = desk.basta.sale_by_external_id(attempt.request["external_id"])
        return Answer(found.id, {}) if found else None

    def act(attempt: Attempt) -> Answer:
        made = desk.basta.create_sale(
            NewSale(
                external_id=attempt.request["external_id"],
                title=attempt.request["title"],
                description=f"A sale of {attempt.request['title']}.",
                countdown_ms=round(desk.settings.closing_countdown_seconds * 1000),
                increments=tuple((one.low, one.high, one.step) for one in INCREMENTS),
                is_test=desk.settings.mode is Mode.TEST,
            )
        )
        return Answer(made.id, {})

    def record(session: Session, _: Attempt, answer: Answer) -> None:
        sale = session.get_one(Sale, sale_row)
        sale.basta_sale_id = answer.vendor_id
        for lot in session.scalars(select(Lot).where(Lot.sourcing_run_id == sale.sourcing_run_id)):
            lot.sale_id, lot.basta_sale_id = sale_row, answer.vendor_id

    return Manner(look=look, act=act, record=record)


def external_id_of(desk: Desk, lot_id: int) -> str:
    """Our name for a lot, which Basta keeps."""
    return desk.record.known_as(f"lot-{lot_id}")


def new_item(desk: Desk, lot: Lot) -> NewItem:
    """A lot as Basta wants it, opening and closing as it is planned now."""
    opens = lot.opens_at or now() + timedelta(hours=desk.settings.auction_opens_after_hours)
    closes = lot.closes_at or opens + timedelta(hours=desk.settings.auction_duration_hours)
    return NewItem(
        external_id=external_id_of(desk, lot.id),
        title=lot.title,
        description=lot.description,
        item_number=lot.item_number or 1,
        reserve_cents=lot.reserve_cents,
        starting_bid_cents=lot.starting_bid_cents,
        opens_at=opens,
        closes_at=closes,
    )


def list_lot(desk: Desk, lot_id: int) -> str:
    """Put one lot into its sale: that is LISTED. A lot that Basta refuses is CANCELLED with the reason.

    Raises:
        Unsettled: Basta did not say.
    """
    with desk.record.write() as session:
        lot = session.get_one(Lot, lot_id)
        if lot.status is not LotStatus.SOURCED:
            return str(lot.status).lower()
        _plan_lot(session, lot)
    outcome = desk.settle(f"lot:{lot_id}", listing_lot(desk, lot))
    return "refused" if outcome.came is Came.REFUSED else "listed"


def _plan_lot(session: Session, lot: Lot) -> None:
    assert lot.basta_sale_id
    effects.plan(session, f"lot:{lot.id}", {"sale_id": lot.basta_sale_id}, lot_id=lot.id, sale_id=lot.sale_id)


def listing_lot(desk: Desk, lot: Lot) -> Manner:
    """How a lot's item is looked for, made and recorded."""
    lot_id, sale_id = lot.id, lot.basta_sale_id or ""

    def look(_: Attempt) -> Answer | None:
        found = [item for item in desk.basta.items(sale_id) if item.external_id == external_id_of(desk, lot_id)]
        return Answer(found[0].id, {"number": found[0].item_number}) if found else None

    def act(_: Attempt) -> Answer:
        made = desk.basta.create_item(sale_id, new_item(desk, lot))
        return Answer(made.id, {"number": made.item_number})

    def record(session: Session, _: Attempt, answer: Answer) -> None:
        session.get_one(Lot, lot_id).basta_item_id = answer.vendor_id
        move(session, lot_id, LotStatus.LISTED)

    def refused(session: Session, _: Attempt, error: Exception) -> None:
        move(session, lot_id, LotStatus.CANCELLED, why=f"Basta refused it: {error}")

    def undo(item_id: str) -> None:
        desk.basta.remove_item(sale_id, item_id)  # nobody could be sold what no lot of ours stands behind

    return Manner(look=look, act=act, record=record, refused=refused, undo=undo)
