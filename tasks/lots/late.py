"""Answers that came when the lease was over: kept, compared, and what is there twice taken back where that can be.

A machine that stands still between its last look at the clock and its call, for longer than its lease, acts beside
the worker who has the effect meanwhile. A vendor with keys of its own makes one thing of both; Basta's sales and
items have none.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from tasks.lots import incidents
from tasks.lots.engine import Record
from tasks.lots.incidents import Trouble
from tasks.lots.manners import SETTLED, Manner
from tasks.lots.records import Effect


def kept(session: Session, key: str, vendor_id: str | None, manner: Manner) -> str | None:
    """Keep the id that a worker without a lease brought, and tell of it; the id to take back, if it is a second one."""
    effect = session.get_one(Effect, key)
    if effect.vendor_id is not None or effect.state in SETTLED:
        return compared(session, key, effect.vendor_id, vendor_id, manner)
    effect.vendor_id = vendor_id
    incidents.report(session, _after_its_lease(effect))
    return None


def compared(session: Session, key: str, ours: str | None, other: str | None, manner: Manner) -> str | None:
    """Two workers got an answer for one effect: the same one, or a second thing, whose id is given if it can go."""
    if ours == other:
        incidents.over(session, _incident(key))
        return None
    effect = session.get_one(Effect, key, populate_existing=True)
    effect.error = f"a second answer came late: {other} beside {ours}"
    can_go = manner.undo is not None and other is not None
    incidents.report(session, _duplicate(effect, ours, other, can_go=can_go))
    return other if can_go else None


def take_back(record: Record, key: str, twin: str, manner: Manner) -> None:
    """Take the second thing back at its vendor. Where that fails, it is a person's, and is told as that."""
    assert manner.undo
    try:
        manner.undo(twin)
    except Exception as error:
        with record.write() as session:
            effect = session.get_one(Effect, key)
            effect.error = f"{twin} came late and could not be taken back: {error}"
            incidents.report(session, _duplicate(effect, effect.vendor_id, twin, can_go=False))
        return
    with record.write() as session:
        session.get_one(Effect, key).error = f"{twin} came late, and was taken back"
        incidents.over(session, _incident(key))


def _incident(key: str) -> str:
    return f"late:{key}"


def _after_its_lease(effect: Effect) -> Trouble:
    return Trouble(
        key=_incident(effect.key),
        alert="duplicate",
        severity="HIGH",
        title=f"An answer for {effect.key} came after its lease was over",
        text=f"{effect.vendor_id} is kept. Another worker looks for it meanwhile; should it act too, that is told.",
        command="pipeline status",
        lot_id=effect.lot_id,
    )


def _duplicate(effect: Effect, ours: str | None, other: str | None, *, can_go: bool) -> Trouble:
    undo = "Look at both there, and undo the one that our record does not name."
    now = f"{other} is being taken back." if can_go else undo
    return Trouble(
        key=_incident(effect.key),
        alert="duplicate",
        severity="HIGH" if can_go else "CRITICAL",
        title=f"{effect.key} may have happened twice",
        text=f"The vendor gave {other} beside {ours or 'nothing'}. {now}",
        command="pipeline status" if can_go else "pipeline pause all",
        lot_id=effect.lot_id,
    )
