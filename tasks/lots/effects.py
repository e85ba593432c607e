"""How nothing happens twice.

Anything that changes the outside world is an effect: a row whose key is made of our own ids.

    plan     insert the row with its frozen request; commit
    claim    IN_FLIGHT, with a fresh owner token and a lease; an attempt that never settled is UNKNOWN
    look     after any earlier attempt: ask the vendor by our key, and adopt what is there
    act      call, under the vendor key = effect key + generation + the record's name
    record   the vendor's id, the lot's move, ledger and history: one transaction, guarded by the owner
    ask      look, and act in no case: what is there is adopted, what is proven absent is PLANNED again

What was proven absent keeps the time of its last attempt, so that whoever performs it looks first all the same.

A record that was put back from a backup plans nothing as new: until it is reconciled, every effect may have happened
in the time that is lost, and looks first.

A timeout, a 5xx, a reset, garbage and a kill all leave UNKNOWN, which is never retried blind and never taken
for a no. Not finding a thing proves nothing until a quiet time has passed since the last attempt.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import bindparam, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from tasks.lots import late, pauses, restored
from tasks.lots.clock import now
from tasks.lots.engine import Record, insert_once
from tasks.lots.manners import SETTLED, UNSETTLED, Answer, Attempt, Came, Manner, Outcome, Proof, Resume, State
from tasks.lots.records import Effect

LEASE_MARGIN = timedelta(seconds=60)

# Asked several times for every effect: building a question anew takes longer than its answer.
_OF_KEY = select(Effect).where(Effect.key == bindparam("key"))
_STATE_OF = select(Effect.state).where(Effect.key == bindparam("key"))
_HOLDER_OF = select(Effect.owner, Effect.lease_until).where(Effect.key == bindparam("key"))


def plan(
    session: Session,
    key: str,
    request: Mapping[str, Any],
    *,
    lot_id: int | None = None,
    invoice_id: int | None = None,
    sale_id: int | None = None,
) -> Effect:
    """Write down what shall happen, once; a second plan gives the first one's row, its request untouched."""
    if found := session.scalars(_OF_KEY, {"key": key}).one_or_none():
        return found
    restored_at = restored.since(session)  # then it may have happened already, in the time that is lost
    insert_once(
        session,
        Effect,
        key=key,
        kind=key.split(":", 1)[0],
        lot_id=lot_id,
        invoice_id=invoice_id,
        sale_id=sale_id,
        request=dict(request),
        state=State.UNKNOWN if restored_at else State.PLANNED,
        acted_at=restored_at,
        attempts=0,
        generation=1,
        created_at=now(),
    )
    return session.scalars(_OF_KEY, {"key": key}).one()


def state_of(session: Session, key: str) -> State | None:
    """Where an effect stands; None when nobody planned it."""
    found = session.execute(_STATE_OF, {"key": key}).scalar_one_or_none()
    return State(found) if found else None


def of_lot(session: Session, lot_id: int, *kinds: str) -> list[Effect]:
    """A lot's effects of these kinds, oldest first."""
    query = select(Effect).where(Effect.lot_id == lot_id).order_by(Effect.created_at, Effect.key)
    return list(session.scalars(query.where(Effect.kind.in_(kinds)) if kinds else query))


def unproven(session: Session, kind: str) -> dict[int, datetime]:
    """Lots with an effect of this kind of which nobody knows what came, and when its last attempt began."""
    query = select(Effect).where(Effect.kind == kind, Effect.acted_at.is_not(None), UNSETTLED)
    return {one.lot_id: one.acted_at for one in session.scalars(query) if one.lot_id and one.acted_at}


