"""Crash points: the process dies at every outside call, before it and after its effect, and around every commit.

The points are found by running the play once; none is listed by hand. After a death a fresh desk works on; what
was in memory is gone, and what was committed stays. In the end all promises are checked.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.desk import working_at
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.models import SourcingRun
from tasks.settings import Settings
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR, Rehearsal, rehearsal_settings

#: Longer than any lease of a flow or an effect.
UNTIL_LEASES_END = 900.0
QUICK = {"PAYMENT_DEADLINE_DAYS": "0.5", "PAYMENT_REMINDER_DAYS": "0.2", "PAYMENT_RETRY_DAYS": "0.1"}


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


class Knife:
    """Counts the points where a process can die, and kills it at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.dead = at, False
        self.points: list[str] = []

    def point(self, label: str) -> None:
        """One place to die at."""
        if self.dead:
            raise Killed(label)
        self.points.append(label)
        if self.at == len(self.points):
            self.dead = True
            raise Killed(label)


class MortalRecord(Record):
    """A record whose commits are places to die at; a dead process writes nothing more."""

    knife: Knife

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction; killed before its commit it leaves nothing, after it everything."""
        if self.knife.dead:
            raise Killed("nothing is written by the dead")
        with super().write() as session:
            yield session
            self.knife.point("before a commit")
        self.knife.point("after a commit")


class Play:
    """Two buyers, four lots: delivered, out of stock, declined and paid, never paid; killed once, and gone on with."""

    def __init__(self, at: int | None = None, seed: int = 1) -> None:
        self.knife, self.errors = Knife(at), list[str]()
        self.home = tempfile.mkdtemp()
        os.environ["PIPELINE_HOME"] = self.home
        record = MortalRecord(connect(f"sqlite:///{Path(self.home) / 'record.sqlite'}"))
        record.knife = Knife()
        migrate(record)
        settings: Settings = rehearsal_settings(**QUICK)
        self.stage = Rehearsal(record, settings, seed=seed)
        self.stage.cj.options.ship_after_seconds = self.stage.cj.options.deliver_after_seconds = 2 * HOUR
        record.knife = self.knife
        self.record = record
        self.stage.exchange.before = lambda label: self.knife.point(f"before {label}")
        self.stage.exchange.after = lambda label: self.knife.point(f"after {label}")

    def run(self) -> list[str]:
        """Play to the end; the promises that were broken."""
        stage = self.stage
        for name, manner in (("ada", "good"), ("ben", "recovers"), ("cleo", "ignores")):
            stage.person(name, manner, pays_after=2 * HOUR)
        for number, winner in enumerate(("ada", "ada", "ben", "cleo"), start=1):
            stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=number)
        knife, self.knife.at = self.knife.at, None  # the first stamp is not the play's
        with stage.running(), ExitStack() as self.desks:
            self.knife.points.clear()
            self.knife.at = knife
            self._until(self._source)
            stage.advance(27 * HOUR)
            second = next(lot for lot in stage.lots() if lot.item_number == 2)
            stage.cj.delist(second.cj_vid)
            for _ in range(80):
                self._alive(stage.cycle)
                if stage.is_quiet():
                    break
                stage.advance(HOUR)
            self._alive(stage.cycle)
            return broken(stage)

    def _source(self) -> bool:
        """The operator types the command again only where the run did not end."""
        with self.record.read() as session:
            ended = session.scalars(select(SourcingRun.id).where(SourcingRun.state == "DONE")).all()
        return bool(ended) or bool(self.stage.source(products=4).is_completed())

    def _until(self, work: Any) -> None:
        for _ in range(8):
            if self._alive(work):
                return
            self.stage.advance(UNTIL_LEASES_END)

    def _alive(self, work: Any) -> Any:
        """Do it; a death is followed by a new process, some time later."""
        try:
            return work()
        except Killed:
            self.knife.dead, self.knife.at = False, None
            self.stage.desk = self.stage.open_desk()
            self.desks.enter_context(working_at(self.stage.desk))  # the old process's memory is gone
            self.stage.advance(UNTIL_LEASES_END)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            self.stage.advance(UNTIL_LEASES_END)
        return None


def prove(first: int = 1, step: int = 1) -> int:
    """Kill at every point; how many promises were broken."""
    whole = Play()
    assert whole.run() == []
    points = whole.knife.points
    print(f"{len(points)} points found")
    began, violations, tried = time.monotonic(), 0, 0
    for at in range(first, len(points) + 1, step):
        tried += 1
        found = Play(at).run()
        if found:
            violations += 1
            print(f"point {at}, {points[at - 1]}: {'; '.join(found)}", flush=True)
    print(f"{tried} points tried, {violations} violations, {time.monotonic() - began:.0f} s")
    return violations
