"""Questions to a person, as rows.

A question waits until it expires: unanswered by then, it was answered no. A yes lets its work begin once, within
the amount that was granted, and must be used before it expires. A no of a person's stands as long; after that the
same may be asked anew. A form, a terminal and the clock may all answer at once: the first one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.records import Approval
from tasks.rules.money import dollars

NOBODY = "nobody, in time"


class WrongAmount(ValueError):
    """More was to be granted than was asked for, or nothing; the message says so."""


def ask(
    session: Session,
    subject: str,
    *,
    kind: str,
    question: str,
    reason: str,
    amount_cents: int,
    facts: Mapping[str, Any],
    lasts: timedelta,
) -> Approval:
    """Ask, unless a question or an answer on this subject stands; that row, or the new one."""
    if found := standing(session, subject):
        return found
    number = session.execute(select(func.count()).where(Approval.subject == subject)).scalar_one() + 1
    row = Approval(
        key=f"{subject}:{number}",
        subject=subject,
        kind=kind,
        question=question,
        reason=reason,
        facts=dict(facts),
        amount_cents=amount_cents,
        state="ASKED",
        asked_at=now(),
        expires_at=now() + lasts,
    )
    session.add(row)
    session.flush()
    return row


def standing(session: Session, subject: str) -> Approval | None:
    """The question that waits, or the answer that still holds; None when there is none."""
    query = select(Approval).where(
        Approval.subject == subject, Approval.state.in_(("ASKED", "YES", "NO")), Approval.expires_at > now()
    )
    return session.scalars(query.order_by(Approval.id.desc()).limit(1)).one_or_none()


def answer(
    session: Session, approval_id: int, yes: bool, by: str, *, lasts: timedelta, granted_cents: int | None = None
) -> bool:
    """Answer a question; False when it was answered before, or too late.

    Raises:
        WrongAmount: a yes for more than was asked, or for nothing.
    """
    row = session.get_one(Approval, approval_id)
    granted = row.amount_cents if granted_cents is None else granted_cents
    if yes and not 0 < granted <= row.amount_cents:
        raise WrongAmount(f"{dollars(granted)} cannot be granted: at most {dollars(row.amount_cents)} was asked for.")
    done = session.execute(
        update(Approval)
        .where(Approval.id == approval_id, Approval.state == "ASKED", Approval.expires_at > now())
        .values(
            state="YES" if yes else "NO",
            granted_cents=granted if yes else None,
            answered_at=now(),
            answered_by=by,
            expires_at=now() + lasts,
        )
        .returning(Approval.id)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return done is not None


def use(session: Session, approval_id: int) -> bool:
    """Take a yes for its work, once; False when it is none, was used, or has expired."""
    used = session.execute(
        update(Approval)
        .where(Approval.id == approval_id, Approval.state == "YES", Approval.expires_at > now())
        .values(state="USED", used_at=now())
        .returning(Approval.id)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return used is not None


def lapse(session: Session) -> list[Approval]:
    """Answer no to every question that nobody answered in time; those rows."""
    late = update(Approval).where(Approval.state == "ASKED", Approval.expires_at <= now())
    done = late.values(state="NO", answered_at=now(), answered_by=NOBODY).returning(Approval.id)
    ids = list(session.scalars(done.execution_options(synchronize_session="fetch")))
    return list(session.scalars(select(Approval).where(Approval.id.in_(ids)).order_by(Approval.id)))


def granted(session: Session, subject: str) -> int:
    """The most that was granted on a subject, used or not, in cents; 0 when nothing was."""
    query = select(func.max(Approval.granted_cents)).where(
        Approval.subject == subject, Approval.state.in_(("YES", "USED"))
    )
    return int(session.execute(query).scalar_one() or 0)


def granted_sums(session: Session, subject: str) -> set[int]:
    """Every amount under which work on a subject has begun, in cents."""
    query = select(Approval.granted_cents).where(Approval.subject == subject, Approval.state == "USED")
    return {one for one in session.scalars(query) if one is not None}


def open_ones(session: Session) -> list[Approval]:
    """Questions that wait for an answer."""
    query = select(Approval).where(Approval.state == "ASKED", Approval.expires_at > now()).order_by(Approval.id)
    return list(session.scalars(query))


def newest(session: Session, limit: int = 30) -> list[Approval]:
    """The last questions, whatever became of them, the newest first."""
    return list(session.scalars(select(Approval).order_by(Approval.id.desc()).limit(limit)))
