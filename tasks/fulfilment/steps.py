"""Which lots have work, and the tasks that do it."""

from __future__ import annotations

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from tasks.cycling import Several
from tasks.desk import desk
from tasks.fulfilment import ordering
from tasks.fulfilment.capping import CAP
from tasks.lots import pauses
from tasks.lots.clock import now
from tasks.lots.manners import UNSETTLED
from tasks.lots.models import Lot
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.retrying import ACTING, READING, task

BATCH = 100
#: Holds that end by themselves or by the world: looked at again each cycle, or when their time has come.
LOOKED_AT_AGAIN = (ordering.NO_ADDRESS, ordering.REFUSED, CAP)

# Asked by each step of every cycle: built once.
_TO_WORK_ON = (
    select(Lot)
    .where(Lot.status == bindparam("status"), Lot.refund_status.is_(None))
    .where(or_(Lot.hold_reason.is_(None), Lot.hold_reason.in_(LOOKED_AT_AGAIN)))
    .where(or_(Lot.hold_until.is_(None), Lot.hold_until <= bindparam("at")))
    .order_by(Lot.id)
)


def _lots(session: Session, status: LotStatus, sale_id: str | None) -> list[Lot]:
    query = _TO_WORK_ON.where(Lot.basta_sale_id == sale_id) if sale_id else _TO_WORK_ON
    return list(session.scalars(query, {"status": status, "at": now()}))


def lots_to_order(sale_id: str | None = None) -> list[int]:
    """Paid lots without an order at CJ."""
    with desk().record.read() as session:
        if pauses.paused(session, "buying"):
            return []
        return [lot.id for lot in _lots(session, LotStatus.PAID, sale_id) if lot.cj_order_id is None]


def orders_to_compare(sale_id: str | None = None) -> list[list[int]]:
    """Created orders whose amount nobody accepted yet, a hundred a call."""
    with desk().record.read() as session:
        lots = [lot.id for lot in _lots(session, LotStatus.PAID, sale_id) if lot.cj_order_id is not None]
        accepted = _accepted(session, lots)
        ids = [lot for lot in lots if lot not in accepted]
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def orders_to_confirm(sale_id: str | None = None) -> list[int]:
    """Accepted orders that are not confirmed."""
    with desk().record.read() as session:
        if pauses.paused(session, "buying"):
            return []
        lots = [lot.id for lot in _lots(session, LotStatus.PAID, sale_id)]
        accepted = _accepted(session, lots)
        return [lot for lot in lots if lot in accepted]


def orders_to_delete(sale_id: str | None = None) -> list[int]:
    """Orders that became too dear before they were confirmed. What an operator deletes ends in another way."""
    with desk().record.read() as session:
        lots = [lot.id for lot in _lots(session, LotStatus.PAID, sale_id) if lot.cj_order_id is not None]
        begun = select(Effect).where(Effect.kind == "cj-delete", Effect.lot_id.in_(lots), UNSETTLED)
        found = list(session.scalars(begun.order_by(Effect.lot_id))) if lots else []
    return [one.lot_id for one in found if one.lot_id and ordering.is_too_dear(one.request)]


def _accepted(session: Session, lots: list[int]) -> set[int | None]:
    """Those whose confirmation is planned, or was."""
    query = select(Effect.lot_id).where(Effect.kind == "cj-confirm", Effect.lot_id.in_(lots))
    return set(session.scalars(query)) if lots else set()


def orders_to_pay(sale_id: str | None = None) -> list[int]:
    """Confirmed orders that are not paid."""
    with desk().record.read() as session:
        if pauses.paused(session, "buying"):
            return []
        return [lot.id for lot in _lots(session, LotStatus.CJ_ORDERED, sale_id)]


@task(task_run_name="order lot {lot_id}", **ACTING)
def order_goods(lot_id: int) -> str:
    """Check a paid lot and create its order at CJ, unpaid. Running it again finds the same order."""
    return ordering.order_goods(desk(), lot_id)


@task(task_run_name="compare orders", **READING)
def compare_orders(lot_ids: list[int]) -> Several:
    """Read created orders, and judge each by what CJ asks for it."""
    return Several(ordering.compare_orders(desk(), lot_ids), "accepted")


@task(task_run_name="delete the order of lot {lot_id}", **ACTING)
def delete_order(lot_id: int) -> str:
    """Delete an order that is too dear. Running it again finds it deleted."""
    return ordering.delete_order(desk(), lot_id)


@task(task_run_name="confirm lot {lot_id}", **ACTING)
def confirm_order(lot_id: int) -> str:
    """Confirm an accepted order at CJ."""
    return ordering.confirm_order(desk(), lot_id)


@task(task_run_name="pay lot {lot_id}", **ACTING)
def pay_order(lot_id: int) -> str:
    """Have a confirmed order paid from CJ's balance; it is read afterwards, and by a second run first."""
    return ordering.pay_order(desk(), lot_id)
