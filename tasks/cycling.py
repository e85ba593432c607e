"""How a cycle does its stages: one after another, each bounded, each apart from the others' failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.clients.service import ServiceUnavailable
from tasks.desk import Unsettled, desk
from tasks.lots import setbacks
from tasks.lots.clock import now
from tasks.lots.records import Setback
from tasks.retrying import Step, is_inline, run_logger

#: Tasks of one stage that are under way at once.
AT_ONCE = 8
#: So many absences of a vendor in a row end a stage: the rest would only wait for the same.
ABSENCES = 3
#: So many of those that failed stand in a cycle's last line by their ids; each has a line of its own in the log.
NAMED = 5
#: What failed where a stage's work could not even be read.
READING = "(reading)"


class Several(NamedTuple):
    """The outcome of a step that works through a batch: how many, and what became of them."""

    number: int
    outcome: str


class _Work(NamedTuple):
    """What one stage has to do."""

    stage: str
    subjects: list[Any]
    known: set[str]  # those that a vendor did not answer the last time
    step: Step
    width: int  # how many at once


@dataclass
class Tally:
    """What one stage did: outcome -> how many, and what went wrong, by subject."""

    stage: str
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    left: int = 0  # work not taken, as the time or the vendor was gone

    def line(self) -> str:
        """For the log and the artifact."""
        parts = [f"{number} {outcome}" for outcome, number in sorted(self.counts.items()) if number]
        if self.failures:
            more = f" and {len(self.failures) - NAMED} more" if len(self.failures) > NAMED else ""
            parts.append(f"{len(self.failures)} failed ({', '.join(list(self.failures)[:NAMED])}{more})")
        if self.left:
            parts.append(f"{self.left} left for the next cycle")
        return f"{self.stage}: {', '.join(parts) or 'nothing to do'}"


class Cycle:
    """One cycle's time and tallies.

    Args:
        budget_seconds: its time; PROCESS_BUDGET_SECONDS when not given.
        puts_off: whether what was not answered several times in a row waits for `put_off_work`.
    """

    def __init__(self, budget_seconds: float | None = None, *, puts_off: bool = False) -> None:
        seconds = desk().settings.process_budget_seconds if budget_seconds is None else budget_seconds
        self.began = now()
        self.ends = self.began + timedelta(seconds=seconds)
        self.tallies: list[Tally] = []
        self.met: list[Exception] = []  # every failure of a subject, as it was
        self._puts_off = puts_off
        self._put_off: list[_Work] = []

    @property
    def spent(self) -> bool:
        """Whether no new work may be taken."""
        return now() >= self.ends

    def stage(
        self,
        name: str,
        work: Callable[[], Sequence[Any]],
        step: Step,
        *,
        one_at_a_time: bool = False,
        bounded: bool = True,
        share: float = 1.0,
    ) -> Tally:
        """Do one step for each subject that has work, as a task each; nothing it raises reaches the flow.

        A failed subject is a red task and a line here; the others are untouched. One that a vendor did not answer
        comes after all others the next time.

        Args:
            bounded: whether it takes nothing when the cycle's time is spent.
            share: the part of the cycle's time after which it takes nothing more, and leaves the rest to later stages.
        """
        tally = Tally(name)
        self.tallies.append(tally)
        logger = run_logger()
        try:
            subjects, known = _in_turn(name, work())
        except Exception as error:
            logger.exception("%s: its work could not be read", name)
            tally.failures[READING] = _sentence(error)
            self.met.append(error)
            return tally
        width = 1 if one_at_a_time else AT_ONCE
        if self._puts_off and bounded:
            often = {subject for subject, row in known.items() if setbacks.is_put_off(row)}
            if later := [one for one in subjects if str(one) in often]:
                self._put_off.append(_Work(name, later, often, step, width))
                subjects = [one for one in subjects if str(one) not in often]
        ends = self.began + (self.ends - self.began) * share if bounded else None
        self._do(tally, _Work(name, subjects, set(known), step, width), ends)
        return tally

    def put_off_work(self) -> None:
        """Do what was put off, with what is left of the cycle's time: no other stage waits for it."""
        for work in self._put_off:
            self.tallies.append(tally := Tally(f"{work.stage}, put off"))
            self._do(tally, work, self.ends)
        self._put_off.clear()

    def _do(self, tally: Tally, work: _Work, ends: datetime | None) -> None:
        stage, subjects, known, step, width = work
        absences, silent, answered = 0, set[str](), set[str]()
        for start in range(0, len(subjects), width):
            if (ends is not None and now() >= ends) or absences >= ABSENCES:
                tally.left = len(subjects) - start
                break
            batch = subjects[start : start + width]
            for subject, came in zip(batch, _run(step, batch), strict=True):
                is_absence = isinstance(came, ServiceUnavailable | Unsettled)
                if isinstance(subject, int | str):  # a batch is made up anew each time
                    (silent if is_absence else answered).add(str(subject))
                if not isinstance(came, Exception):
                    absences = 0
                    number, outcome = came if isinstance(came, Several) else (1, str(came))
                    tally.counts[outcome] += number
                    continue
                absences = absences + 1 if is_absence else 0
                tally.failures[str(subject)] = _sentence(came)
                self.met.append(came)
        if silent | (answered & known):
            with desk().record.write() as session:
                setbacks.note(session, stage, silent, answered & known)
        logger = run_logger()
        if subjects:
            logger.info(tally.line())
        for subject, why in tally.failures.items():
            logger.warning("%s %s: %s", tally.stage, subject, why)

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        return any(tally.failures for tally in self.tallies)

    @property
    def whole(self) -> bool:
        """Whether all was done: nothing failed, and nothing was left."""
        return not self.failed and not any(tally.left for tally in self.tallies)

    @property
    def unfinished(self) -> list[str]:
        """Stages that have not looked at all of their work: some was left, or could not be read."""
        return [tally.stage for tally in self.tallies if tally.left or READING in tally.failures]

    def end(self) -> State[Any]:
        """How the flow run ends: whole, in part, or not at all."""
        summary = "; ".join(tally.line() for tally in self.tallies if tally.counts or tally.failures or tally.left)
        given = {"unfinished": self.unfinished}
        if not self.failed:
            return Completed(message=summary or "nothing to do", data=given)
        if all(READING in tally.failures for tally in self.tallies):
            return Failed(message=summary)
        return Completed(name="PartiallyDone", message=summary, data=given)


def _in_turn(stage: str, work: Sequence[Any]) -> tuple[list[Any], dict[str, Setback]]:
    """A stage's work in the order in which it is done, and which of it a vendor did not answer the last time."""
    if not work:
        return [], {}
    with desk().record.read() as session:
        known = setbacks.known(session, stage)
    return setbacks.those_last(work, known), known


def _run(step: Step, subjects: Sequence[Any]) -> list[Any]:
    """What came of each subject, in order: the step's word, or the error it ended with."""
    if is_inline():
        return [_alone(step, subject) for subject in subjects]
    if len(subjects) == 1:
        only: State[Any] = step(subjects[0], return_state=True)
        return [_came_of(only)]
    futures = step.map(list(subjects))
    for future in futures:
        future.wait()
    return [_came_of(future.state) for future in futures]


def _alone(step: Step, subject: Any) -> Any:
    try:
        return step(subject)
    except Exception as error:
        return error


def _came_of(state: State[Any]) -> Any:
    try:
        return state.result()
    except Exception as error:
        return error
    except BaseException as error:  # a crash that Prefect saw, as the state keeps it
        return RuntimeError(state.message or type(error).__name__)


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__
