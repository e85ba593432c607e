"""A play: one world, one record and one pipeline, from the first command to the last quiet cycle.

Whatever strikes it, the pipeline is started again by a fresh process, as a deployment would; what was in memory is
gone, and what was committed stays. In the end all promises are checked.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest import mock

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

import flows.processing
import flows.sourcing  # noqa: F401 - Prefect sets its logging up when it is imported, not in the middle of a run
from deployments.sandbox.faults import Fault
from tasks.clients.cj import tokens
from tasks.clients.service import ServiceUnavailable
from tasks.desk import Unsettled, working_at
from tasks.lots.models import SourcingRun
from tasks.retrying import Step
from tests.simulation.courier import Courier
from tests.simulation.history import digest, written
from tests.simulation.knife import FORGOTTEN, Killed, Knife, Neighbour, Strike
from tests.simulation.memory import MortalRecord
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR, Rehearsal, rehearsal_settings

#: Longer than any lease of a flow or an effect.
UNTIL_LEASES_END = 900.0
#: CJ's own pace, kept on the held clock.
PACE = {"CJ_MIN_INTERVAL_SECONDS": "1.2"}
QUICK = {"PAYMENT_DEADLINE_DAYS": "0.5", "PAYMENT_REMINDER_DAYS": "0.2", "PAYMENT_RETRY_DAYS": "0.1"}
#: Whose words are listened to, for what must not be in them.
SPEAKERS = ("dropship", "tasks", "httpx", "stripe", "deployments")
#: What a worker that came too late may say; anything else is a fault of ours.
LAWFUL = (Unsettled, ServiceUnavailable)
#: What no blow of the outside excuses: our own code fell over something that it did not expect.
BUGS = (TypeError, ValueError, LookupError, AttributeError, AssertionError, ArithmeticError, NameError, SQLAlchemyError)
SLOW_SECONDS, HANG_SECONDS = 8.0, 30.0


@dataclass
class Result:
    """What came of one run: how it was struck, what broke, and its whole history as a digest."""

    name: str
    schedule: list[str]
    violations: list[str]
    digest: str = ""
    points: int = 0
    cycles: int = 0
    seconds: float = 0.0
    lots: dict[str, int] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not self.violations

    def plain(self) -> dict[str, Any]:
        """For a file of results, without the history."""
        return {name: value for name, value in asdict(self).items() if name != "history"}


class Play(ABC):
    """What every play has: a stage whose calls and commits are points, and a pipeline that is started again."""

    def __init__(self, name: str, *, strike: Strike | None = None, seed: int = 1, **settings: str) -> None:
        self.name, self.seed = name, seed
        self.errors: list[str] = []
        self.fell: list[str] = []
        self.schedule: list[str] = []
        self.cycles = 0
        self._home, self._at_home = tempfile.mkdtemp(prefix="play-"), os.getpid()
        os.environ["PIPELINE_HOME"] = self._home
        self.knife = Knife(strike)
        self.knife.sharp = False
        self.record = MortalRecord(self.knife)
        self.stage = Rehearsal(self.record, rehearsal_settings(**{**PACE, **QUICK, **settings}), seed=seed)
        self.knife.plan = self._plan
        self.stage.exchange.before = lambda label: self.knife.point(f"before {label}")
        self.stage.exchange.after = self._after
        self.stage.how = self._do
        self._forgetting = False
        self._desks = ExitStack()

    def run(self) -> Result:
        """Play to the end, and check every promise."""
        began = time.monotonic()
        try:
            with self.stage.running(), self._desks, _heard(self.stage.log), _unlocked():
                self.knife.sharp = True
                self.act()
                self.knife.sharp = False
                found = self.ended()
                history = written(self.stage)
        finally:
            self.record.close()
            if os.getpid() == self._at_home:  # a child leaves it to its parent
                shutil.rmtree(self._home, ignore_errors=True)
        struck = [f"{point.number} {point.label}: {blow}" for point, blow in self.knife.struck]
        lots: dict[str, int] = {}
        for line in (line for line in history if line.startswith("end ")):
            status = line.split()[2]
            lots[status] = lots.get(status, 0) + 1
        return Result(
            self.name,
            [*self.schedule, *struck],
            found,
            digest(history),
            len(self.knife.points),
            self.cycles,
            time.monotonic() - began,
            lots,
            history,
        )

    @abstractmethod
    def act(self) -> None:
        """The play itself."""

    def ended(self) -> list[str]:
        """What broke."""
        return [*broken(self.stage), *self.fell]

    # for plays

    def listen(self, mode: str) -> None:
        """Let webhooks reach a receiver, which is a process of its own: the pipeline's death spares it, not its own."""
        stage, receiver = self.stage, Neighbour(self.knife, "receiver")
        stage.courier = Courier(stage.world, self.record.beside(receiver), stage.settings, receiver)
        stage.world.webhook_mode = mode
        self.until_done(lambda: stage.courier and stage.courier.register(stage.desk))

    def until_done(self, work: Callable[[], Any], most: int = 6) -> Any:
        """Do it again until it came to its end, as whoever began it would; what came of it, None where nothing did."""
        return next((done for _ in range(most) if (done := self.alive(work)) is not None), None)

    def source(self, keyword: str, products: int) -> None:
        """Source until it is done: the operator types the command again only where the run did not end."""
        before = self._sourced(keyword)
        for _ in range(12):
            if self._sourced(keyword) > before:
                return
            state = self.alive(lambda: self.stage.source(keyword, products))
            if state is not None and state.is_completed():
                return
            self.stage.advance(UNTIL_LEASES_END)

    def _sourced(self, keyword: str) -> int:
        """How often a word was sourced to the end."""
        done = select(func.count()).where(SourcingRun.keyword == keyword, SourcingRun.state == "DONE")
        with self.record.read() as session:
            return session.execute(done).scalar_one()

    def cycle(self) -> None:
        """One cycle, whatever becomes of it."""
        self.cycles += 1
        self.alive(self.stage.cycle)

    def until_quiet(self, most: int = 80, apart: float = HOUR) -> None:
        """Cycles until nothing is left to do, and one more: nothing happens twice."""
        for _ in range(most):
            self.cycle()
            if self.stage.is_quiet():
                break
            self.stage.advance(apart)
        self.cycle()

    def alive(self, work: Callable[[], Any]) -> Any:
        """Do it; a death is followed by a new process, some time later."""
        try:
            return work()
        except Killed:
            self.knife.revive()
            self.stage.meter.died()
            self.stage.desk = self.stage.open_desk()
            self._desks.enter_context(working_at(self.stage.desk))  # the old process's memory is gone
            self.stage.advance(UNTIL_LEASES_END)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            self._note(error)
        return None

    def _do(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        """One step, with one try."""
        try:
            return step.fn(*args, **kwargs)
        except Exception as error:
            self._note(error)
            raise

    def _note(self, error: Exception) -> None:
        told = f"it fell over: {type(error).__name__}: {error}"
        if isinstance(error, BUGS) and told not in self.fell:
            self.fell.append(told)

    def _plan(self, call: str, kind: str) -> None:
        vendor, operation = call.split(" ", 1)
        if kind == FORGOTTEN:
            self._forgetting, kind = True, "timeout_after"
        seconds = SLOW_SECONDS if kind == "slow" else HANG_SECONDS
        self.stage.world.faults.clear()
        self.stage.world.faults.plan(Fault(vendor, operation, kind, seconds=seconds))

    def _after(self, label: str) -> None:
        if self._forgetting:
            self._forgetting = False
            self.stage.bank.forget_keys()
        self.knife.point(f"after {label}")


class _Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, with its error if it has one."""
        self._lines.append(record.getMessage())
        if record.exc_info:
            self._lines.append(str(record.exc_info[1]))


@contextmanager
def _heard(lines: list[str]) -> Iterator[None]:
    """Let all that is logged be kept, and shown to nobody."""
    root, ear, speakers = logging.getLogger(), _Ear(lines), [logging.getLogger(one) for one in SPEAKERS]
    levels = [one.level for one in speakers]
    handlers, root.handlers = root.handlers, [ear]
    for one in speakers:
        one.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = handlers
        for one, level in zip(speakers, levels, strict=True):
            one.setLevel(level)


class _NoLock(AbstractContextManager[None]):
    """Nobody else is there. A real lock would outlive its process in the fork that plays on from its death."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        return None


def _unlocked() -> AbstractContextManager[Any]:
    return mock.patch.object(tokens, "FileLock", _NoLock)


class Scripted(Play):
    """Three buyers, four lots: delivered, out of stock, declined and paid, never paid."""

    buyers: tuple[tuple[str, str], ...] = (("ada", "good"), ("ben", "recovers"), ("cleo", "ignores"))
    winners: tuple[str, ...] = ("ada", "ada", "ben", "cleo")

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__("scripted", strike=strike)
        self.stage.cj.options.ship_after_seconds = self.stage.cj.options.deliver_after_seconds = 2 * HOUR

    def act(self) -> None:
        """Source, close, and process to the end."""
        stage = self.stage
        for name, manner in self.buyers:
            stage.person(name, manner, pays_after=2 * HOUR)
        for number, winner in enumerate(self.winners, start=1):
            stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=number)
        self.source("phone stand", len(self.winners))
        stage.advance(27 * HOUR)
        second = next((lot for lot in stage.lots() if lot.item_number == 2), None)
        if second is not None:
            stage.cj.delist(second.cj_vid)
        self.until_quiet()
