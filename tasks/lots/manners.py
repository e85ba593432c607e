"""The words of an effect: where it stands, how it is looked for, done and recorded, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from tasks.lots.records import Effect


class State(StrEnum):
    """Where an effect stands."""

    PLANNED = "PLANNED"  # nobody acted yet, or what somebody did is proven to be without effect
    IN_FLIGHT = "IN_FLIGHT"  # somebody acts, or died acting
    UNKNOWN = "UNKNOWN"  # somebody acted, and does not know what came of it
    DONE = "DONE"
    REFUSED = "REFUSED"  # the vendor understood and said no
    ADOPTED = "ADOPTED"  # found at the vendor, or made by hand there
    DROPPED = "DROPPED"  # given up before anybody acted, or without effect


SETTLED = frozenset({State.DONE, State.REFUSED, State.ADOPTED, State.DROPPED})
#: For queries: said in the positive, so that the few that are open are found by their index among all that ever were.
UNSETTLED = Effect.state.in_([str(state) for state in State if state not in SETTLED])


class Came(StrEnum):
    """What came of one `perform`."""

    DONE = "done"  # settled well, now or before
    REFUSED = "refused"  # settled with a no, now or before
    WAITING = "waiting"  # unknown, or too early to tell: look again next cycle
    BUSY = "busy"  # another worker holds it
    PAUSED = "paused"  # the operator stopped this kind of work
    ABSENT = "absent"  # asked about only: it is proven that it did not happen, or not to its end


@dataclass(frozen=True)
class Answer:
    """What the vendor said: its own id for the thing, and the facts we keep."""

    vendor_id: str | None
    facts: Mapping[str, Any]


class Resume(StrEnum):
    """A look's third answer: it is there, but half built; act again at once, under the same vendor key."""

    HALF_BUILT = "half built"


class Proof(StrEnum):
    """An act's other answer: it was called, but its word proves nothing; reading the thing itself will."""

    BY_READING = "by reading"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as the look, the act and the record see it."""

    key: str
    request: Mapping[str, Any]
    vendor_key: str  # for the vendor's own idempotency
    number: int
    adopted: bool = False
    held: Callable[[], bool] = lambda: True  # whether the effect is still this worker's: who slept may have lost it


@dataclass(frozen=True)
class Manner:
    """How an effect is looked for, done and recorded.

    Args:
        look: ask the vendor; an Answer to adopt, None when it has no such thing, Resume.HALF_BUILT when the act
            would go on where it stopped. Errors leave UNKNOWN.
        act: do it; the refusal error means a no, `quiet` errors with `executed == False` mean it never happened, and
            Proof.BY_READING leaves UNKNOWN until somebody has read what came of it.
        record: the moves and ledger rows that belong to the answer, in the settling transaction.
        refused: the same for a no.
        deadline: seconds that the call may take; the lease is this and a minute.
        conclusive: the vendor itself refuses a second one, so an absent look may act at once.
        twice: two absent looks, a quiet time apart, are needed before acting again (money without a vendor key).
        since_first: the time of the first attempt is kept, and not that of the last: so old is the vendor's own key.
        most: attempts before a person must decide; None for no end.
        undo: take back what has this vendor's id, where two workers made the same thing; None where none can, or
            where the vendor's own key makes one of both.
    """

    look: Callable[[Attempt], Answer | Resume | None]
    act: Callable[[Attempt], Answer | Proof]
    record: Callable[[Session, Attempt, Answer], None] = lambda session, attempt, answer: None
    refused: Callable[[Session, Attempt, Exception], None] = lambda session, attempt, error: None
    deadline: float = 30.0
    conclusive: bool = False
    twice: bool = False
    most: int | None = None
    since_first: bool = False
    undo: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it, with the vendor's answer when there is one."""

    came: Came
    vendor_id: str | None = None
    facts: Mapping[str, Any] | None = None
    error: str | None = None
    first_time: bool = False  # settled by this very call

    @property
    def ok(self) -> bool:
        """Whether the effect is in the world."""
        return self.came is Came.DONE
