"""Where a run can be struck: every outside call, before it and after its effect, and around every commit.

The pipeline's process is one; beside it others of ours may live, as the receiver of webhooks does. All are struck by
the same knife, and each dies alone.

The points are found by running; none is listed by hand. Who strikes is asked at each point, and answers with what
shall happen there: nothing, death, or a fault of the call that is about to be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployments.sandbox.faults import KINDS

CRASH = "crash"
#: The call took effect, nobody heard of it, and Stripe has forgotten its keys when it is asked again.
FORGOTTEN = "keys_forgotten"
#: Another worker does the same step here, from beginning to end, before this one goes on.
OVERTAKEN = "overtaken"
#: The process sleeps here for longer than its leases; others do its work, and then it wakes and goes on.
ASLEEP = "asleep"
#: The other flow, of another process, runs here to its end: a cycle beside a sourcing run, and the other way round.
BESIDE = "beside"
BEFORE, AFTER = "before ", "after "
COMMIT = "a commit"


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


@dataclass(frozen=True)
class Point:
    """One place to strike at: the how-manieth of its run, and what happens there."""

    number: int
    label: str

    @property
    def call(self) -> str | None:
        """The call that is about to be made, "cj POST /shopping/pay"; None elsewhere."""
        call = self.label.removeprefix(BEFORE)
        return None if call == self.label or call.startswith(COMMIT) else call


#: What shall happen at a point: CRASH, OVERTAKEN, ASLEEP, BESIDE, a kind of fault, or nothing.
Strike = Callable[[Point], str | None]


def faults_of(point: Point) -> tuple[str, ...]:
    """Every fault that can happen there."""
    if point.call is None:
        return ()
    return (*KINDS, FORGOTTEN) if point.call.startswith("stripe ") else KINDS


class Knife:
    """Counts the points of a run, and does what the striker says."""

    def __init__(self, strike: Strike | None = None) -> None:
        self.strike = strike
        self.dead = False
        self.points: list[Point] = []
        self.struck: list[tuple[Point, str]] = []
        self.sharp = True
        #: What plans a fault for the call that is about to be made.
        self.plan: Callable[[str, str], None] = lambda call, kind: None
        #: What others do while this process stands still.
        self.meanwhile: Callable[[str], None] = lambda kind: None

    def must_live(self) -> None:
        """Raise where the process is gone."""
        if self.dead:
            raise Killed("nothing is done by the dead")

    def point(self, label: str) -> None:
        """One place to strike at."""
        self.must_live()
        if self.strikes(label):
            self.dead = True
            raise Killed(label)

    def strikes(self, label: str) -> bool:
        """Whether whoever is there dies; any other blow is done with."""
        if not self.sharp:
            return False
        point = Point(len(self.points) + 1, label)
        self.points.append(point)
        blow = self.strike(point) if self.strike else None
        if blow is None:
            return False
        self.struck.append((point, blow))
        if blow in (OVERTAKEN, ASLEEP, BESIDE):
            self.sharp = False
            self.meanwhile(blow)
            self.sharp = True
        elif blow != CRASH:
            assert point.call, f"{blow} at {label}"
            self.plan(point.call, blow)
        return blow == CRASH

    def revive(self) -> None:
        """A new process."""
        self.dead = False


class Neighbour:
    """Another process of ours: its points are counted with all others, and its death is its own.

    Args:
        knife: what strikes it.
        name: who it is, in its points' labels.
    """

    def __init__(self, knife: Knife, name: str) -> None:
        self._knife, self._name = knife, name
        self.dead = False
        self.deaths = 0

    def must_live(self) -> None:
        """Raise where the process is gone."""
        if self.dead:
            raise Killed(f"nothing is done by the dead {self._name}")

    def point(self, label: str) -> None:
        """One place to strike at."""
        self.must_live()
        if self._knife.strikes(f"{label} of the {self._name}"):
            self.dead = True
            raise Killed(label)

    def revive(self) -> None:
        """A new process."""
        self.dead = False
        self.deaths += 1
