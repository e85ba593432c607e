"""The operator's stops, read before every effect. Recording what the world does goes on."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.records import Pause

SCOPES = ("sourcing", "buying", "charging")

#: Which kinds of effect each pause stops. Undoing (unlist, void, refund, delete) and mails are never stopped.
STOPS: dict[str, frozenset[str]] = {
    "sourcing": frozenset({"sale", "lot", "image", "publish", "policy"}),
    "buying": frozenset({"cj-order", "cj-confirm", "cj-pay"}),
    "charging": frozenset({"invoice", "pay"}),
}

# Asked before every effect: built once.
_CURRENT = select(Pause).order_by(Pause.scope)
_OF_SCOPE = select(Pause.scope).where(Pause.scope == bindparam("scope"))


def pause(session: Session, scope: str, why: str | None = None) -> tuple[str, ...]:
    """Stop part of the work, or all of it; the scopes that were not stopped before."""
    fresh = [one for one in scopes(scope) if session.get(Pause, one) is None]
    session.add_all(Pause(scope=one, since=now(), why=why) for one in fresh)
    return tuple(fresh)


def resume(session: Session, scope: str) -> tuple[str, ...]:
    """Let it go on; the scopes that had been stopped."""
    query = delete(Pause).where(Pause.scope.in_(scopes(scope))).returning(Pause.scope)
    return tuple(sorted(session.scalars(query)))


def scopes(scope: str) -> tuple[str, ...]:
    """What "all" means.

    Raises:
        ValueError: there is no such scope.
    """
    if scope == "all":
        return SCOPES
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no part of the work: choose {', '.join(SCOPES)} or all.")
    return (scope,)


def current(session: Session) -> list[Pause]:
    """The stops in force."""
    return list(session.scalars(_CURRENT))


def paused(session: Session, scope: str) -> bool:
    """Whether this part of the work is stopped."""
    return session.execute(_OF_SCOPE, {"scope": scope}).first() is not None


def stops(session: Session, kind: str) -> bool:
    """Whether a pause in force stops effects of this kind."""
    return any(kind in STOPS[pause.scope] for pause in current(session))
