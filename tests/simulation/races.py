"""Races: eight processes do each step of every stage at once, on the same lot, on a real database.

The flows, their stages and the kinds of effect are the product's own: a whole life is played, and wherever a flow
asks for a step, all workers are let loose on it together. What the outside world has in the end must be what one
worker alone would have brought about. Webhooks arrive meanwhile, each of them twice.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import pickle
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from tasks import retrying
from tasks.desk import Desk, working_at
from tasks.lots import clock, stamp
from tasks.lots.engine import Record, connect, taken_away
from tasks.lots.manners import SETTLED
from tasks.lots.migrate import migrate
from tasks.lots.models import Lot
from tasks.lots.records import Effect
from tasks.retrying import Step
from tasks.settings import Settings
from tests.simulation.loopback import Loopback, SharedClock, database, free_port, loopback_settings, opened, wait_for
from tests.simulation.play import LAWFUL
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR
from tests.simulation.unlucky import DEAD_PICTURE

WORKERS = 8
PATIENCE_SECONDS = 60.0
#: Half of the steps begin at one instant; in the others each worker is up to this late, for other overlaps.
SPREAD_SECONDS = 0.03
MOST_VIOLATIONS = 20
#: A life has more than one race of nearly every kind: what was not raced in so many lives, never is.
MOST_LIVES = 3
Fork = multiprocessing.get_context("fork")
#: Who wins the lots of a round: delivered, out of stock, never paid, too dear or declined at first, paid by hand.
WINNERS = ("ada", "ada", "cleo", "ben", "dov")
#: Shorter lives, for kinds that a whole one has once or twice: bought five times, too dear five times, never paid.
BOUGHT, TOO_DEAR, UNPAID = ("ada",) * 5, ("dov",) * 5, ("cleo",)
RARE = {
    BOUGHT: {"cj-order", "cj-confirm", "cj-pay"},
    TOO_DEAR: {"cj-order", "cj-delete", "refund"},
    UNPAID: {"policy", "sale", "publish", "unlist", "void"},
}


class Crew:
    """Eight processes that do one step at the same time."""

    def __init__(self, settings: Settings, clock_path: Path, workers: int = WORKERS) -> None:
        self._start = Fork.Barrier(workers)
        self._lines: list[Connection] = []
        self._people: list[Any] = []
        for _ in range(workers):
            ours, theirs = Fork.Pipe()
            worker = Fork.Process(target=_work, args=(theirs, self._start, settings, clock_path), daemon=True)
            worker.start()
            theirs.close()
            self._lines.append(ours)
            self._people.append(worker)

    def race(self, step: Step, args: tuple[Any, ...], delays: list[float]) -> list[Any]:
        """Let all do it; what came of each, an exception where it ended so."""
        name = (step.fn.__module__, step.fn.__qualname__)
        for line, delay in zip(self._lines, delays, strict=True):
            line.send((name, args, delay))
        return [line.recv() for line in self._lines]

    def close(self) -> None:
        """Send everybody home."""
        for line in self._lines:
            line.send(None)
        for worker in self._people:
            worker.join(timeout=10)


def _work(line: Connection, start: Any, settings: Settings, clock_path: Path) -> None:
    """One worker's life: a desk of its own, and whatever step is called out."""
    logging.disable(logging.CRITICAL)
    shared = SharedClock(clock_path)
    record = Record(connect(settings.record_url))
    with retrying.inline(), clock.held_by(shared.now, time.sleep), working_at(Desk(settings, record)):
        while (asked := line.recv()) is not None:
            (module, name), args, delay = asked
            step: Step = getattr(importlib.import_module(module), name)
            start.wait()
            time.sleep(delay)
            try:
                came: Any = step(*args)
            except Exception as error:
                came = error
            line.send(_portable(came))


def _lawful(error: Exception) -> bool:
    return isinstance(error, LAWFUL) or (isinstance(error, DBAPIError) and taken_away(error))


def _portable(came: Any) -> Any:
    try:
        pickle.loads(pickle.dumps(came))  # noqa: S301 - our own, a line above
    except Exception:
        return RuntimeError(f"{type(came).__name__}: {came}")
    return came


def _receive(settings: Settings, clock_path: Path, port: int) -> None:
    """The real receiver, in a process of its own."""
    import uvicorn

    from deployments.webhooks import receiver

    logging.disable(logging.CRITICAL)
    shared = SharedClock(clock_path)
    record = Record(connect(settings.record_url))
    with clock.held_by(shared.now, time.sleep):
        uvicorn.run(receiver(settings, record), host="127.0.0.1", port=port, log_level="critical")


