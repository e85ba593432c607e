"""The one function that moves a lot."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from tasks.lots.clock import now
from tasks.lots.models import History, Lot
from tasks.lots.states import MOVES, IllegalMove, LotStatus, hops

# Asked for every hop of every lot: building a question anew takes longer than its answer.
_LOT = select(Lot).where(Lot.id == bindparam("lot")).execution_options(populate_existing=True)
_STATUS_OF = select(Lot.status).where(Lot.id == bindparam("lot"))
_LAST_HOP = select(func.coalesce(func.max(History.seq), 0)).where(History.lot_id == bindparam("lot"))
_NO_HOLD = {"hold_reason": None, "hold_until": None}
_MOVED = (
    update(Lot)
    .where(Lot.id == bindparam("lot"), Lot.status == bindparam("frm"))
    .returning(Lot.id)
    .execution_options(synchronize_session=False)
)


def lock(session: Session, lot_id: int) -> Lot:
    """A lot, kept from everybody else until the transaction ends: what excludes two effects is decided here.

    On SQLite the transaction itself (BEGIN IMMEDIATE) keeps them away.
    """
    query = _LOT if session.get_bind().dialect.name == "sqlite" else _LOT.with_for_update()
    return session.scalars(query, {"lot": lot_id}).one()


def create(session: Session, lot: Lot) -> Lot:
    """Begin a lot's life: the row and its first line of history, together."""
    lot.status, lot.status_since = LotStatus.SOURCED, now()
    lot.created_at = lot.updated_at = lot.status_since
    session.add(lot)
    session.flush()
    session.add(History(lot_id=lot.id, seq=1, frm=None, to=lot.status, at=lot.status_since, why=None))
    return lot


def move(session: Session, lot_id: int, to: LotStatus, *, why: str | None = None) -> bool:
    """Move a lot one hop, in the caller's transaction; False when it is there already.

    The row is updated only where the status is still the one that was read, and the history row is written
    with it. A hold ends with the move that it held up. `why` also becomes the lot's `error_message`.

    Raises:
        IllegalMove: the table of moves has no such hop, or somebody else moved the lot meanwhile.
    """
    frm = session.execute(_STATUS_OF, {"lot": lot_id}).scalar_one()
    if frm == to:
        return False
    if to not in MOVES[frm]:
        raise IllegalMove(lot_id, frm, to)
    at = now()
    new = {"status": to, "status_since": at, "updated_at": at, "error_message": why, **_NO_HOLD}
    if session.execute(_MOVED, {"lot": lot_id, "frm": frm, **new}).first() is None:
        raise IllegalMove(lot_id, frm, to)
    if lot := session.identity_map.get(session.identity_key(Lot, lot_id)):
        for name, value in new.items():  # whoever has read it sees it moved
            set_committed_value(lot, name, value)
    seq = session.execute(_LAST_HOP, {"lot": lot_id}).scalar_one()
    session.add(History(lot_id=lot_id, seq=seq + 1, frm=frm, to=to, at=at, why=why))
    session.flush()
    return True


def follow(session: Session, lot_id: int, to: LotStatus, *, why: str | None = None) -> tuple[LotStatus, ...]:
    """Take the missing hops, in order, when the world is ahead of us; those taken.

    Raises:
        IllegalMove: no lawful road leads there; none ever leads over PAID.
    """
    frm = session.execute(_STATUS_OF, {"lot": lot_id}).scalar_one()
    try:
        way = hops(frm, to)
    except LookupError:
        raise IllegalMove(lot_id, frm, to) from None
    for hop in way:
        move(session, lot_id, hop, why=why)
    return way


def hold(session: Session, lot_id: int, reason: str, why: str, *, until: object = None) -> None:
    """Say why a lot waits; its status stays, and the time since which it has it."""
    session.execute(
        update(Lot)
        .where(Lot.id == lot_id)
        .values(hold_reason=reason, hold_until=until, error_message=why, updated_at=now())
        .execution_options(synchronize_session="fetch")
    )


def release(session: Session, lot_id: int, *reasons: str) -> bool:
    """End a lot's hold, if it is one of these (any, when none is named)."""
    query = update(Lot).where(Lot.id == lot_id, Lot.hold_reason.is_not(None))
    if reasons:
        query = query.where(Lot.hold_reason.in_(reasons))
    freed = session.execute(
        query.values(hold_reason=None, hold_until=None, error_message=None, updated_at=now())
        .returning(Lot.id)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return freed is not None


def history(session: Session, lot_id: int) -> list[History]:
    """A lot's life so far, in order."""
    return list(session.scalars(select(History).where(History.lot_id == lot_id).order_by(History.seq)))
