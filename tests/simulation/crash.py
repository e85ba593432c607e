"""Crash points and faults of calls: a run is struck once, or twice, at every place that it has.

`crash` kills the process at every outside call, before it and after its effect, and around every commit. `faults`
lets every call meet every kind of fault. `pairs` draws two blows for a run: a crash and a fault, in either order.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, count

from tests.simulation.attended import Attended, Compared
from tests.simulation.forking import Explorer, Job, Plain, in_children
from tests.simulation.knife import CRASH, Point, Strike, faults_of
from tests.simulation.play import Play, Result, Scripted
from tests.simulation.unlucky import Unlucky

Make = Callable[[Strike | None], Play]
#: Lives that can be struck; together they have every kind of effect.
LIVES: dict[str, Make] = {"scripted": Scripted, "unlucky": Unlucky, "attended": Attended, "compared": Compared}


def points(make: Make = Scripted) -> list[Point]:
    """Every point of the undisturbed run.

    Raises:
        AssertionError: it breaks a promise without being struck.
    """
    play = make(None)
    result = play.run()
    assert result.kept, result.violations
    return play.knife.points


def run_blows(blows: dict[int, str], make: Make = Scripted, then: Strike | None = None) -> Result:
    """One run in this process, struck at these points; `then` strikes at all others."""
    return make(lambda point: blows.get(point.number) or (then(point) if then else None)).run()


def run_crash(number: int, make: Make = Scripted) -> Result:
    """One run in this process, killed at this point."""
    return run_blows({number: CRASH}, make)


def faults_at(number: int, kind: str = "", make: Make = Scripted) -> tuple[str, ...]:
    """What the call at this point can meet: this fault, or every one when none is named.

    Raises:
        LookupError: no call is made there, or it knows no such fault.
    """
    point = next((one for one in points(make) if one.number == number), None)
    known = faults_of(point) if point else ()
    found = tuple(one for one in known if kind in ("", one))
    if not found:
        raise LookupError(f"point {number} has no fault {kind!r}: {', '.join(known) or 'no call is made there'}")
    return found


def run_fault(number: int, kind: str, make: Make = Scripted) -> Result:
    """One run in this process, whose call at this point meets this fault.

    Raises:
        LookupError: no call is made there, or it knows no such fault.
    """
    faults_at(number, kind, make)
    return run_blows({number: kind}, make)


def whole(schedule: list[str], make: Make = Scripted) -> Result:
    """The run with all of these blows.

    Args:
        schedule: what a broken run says that it was struck by, "<point> <where>: <blow>" each.
    """
    return run_blows(_blows(schedule), make)


def shortest(schedule: list[str], make: Make = Scripted) -> Result:
    """The run with the fewest of these blows that still breaks a promise; the shortest history among equals.

    Args:
        schedule: what a broken run says that it was struck by, "<point> <where>: <blow>" each.
    """
    blows = _blows(schedule)
    for number in range(1, len(blows)):
        tried = [run_blows(dict(some), make) for some in combinations(blows.items(), number)]
        if broken := [one for one in tried if one.violations]:
            return min(broken, key=lambda one: len(one.history))
    return run_blows(blows, make)


def _blows(schedule: list[str]) -> dict[int, str]:
    return {int(line.split(" ", 1)[0]): line.rsplit(": ", 1)[1] for line in schedule}


def crashes(first: int = 1, step: int = 1, make: Make = Scripted, number: int | None = None) -> Iterator[Plain]:
    """Killed at every point from `first` on, or at so many of them."""

    def jobs(point: Point) -> Iterable[Job]:
        if _due(point, first, step):
            yield Job(f"crash {point.number}", CRASH)

    return explore(_no_more_than(number, jobs), make)


def faults(first: int = 1, step: int = 1, make: Make = Scripted, number: int | None = None) -> Iterator[Plain]:
    """Every call from point `first` on, with every kind of fault; or so many of these."""

    def jobs(point: Point) -> Iterable[Job]:
        if _due(point, first, step):
            yield from (Job(f"fault {point.number} {kind}", kind) for kind in faults_of(point))

    return explore(_no_more_than(number, jobs), make)


def _no_more_than(number: int | None, jobs: Callable[[Point], Iterable[Job]]) -> Callable[[Point], Iterable[Job]]:
    """The first so many of these; each worker counts all of them, as it is told of its share only afterwards."""
    left = count() if number is None else iter(range(number))

    def some(point: Point) -> Iterable[Job]:
        for job in jobs(point):
            if next(left, None) is None:
                return
            yield job

    return some


def pairs(number: int, first: int = 1, make: Make = Scripted) -> Iterator[Plain]:
    """So many seeded pairs, from the `first` on; the seed of a pair is its place."""
    known = points(make)
    drawn: dict[int, list[Job]] = defaultdict(list)
    for seed in range(first, first + number):
        point, job = _pair(seed, known)
        drawn[point.number].append(job)
    return explore(lambda point: drawn.get(point.number, []), make)


def run_pair(seed: int, make: Make = Scripted) -> Result:
    """One pair, in this process."""
    point, job = _pair(seed, points(make))
    assert job.then
    return run_blows({point.number: job.blow}, make, _after(point, job.then()))


def _pair(seed: int, known: list[Point]) -> tuple[Point, Job]:
    """Where the first blow falls, and which one; the second falls some points, or calls, of its own run later."""
    dice = random.Random(seed)
    crash_first = dice.random() < 0.5
    point = dice.choice([one for one in known if crash_first or one.call])
    after = dice.choice((12, 40, 160))  # near ones more often: blows that meet in one piece of work
    later = dice.randint(1, after)
    blow = CRASH if crash_first else dice.choice(faults_of(point))
    kind = None if crash_first else CRASH
    return point, Job(f"pair {seed}", blow, lambda: _Second(later, kind, seed))


class _Second:
    """Strikes once, some points later: a crash anywhere, a fault at the first call from there on."""

    def __init__(self, later: int, kind: str | None, seed: int) -> None:
        self._left, self._kind, self._dice = later, kind, random.Random(seed)
        self._struck = False

    def __call__(self, point: Point) -> str | None:
        self._left -= 1
        if self._struck or self._left > 0:
            return None
        kind = self._kind or (self._dice.choice(faults_of(point)) if point.call else None)
        self._struck = kind is not None
        return kind


def _after(first: Point, then: Strike) -> Strike:
    return lambda point: then(point) if point.number > first.number else None


def _due(point: Point, first: int, step: int) -> bool:
    return point.number >= first and (point.number - first) % step == 0


def explore(jobs: Callable[[Point], Iterable[Job]], make: Make) -> Iterator[Plain]:
    """On all cores: each worker plays the run, and forks at its share of the points."""

    def work(place: int, of: int) -> Iterable[Plain]:
        worth = 0

        def share(point: Point) -> Iterable[Job]:
            nonlocal worth
            for job in jobs(point):
                worth += 1
                if worth % of == place:
                    yield job

        return Explorer(make, share).results()

    return in_children(work)