def drop(session: Session, key: str, why: str, *, also_refused: bool = False) -> bool:
    """Give up an effect that nobody acted on, or that is proven absent; False when somebody acted, or may have.

    Args:
        also_refused: also one that the vendor said no to, so that nobody takes it up again.
    """
    untouched = or_(Effect.attempts == 0, Effect.absent_since.is_not(None))
    free = (Effect.state == State.PLANNED) & untouched
    dropped = session.execute(
        update(Effect)
        .where(Effect.key == key)
        .where(free | (Effect.state == State.REFUSED) if also_refused else free)
        .values(state=State.DROPPED, error=why, settled_at=now())
        .returning(Effect.key)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return dropped is not None


def give_up(session: Session, key: str, why: str, *, begun: bool = False) -> None:
    """Never do an effect again of which nobody can tell, now or later, whether it happened.

    Args:
        begun: also one that this record knows to have been tried; else only one of a restored record's lost time.
    """
    query = update(Effect).where(Effect.key == key, Effect.state.not_in(SETTLED), Effect.owner.is_(None))
    session.execute(
        (query if begun else query.where(Effect.attempts == 0))
        .values(state=State.DROPPED, error=why, settled_at=now())
        .execution_options(synchronize_session="fetch")
    )


def have_no_use(session: Session, why: str, *keys: str) -> None:
    """Settle calls of unknown fate as refused: what they were about cannot take them any more, as the vendor shows."""
    session.execute(
        update(Effect)
        .where(Effect.key.in_(keys), Effect.state.not_in(SETTLED))
        .values(state=State.REFUSED, error=why, settled_at=now(), owner=None, lease_until=None)
        .execution_options(synchronize_session="fetch")
    )


def adopt(session: Session, key: str, answer: Answer, request: Mapping[str, Any], **subject: int | None) -> bool:
    """Settle an effect that the vendor shows as happened, whoever did it; False when it was settled before."""
    plan(session, key, request, **subject)
    settled = session.execute(
        update(Effect)
        .where(Effect.key == key, Effect.state.not_in(SETTLED - {State.DROPPED}))
        .values(
            state=State.ADOPTED,
            vendor_id=answer.vendor_id,
            answer=dict(answer.facts),
            settled_at=now(),
            owner=None,
            lease_until=None,
        )
        .returning(Effect.key)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return settled is not None


def reopen(session: Session, key: str, request: Mapping[str, Any]) -> bool:
    """Let a refused effect, or one that was given up, be tried again with another request.

    It looks first where anybody acted, or may have in the time that a restored record does not know. What was refused
    is asked under another vendor key: Stripe would repeat its no for a day.
    """
    values: dict[str, Any] = {"state": case((Effect.acted_at.is_(None), State.PLANNED), else_=State.UNKNOWN)}
    anew = case((Effect.state == State.REFUSED, Effect.generation + 1), else_=Effect.generation)
    if restored_at := restored.since(session):
        values = {
            "state": State.UNKNOWN,
            "acted_at": func.coalesce(Effect.acted_at, literal(restored_at, Effect.acted_at.type)),
        }
    again = session.execute(
        update(Effect)
        .where(Effect.key == key, Effect.state.in_((State.REFUSED, State.DROPPED)))
        .values(request=dict(request), settled_at=None, generation=anew, **values)
        .returning(Effect.key)
        .execution_options(synchronize_session="fetch")
    ).scalar_one_or_none()
    return again is not None


def to_ask(session: Session) -> list[Effect]:
    """Every effect that somebody may have made happen and that nobody saw the end of, nobody being at work on it.

    What was proven absent is among them until it is settled: a request that was slow may still have landed.
    """
    idle = or_(Effect.owner.is_(None), Effect.lease_until <= now())
    query = select(Effect).where(UNSETTLED, Effect.acted_at.is_not(None), idle)
    return list(session.scalars(query.order_by(Effect.created_at, Effect.key)))


def free_expired(session: Session) -> int:
    """Let go of every claim whose lease is over: whoever held it is gone. What was begun is UNKNOWN, and looked up.

    A worker that lives on all the same finds that it is no longer the owner. How many claims were let go.
    """
    freed = session.execute(
        update(Effect)
        .where(Effect.owner.is_not(None), Effect.lease_until <= now(), UNSETTLED)
        .values(state=State.UNKNOWN, owner=None, lease_until=None)
        .returning(Effect.key)
        .execution_options(synchronize_session=False)
    )
    return len(freed.all())


def perform(record: Record, key: str, manner: Manner, *, refusal: type[Exception], quiet: timedelta) -> Outcome:
    """Make a planned effect happen once, however often and by however many this is called.

    Args:
        refusal: the error with which a client says that the vendor understood and said no.
        quiet: how long after the last attempt a missing thing proves nothing.

    Raises:
        LookupError: nobody planned the effect.
    """
    claim = _claim(record, key, manner)
    if isinstance(claim, Outcome):
        return claim
    owner, attempt, fresh = claim
    if not fresh:
        found = _look(record, owner, attempt, manner)
        if isinstance(found, Outcome):
            return found
        begun = _begin_again(record, key, owner, manner, found, quiet)
        if isinstance(begun, Outcome):
            return begun
        attempt = begun
    return _act(record, owner, attempt, manner, refusal)


def ask(record: Record, key: str, manner: Manner, *, quiet: timedelta) -> Outcome:
    """Look what became of an effect that somebody began, and adopt what is there; nothing is done in any case.

    What is not there when the quiet time has passed is proven absent (`Came.ABSENT`), and PLANNED again for whoever
    wants it. A vendor that refuses a second one lets nothing be proven earlier: it makes acting safe, not absence
    certain. A pause stops no look.

    Raises:
        LookupError: nobody planned the effect.
    """
    claim = _claim(record, key, manner, only_to_look=True)
    if isinstance(claim, Outcome):
        return claim
    owner, attempt, _ = claim
    found = _look(record, owner, attempt, manner)
    if isinstance(found, Outcome):
        return found
    with record.write() as session:
        effect = _locked(session, key)
        if effect.owner != owner:
            return Outcome(Came.BUSY)
        effect.owner, effect.lease_until = None, None
        half_built = found is Resume.HALF_BUILT
        if _is_too_early(effect, replace(manner, conclusive=False), quiet):
            return _not_yet(effect)
        effect.state = State.PLANNED
        if half_built:
            effect.attempts, effect.absent_since = max(effect.attempts, 1), None  # somebody began it, restored or not
        what = "half built" if half_built else "not there"
        effect.error = f"{what} at {now():%d %b %H:%M} UTC, when it was asked about"
        return Outcome(Came.ABSENT, error=effect.error)


def _settled(effect: Effect) -> Outcome:
    came = Came.DONE if effect.state in (State.DONE, State.ADOPTED) else Came.REFUSED
    return Outcome(came, effect.vendor_id, effect.answer or {}, effect.error)


def _claim(
    record: Record, key: str, manner: Manner, *, only_to_look: bool = False
) -> Outcome | tuple[str, Attempt, bool]:
    """Take the effect for this worker. The first attempt begins here; later ones only after a look."""
    at, owner = now(), secrets.token_hex(8)
    with record.write() as session:
        effect = _locked(session, key)
        if effect.state in SETTLED:
            return _settled(effect)
        if effect.lease_until and effect.lease_until > at:
            return Outcome(Came.BUSY)
        if not only_to_look and pauses.stops(session, effect.kind):
            return Outcome(Came.PAUSED)
        before = effect.acted_at
        if before is None and only_to_look:
            return Outcome(Came.ABSENT)  # nobody ever acted
        if before is None:
            effect.state, effect.attempts, effect.acted_at = State.IN_FLIGHT, 1, at
        else:
            effect.state = State.UNKNOWN  # whoever left it
        effect.owner, effect.lease_until = owner, at + timedelta(seconds=manner.deadline) + LEASE_MARGIN
        return owner, _attempt(record, effect, owner), before is None


def _attempt(record: Record, effect: Effect, owner: str) -> Attempt:
    key, held = effect.key, partial(_is_held, record, effect.key, owner)
    return Attempt(key, dict(effect.request), _vendor_key(record, effect), effect.attempts, held=held)


def _is_held(record: Record, key: str, owner: str) -> bool:
    with record.read() as session:
        holder, until = session.execute(_HOLDER_OF, {"key": key}).one()
    return bool(holder == owner and until and until > now())


def _locked(session: Session, key: str) -> Effect:
    """The effect, kept from everybody else until the transaction ends: who holds it is decided here.

    On SQLite the transaction itself (BEGIN IMMEDIATE) keeps them away.

    Raises:
        LookupError: nobody planned it.
    """
    sqlite = session.get_bind().dialect.name == "sqlite"
    effect = session.scalars(_OF_KEY if sqlite else _OF_KEY.with_for_update(), {"key": key}).one_or_none()
    if effect is None:
        raise LookupError(f"nobody planned the effect {key}")
    return effect


def _vendor_key(record: Record, effect: Effect) -> str:
    return record.known_as(f"{effect.key}:g{effect.generation}")


def _look(record: Record, owner: str, attempt: Attempt, manner: Manner) -> Outcome | Resume | None:
    """Ask the vendor what became of the earlier attempts: what is there is adopted; else what it says instead."""
    try:
        answer = manner.look(attempt)
    except Exception as error:
        return _leave(record, attempt.key, owner, error)
    if isinstance(answer, Answer):
        return _record(record, owner, replace(attempt, adopted=True), manner, answer, State.ADOPTED)
    return answer


def _begin_again(
    record: Record, key: str, owner: str, manner: Manner, found: Resume | None, quiet: timedelta
) -> Outcome | Attempt:
    """The next attempt, where the earlier ones are proven to have come to nothing, or to a half."""
    with record.write() as session:
        effect = _locked(session, key)
        if effect.owner != owner:
            return Outcome(Came.BUSY)
        half_built = found is Resume.HALF_BUILT
        if _is_too_early(effect, replace(manner, conclusive=manner.conclusive or half_built), quiet):
            effect.owner, effect.lease_until = None, None
            return _not_yet(effect)
        if manner.most is not None and effect.attempts >= manner.most:
            effect.owner, effect.lease_until, effect.state = None, None, State.UNKNOWN
            effect.error = f"tried {effect.attempts} times without effect: a person must decide"
            return Outcome(Came.WAITING, error=effect.error)
        at = now()
        effect.attempts += 1
        effect.generation += 0 if half_built else 1
        effect.absent_since, effect.state = None, State.IN_FLIGHT
        if not manner.since_first:
            effect.acted_at = at
        effect.lease_until = at + timedelta(seconds=manner.deadline) + LEASE_MARGIN
        return _attempt(record, effect, owner)


def _is_too_early(effect: Effect, manner: Manner, quiet: timedelta) -> bool:
    """Whether a look that found nothing just now proves nothing yet; when nothing was seen first is kept."""
    at, seen_absent = now(), effect.absent_since
    effect.absent_since = seen_absent or at
    if manner.twice and (seen_absent is None or at < seen_absent + quiet):
        return True
    return not manner.conclusive and at < (effect.acted_at or at) + quiet


def _not_yet(effect: Effect) -> Outcome:
    effect.state = State.UNKNOWN
    effect.error = "the vendor does not show it yet; looking again after the quiet time"
    return Outcome(Came.WAITING, error=effect.error)


def _act(record: Record, owner: str, attempt: Attempt, manner: Manner, refusal: type[Exception]) -> Outcome:
    if not attempt.held():
        return Outcome(Came.BUSY)  # this worker slept past its lease: whoever has it now looks before acting
    try:
        answer = manner.act(attempt)
    except refusal as error:
        return _refuse(record, owner, attempt, manner, error)
    except Exception as error:
        return _leave(record, attempt.key, owner, error)
    if isinstance(answer, Proof):
        return _leave(record, attempt.key, owner, None)
    return _record(record, owner, attempt, manner, answer, State.DONE)


def _record(record: Record, owner: str, attempt: Attempt, manner: Manner, answer: Answer, state: State) -> Outcome:
    twin: str | None = None
    with record.write() as session:
        effect = _locked(session, attempt.key)
        came_first, mine = effect.vendor_id, effect.owner == owner and effect.state not in SETTLED
        if not mine:
            twin = late.kept(session, attempt.key, answer.vendor_id, manner)
        else:
            effect.state, effect.vendor_id, effect.answer = state, answer.vendor_id, dict(answer.facts)
            _let_go(effect, None)
            if came_first is not None:  # from a worker whose lease was taken, and who had acted all the same
                twin = late.compared(session, attempt.key, answer.vendor_id, came_first, manner)
            manner.record(session, attempt, answer)
    if twin is not None:
        late.take_back(record, attempt.key, twin, manner)
    if not mine:
        return Outcome(Came.BUSY, answer.vendor_id, answer.facts, error="the lease was over, and another worker has it")
    return Outcome(Came.DONE, answer.vendor_id, answer.facts, first_time=True)


def _refuse(record: Record, owner: str, attempt: Attempt, manner: Manner, error: Exception) -> Outcome:
    with record.write() as session:
        effect = _locked(session, attempt.key)
        if effect.owner != owner:
            return Outcome(Came.BUSY, error=str(error))
        effect.state = State.REFUSED
        _let_go(effect, str(error))
        manner.refused(session, attempt, error)
    return Outcome(Came.REFUSED, error=str(error), first_time=True)


def _let_go(effect: Effect, error: str | None) -> None:
    """The end of a claim whose end is known."""
    effect.error, effect.settled_at, effect.owner, effect.lease_until = error, now(), None, None


def _leave(record: Record, key: str, owner: str, error: Exception | None) -> Outcome:
    """Let go without knowing; an error that swears nothing happened takes the attempt back."""
    nothing_happened = getattr(error, "executed", None) is False
    why = None if error is None else str(error)
    with record.write() as session:
        effect = _locked(session, key)
        if effect.owner != owner:
            return Outcome(Came.BUSY, error=why)
        taken_back = nothing_happened and effect.state == State.IN_FLIGHT
        if taken_back:
            effect.attempts -= 1
        if taken_back and effect.attempts == 0:
            effect.state, effect.acted_at = State.PLANNED, None
        else:
            effect.state = State.UNKNOWN
        effect.owner, effect.lease_until, effect.error = None, None, why
    return Outcome(Came.WAITING, error=why)
