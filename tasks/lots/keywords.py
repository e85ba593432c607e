"""The rotation: which words are sourced, and when each was last."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.models import Keyword


class KeywordExists(ValueError):
    """The word is in the rotation already."""


def add(session: Session, keyword: str, max_cost_cents: int, priority: int = 0) -> Keyword:
    """Put a word into the rotation.

    Raises:
        KeywordExists: it is there.
    """
    if session.execute(select(Keyword.id).where(Keyword.keyword == keyword)).first():
        raise KeywordExists(f"The keyword {keyword!r} is in the rotation already.")
    row = Keyword(keyword=keyword, max_cost_cents=max_cost_cents, priority=priority, active=True, created_at=now())
    session.add(row)
    session.flush()
    return row


def remove(session: Session, keyword_id: int) -> str | None:
    """Take a word out; the word, or None when there is none of this id."""
    return session.execute(
        delete(Keyword).where(Keyword.id == keyword_id).returning(Keyword.keyword)
    ).scalar_one_or_none()


def every(session: Session) -> list[Keyword]:
    """The rotation, the highest priority first."""
    return list(session.scalars(select(Keyword).order_by(Keyword.priority.desc(), Keyword.created_at, Keyword.id)))


def sourced(session: Session, keyword: str) -> None:
    """Its search starts now."""
    session.execute(update(Keyword).where(Keyword.keyword == keyword).values(last_sourced_at=now()))


def switch(session: Session, keyword_id: int, *, on: bool) -> None:
    """Let a word take its turns in the rotation, or rest."""
    session.get_one(Keyword, keyword_id).active = on