@dataclass
class Tally:
    """What the rounds so far came to."""

    rounds: Counter[str] = field(default_factory=Counter)  # kind of effect -> raced settlements
    kinds: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # step -> kinds seen in it
    violations: list[str] = field(default_factory=list)
    #: What one worker alone brings about, by who wins.
    census: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    told: int = 0  # webhooks taken
    only: frozenset[str] = frozenset()  # the kinds that are asked about; all, when none is named

    def wants(self, step: str, enough: int) -> bool:
        """Whether racing this step can still teach something."""
        kinds = self.kinds.get(step)
        return not kinds or any(self.rounds[kind] < enough for kind in self._asked(kinds))

    def settled(self, step: str, keys: set[str], races: int) -> None:
        """A step settled these effects; one worker alone shows only which kinds it has."""
        for kind in (key.split(":")[0] for key in keys):
            self.kinds[step].add(kind)
            self.rounds[kind] += races

    def lacks(self, enough: int) -> set[str]:
        """The kinds that were not raced as often as that."""
        return {kind for kind in self.raced() if self.rounds[kind] < enough}

    def raced(self) -> set[str]:
        """The kinds that were met, of those that are asked about."""
        return self._asked(set().union(*self.kinds.values()))

    def _asked(self, kinds: set[str]) -> set[str]:
        return kinds & self.only if self.only else kinds

    def next_cast(self, enough: int, whole: tuple[str, ...]) -> tuple[str, ...]:
        """Who shall win the next life's lots: the whole company, until only kinds are lacking that are rare in it."""
        lacks = self.lacks(enough)
        if not self.kinds or len(whole) < len(WINNERS) or lacks - set().union(*RARE.values()):
            return whole
        return next(cast for cast, kinds in RARE.items() if lacks & kinds)


