"""Overtaking: whatever a worker has read is old, at every point, when it goes on.

`overtaken`: another worker does the same step there, from beginning to end. `asleep`: the process stands still for
longer than its leases, as a machine does whose lid is shut; another does its whole flow, and then it wakes and goes on
with what it knew. `beside`: the other flow runs there; a sourcing run that died half-way goes on in the middle of a
cycle, and a cycle passes in the middle of the sourcing run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest import mock

from tasks import retrying
from tasks.clients import resend
from tasks.desk import working_at
from tasks.retrying import Step
from tests.simulation.crash import explore
from tests.simulation.forking import Job, Plain
from tests.simulation.knife import ASLEEP, BEFORE, BESIDE, COMMIT, OVERTAKEN, Killed, Point, Strike
from tests.simulation.play import LAWFUL, UNTIL_LEASES_END, Result, Scripted

#: Items that Basta has when the sourcing run dies; our record knows of one less.
HALF = 2


class Overtaken(Scripted):
    """The scripted life, with somebody else who is quicker once."""

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__(strike)
        self.record.reads_are_points = True
        self.knife.meanwhile = self._meanwhile
        self._doing: Callable[[], Any] | None = None
        self._flow: Callable[[], Any] | None = None
        self._unlawful: list[str] = []

    def act(self) -> None:
        """The same life; every step is known while it is done."""
        # A real lock would make one thread, which plays both processes, wait for itself.
        with retrying.inline(self._do), mock.patch.object(resend, "_globals", nullcontext()):
            super().act()

    def source(self, keyword: str, products: int) -> None:
        """As ever, and known while it runs."""
        self._flow = lambda: self.stage.source(keyword, products)
        super().source(keyword, products)

    def cycle(self) -> None:
        """As ever, and known while it runs."""
        self._flow = self.stage.cycle
        super().cycle()
        self._flow = None

    def ended(self) -> list[str]:
        """What broke, and what was said that nobody who comes late may say."""
        found = super().ended()
        if any(point.call and point.call.startswith("cj ") for point, _ in self.knife.struck):
            # CJ's pace is judged by the sender just before it writes: whoever sleeps after that is late for it.
            found = [one for one in found if not one.startswith("CJ's pace")]
        return [*found, *self._unlawful]

    def _do(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        before, self._doing = self._doing, lambda: step.fn(*args, **kwargs)
        try:
            return step.fn(*args, **kwargs)
        except LAWFUL:
            raise
        except Exception as error:
            if self.knife.struck:
                self._unlawful.append(f"{step.fn.__qualname__}{args}: {type(error).__name__}: {error}")
            raise
        finally:
            self._doing = before

    def _meanwhile(self, kind: str) -> None:
        work = self._doing if kind == OVERTAKEN else self._flow
        if work is None:
            return
        if kind == ASLEEP:
            self.stage.advance(UNTIL_LEASES_END)
        doing = self._doing
        with working_at(self.stage.open_desk()):
            try:
                work()
            except LAWFUL:
                pass
            except Exception as error:
                self._unlawful.append(f"the other: {type(error).__name__}: {error}")
            finally:
                self._doing = doing


class Beside(Overtaken):
    """A sale that is half made while a cycle looks at it, and a cycle while it is being made."""

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__(strike)
        self._whole = False

    def source(self, keyword: str, products: int) -> None:
        """Half of it, a cycle, and the rest."""
        run = partial(self.stage.source, keyword, products)
        self._flow = self.stage.cycle
        self.alive(run)
        self._flow = run
        super(Overtaken, self).cycle()
        self._flow = self.stage.cycle
        super(Overtaken, self).source(keyword, products)
        self.knife.sharp = False  # what comes then is no other flow's

    def _after(self, label: str) -> None:
        super()._after(label)
        if not self._whole and label == "basta createItemForSale" and len(self.stage.house.items) == HALF:
            self._whole = self.knife.dead = True
            raise Killed(label)


def may_overtake(point: Point) -> bool:
    """Inside a transaction nobody overtakes: whoever wants to write waits for its end."""
    return point.label != f"{BEFORE}{COMMIT}"


def overtakings(kinds: tuple[str, ...], first: int = 1, step: int = 1) -> Iterator[Plain]:
    """Overtaken in these ways at every point from `first` on."""

    def jobs(point: Point) -> Iterator[Job]:
        if may_overtake(point) and point.number >= first and (point.number - first) % step == 0:
            yield from (Job(f"{kind} {point.number}", kind) for kind in kinds)

    return explore(jobs, Overtaken)


def besides(first: int = 1, step: int = 1) -> Iterator[Plain]:
    """The other flow at every point of a sale's making."""

    def jobs(point: Point) -> Iterator[Job]:
        if may_overtake(point) and point.number >= first and (point.number - first) % step == 0:
            yield Job(f"{BESIDE} {point.number}", BESIDE)

    return explore(jobs, Beside)


def run_overtaken(number: int, kind: str) -> Result:
    """One run in this process, overtaken at this point."""
    life = Beside if kind == BESIDE else Overtaken
    return life(lambda point: kind if point.number == number else None).run()
