"""Questions to a person, as rows: asked once, answered once."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.records import Approval


def ask(session: Session, key: str, question: str, amount_cents: int) -> Approval:
    """Ask, unless the same was asked before; the row tells whether it was answered."""
    if found := session.scalars(select(Approval).where(Approval.key == key)).one_or_none():
        return found
    row = Approval(key=key, question=question, amount_cents=amount_cents, state="ASKED", asked_at=now())
    session.add(row)
    session.flush()
    return row


def answer(session: Session, approval_id: int, yes: bool, by: str) -> bool:
    """Answer a question; False when it was answered before."""
    done = session.execute(
        update(Approval)
        .where(Approval.id == approval_id, Approval.state == "ASKED")
        .values(state="YES" if yes else "NO", answered_at=now(), answered_by=by)
        .returning(Approval.id)
    ).scalar_one_or_none()
    return done is not None


def state_of(session: Session, key: str) -> str | None:
    """ASKED, YES or NO; None when nobody asked."""
    return session.execute(select(Approval.state).where(Approval.key == key)).scalar_one_or_none()


def open_ones(session: Session) -> list[Approval]:
    """Questions without an answer."""
    return list(session.scalars(select(Approval).where(Approval.state == "ASKED").order_by(Approval.id)))
