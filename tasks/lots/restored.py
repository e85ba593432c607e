"""A restored record is older than the world: how it says so, until a reconciliation is clean.

Three things follow from the mark. Every effect looks first, also one that nobody began here: it may have happened
since the backup was made. Rows made from now on take ids that no lost row can have had, so that none of them finds a
lost row's order, item or invoice and takes it for its own. And nothing is sourced, and no mail written, until the
record is whole again: what a mail would tell may have been told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event, func, select, text, update
from sqlalchemy.orm import Mapper, Session

from tasks.lots.clock import now
from tasks.lots.columns import Base
from tasks.lots.models import Buyer, Invoice, Lot, Sale, SourcingRun
from tasks.lots.records import Effect, FlowLease, Pause, Stamp

#: When the record was put back, for as long as it is not reconciled; and the lowest id that a new row may take.
MARK, FLOOR = "restored_at", "ids_from"
MAYBE_SENT = "it may have gone out in the time that the restored record does not know"
#: Between the ids of one life of the record and the next: no backup is so old.
STRIDE = 1_000_000
_MARKED_AT = select(Stamp.value).where(Stamp.name == MARK)  # built once: it is asked before every effect
RESTORED = "the record was restored: "
WHY = f"{RESTORED}it goes on when `pipeline reconcile` is clean"
#: Rows whose ids are part of what the vendors know.
NAMED: tuple[type[Base], ...] = (SourcingRun, Sale, Buyer, Invoice, Lot)


def mark(session: Session) -> int:
    """Mark a record that was just put back; from which id on new rows begin."""
    highest = max(_highest(session, table) for table in NAMED)
    floor = (highest // STRIDE + 1) * STRIDE + 1
    _stamp(session, MARK, now().isoformat(timespec="seconds"))
    _stamp(session, FLOOR, str(floor))
    if session.get_bind().dialect.name == "postgresql":
        for table in NAMED:
            name = table.__tablename__
            session.execute(
                text("select setval(pg_get_serial_sequence(:name, 'id'), :at, false)"), {"name": name, "at": floor}
            )
    if session.get(Pause, "sourcing") is None:
        session.add(Pause(scope="sourcing", since=now(), why=WHY))
    session.execute(update(FlowLease).values(owner=None, until=None))  # whoever ran then, runs no more
    unsettled = Effect.state.in_(("PLANNED", "IN_FLIGHT", "UNKNOWN"))
    # A mail has no look: better none than two.
    mails = update(Effect).where(unsettled, Effect.kind == "mail")
    session.execute(mails.values(state="DROPPED", error=MAYBE_SENT, settled_at=now(), owner=None, lease_until=None))
    session.execute(
        update(Effect)
        .where(unsettled)
        .values(state="UNKNOWN", acted_at=now(), absent_since=None, owner=None, lease_until=None)
    )
    session.flush()
    return floor


def since(session: Session) -> datetime | None:
    """When the record was put back, while it is older than the world; None when they agree."""
    marked_at = session.execute(_MARKED_AT).scalar_one_or_none()
    return None if marked_at is None else datetime.fromisoformat(marked_at)


def ever(session: Session) -> bool:
    """Whether this record was ever put back: then things made from rows that are lost may be at the vendors."""
    return session.get(Stamp, FLOOR) is not None


def clear(session: Session) -> bool:
    """The record and the world agree again; False when nothing was marked."""
    row = session.get(Stamp, MARK)
    if row is None:
        return False
    session.delete(row)
    stopped = session.get(Pause, "sourcing")
    if stopped is not None and (stopped.why or "").startswith(RESTORED):
        session.delete(stopped)
    session.flush()
    return True


def _stamp(session: Session, name: str, value: str) -> None:
    row = session.get(Stamp, name)
    if row is None:
        session.add(Stamp(name=name, value=value, since=now()))
    else:
        row.value, row.since = value, now()
    session.flush()


def _highest(session: Session, table: type[Base]) -> int:
    return int(session.execute(select(func.coalesce(func.max(table.__table__.c.id), 0))).scalar_one())


def _above_the_floor(_: Mapper[Any], connection: Connection, row: Any) -> None:
    """SQLite counts on from the highest row that is left; a restored record begins above every row that is lost."""
    if row.id is not None or connection.dialect.name == "postgresql":
        return
    floor = connection.execute(select(Stamp.value).where(Stamp.name == FLOOR)).scalar_one_or_none()
    if floor is None:
        return
    table = row.__table__
    given: dict[str, int] = connection.info.setdefault("ids_given", {})
    highest = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
    # Rows of one flush are numbered before the first of them is written.
    row.id = given[table.name] = max(int(floor), highest + 1, given.get(table.name, 0) + 1)


for _one in NAMED:
    event.listen(_one, "before_insert", _above_the_floor)