class Round:
    """One life of one sale, raced."""

    def __init__(
        self, stage: Loopback, crew: Crew, tally: Tally, seed: int, enough: int, cast: tuple[str, ...], *, alone: bool
    ) -> None:
        self.stage, self.crew, self.tally, self.enough, self.alone = stage, crew, tally, enough, alone
        self.winners = cast
        self.dice = random.Random(seed)

    def play(self) -> None:
        """From a keyword to every lot's end; what broke is added to the tally."""
        stage = self.stage
        for name, manner in (("ada", "good"), ("ben", "good_later"), ("cleo", "ignores"), ("dov", "no_card")):
            stage.person(name, manner, pays_after=2 * HOUR)
        for item, winner in enumerate(self.winners, start=1):
            stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=item)
        with retrying.inline(self.do):
            state = stage.source(products=len(self.winners) + 1)
            if not state.is_completed():
                self.tally.violations.append(f"sourcing: {state.message}")
                return
            stage.advance(27 * HOUR)
            if self.winners[:2] == WINNERS[:2] and self.winners != BOUGHT:
                out_of_stock = next(lot for lot in stage.lots() if lot.item_number == 2)
                stage.cj.delist(out_of_stock.cj_vid)
            for cycle in range(40):
                stage.cycle()
                stage.cj.options.order_surcharge_cents = (
                    100_000 if cycle < 2 else 0
                )  # the next buyers' orders are too dear
                if stage.is_quiet():
                    break
                stage.advance(4 * HOUR)
            stage.cycle()
        self._judge()

    def do(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        """Do a step: by all at once where it acts and there is still something to learn, else by one."""
        name = step.fn.__qualname__
        if name == "put_pictures":
            self._lose_pictures(*args)
        if step.persist_result or kwargs or not (self.alone or self.tally.wants(name, self.enough)):
            return step.fn(*args, **kwargs)
        before = self._settled()
        if self.alone:
            try:
                return step.fn(*args)
            finally:
                self.tally.settled(name, self._settled() - before, races=0)
        spread = self.dice.random() < 0.5
        came = self.crew.race(step, args, [self.dice.random() * SPREAD_SECONDS * spread for _ in range(WORKERS)])
        self.tally.settled(name, self._settled() - before, races=1)
        good = [one for one in came if not isinstance(one, Exception)]
        for error in came:
            if isinstance(error, Exception) and not _lawful(error):
                self.tally.violations.append(f"{name}{args}: {type(error).__name__}: {str(error)[:300]}")
        if good:
            return max(good, key=lambda one: isinstance(one, str) and one == "done")
        raise came[0]

    def _lose_pictures(self, lot_id: int) -> None:
        with self.stage.record.write() as session:
            lot = session.get_one(Lot, lot_id)
            if lot.item_number == len(self.winners) + 1:
                lot.image_urls = [f"{url.rsplit('/', 1)[0]}/{DEAD_PICTURE}" for url in lot.image_urls]

    def _settled(self) -> set[str]:
        with self.stage.record.read() as session:
            settled = select(Effect.key).where(Effect.state.in_([str(state) for state in SETTLED]))
            return set(session.scalars(settled))

    def _judge(self) -> None:
        stage, tally = self.stage, self.tally
        tally.violations += broken(stage)
        found = census(stage)
        alone = tally.census.setdefault(self.winners, found)
        for what, number in found.items():
            if number != alone.get(what):
                tally.violations.append(f"{number} {what}, and {alone.get(what)} by one worker alone")
        with stage.record.read() as session:
            for effect in session.scalars(select(Effect).where(Effect.attempts > 1)):
                tally.violations.append(f"{effect.key} took {effect.attempts} attempts")
        tally.told += sum(1 for *_, status in stage.world.webhook_log if status == 200)


#: What the vendors keep of calls and of bidders, not of effects.
PASSING = (
    *("stripe.events", "stripe.memory"),
    *("basta.uploads", "basta.sendings", "basta.subscriptions", "basta.registrations"),
)


def census(stage: Loopback) -> dict[str, int]:
    """How many of everything the vendors have, whatever they keep."""
    kept = {"basta": stage.house, "stripe": stage.bank.store, "resend": stage.post, "cj": stage.cj}
    found = {
        f"{vendor}.{name}": len(value)
        for vendor, owner in kept.items()
        for name, value in vars(owner).items()
        if isinstance(value, dict | list) and f"{vendor}.{name}" not in PASSING
    }
    found["cj.orders"], found["cj.payments"] = len(stage.cj.orders), len(stage.cj.payments)
    found["basta.items"] = len(stage.house.items)
    found["basta.images"] = sum(len(item.images) for item in stage.house.items)
    found["stripe.lines of invoices"] = sum(len(lines) for lines in stage.bank.store.lines.values())
    found["stripe.payments of invoices"] = sum(len(paid) for paid in stage.bank.store.payments.values())
    found["basta.lines of orders"] = sum(len(order.lines) for order in stage.house.orders.values())
    return found


@contextmanager
def racing(kind: str, port: int | None = None) -> Iterator[tuple[Crew, Any]]:
    """A crew on a fresh database; with it, a function that opens a new world for a seed."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="races-")))
        url = stack.enter_context(database(kind, home))
        sandbox, hooks = port or free_port(), free_port()
        asked = {"MAX_PRODUCTS_PER_RUN": len(WINNERS) + 1, "AUTOMATIC_TAX": True}  # with tax a buyer has a place
        settings = loopback_settings(home, url, sandbox, hooks, **asked)
        record = Record(connect(settings.record_url))
        stack.callback(record.close)
        migrate(record)
        record.close()  # nothing open is carried over a fork
        clock_path = home / "clock"
        shared = SharedClock(clock_path)
        crew = Crew(settings, clock_path)
        stack.callback(crew.close)
        receiver = Fork.Process(target=_receive, args=(settings, clock_path, hooks), daemon=True)
        receiver.start()
        stack.callback(receiver.kill)
        wait_for(f"http://127.0.0.1:{hooks}/healthz", PATIENCE_SECONDS)

        @contextmanager
        def world(seed: int) -> Iterator[Loopback]:
            with opened(record, settings, shared, sandbox, seed) as stage, ExitStack() as here:
                here.enter_context(clock.held_by(shared.now, time.sleep))
                at = here.enter_context(working_at(Desk(settings, record)))
                with record.write() as session:
                    stamp.confirm(session, mode=str(settings.mode))
                stage.be_told(at)
                stage.world.webhook_mode = "doubled"
                yield stage

        yield crew, world


def prove(
    rounds: int, kind: str, start: int = 1, lots: int = len(WINNERS), only: frozenset[str] = frozenset()
) -> Tally:
    """Race until every kind of effect, or each of these alone, was raced so often; the tally, printed."""
    began = time.monotonic()
    tally = Tally(only=only)
    whole = WINNERS[:lots]
    with racing(kind) as (crew, world):
        seed = start
        while (not tally.kinds or tally.lacks(rounds)) and len(tally.violations) <= MOST_VIOLATIONS:
            if seed - start > MOST_LIVES * rounds:
                tally.violations.append(f"never raced often enough: {', '.join(sorted(tally.lacks(rounds)))}")
                break
            cast = tally.next_cast(rounds, whole)
            alone = cast not in tally.census  # first, so that the others can be judged by it
            known = len(tally.violations)
            with world(seed) as stage:
                Round(stage, crew, tally, seed, rounds, cast, alone=alone).play()
            if unheard := only - tally.raced():
                tally.violations.append(f"no life has an effect of the kind {', '.join(sorted(unheard))}")
            for one in tally.violations[known:]:
                print(f"seed {seed}: {one}", flush=True)
            if tally.violations and alone:
                break
            seed += not alone
            if not alone and seed % 10 == 0:
                print(f"{seed - start} lives, {time.monotonic() - began:.0f} s, {len(tally.violations)} violations")
    raced = {name: tally.rounds[name] for name in sorted(tally.raced())}
    least = min(raced.values(), default=0)
    print(f"{kind}: {len(raced)} kinds of effect, {WORKERS} processes, {sum(raced.values())} races")
    print(", ".join(f"{name} {number}" for name, number in raced.items()))
    print(f"at least {least} of each, {tally.told} webhooks taken meanwhile, {time.monotonic() - began:.0f} s")
    print(f"{len(tally.violations)} violations")
    return tally
