"""An attended life: what `Scripted` and `Unlucky` never have. The vendors tell us, and an operator is at work.

Webhooks reach a receiver, whose process dies like any other. A dear word is sourced after a yes; so is what passes the
day's cap bought, and a batch of refunds let go: each asked by a form. The sale is watched now and then, and every
night our books are compared with everybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from flows.reconciling import reconciling
from flows.sourcing import sourcing
from tasks.lots import approvals
from tasks.lots.records import Approval
from tests.simulation.knife import Point, Strike
from tests.simulation.nights import Blow, Night, unfounded
from tests.simulation.office import Office
from tests.simulation.play import UNTIL_LEASES_END, Play
from tests.simulation.rehearsal import BEGINNING, HOUR, Rehearsal

WORD = "phone stand"
#: In dollars: above the $50 for which nobody has to be asked.
DEAR = 60.0
#: Between two looks at what happens, and between two polls of a sale that is watched.
SELDOM, POLL_SECONDS = 2 * HOUR, 1_800
#: In the night, by UTC.
NIGHT = timedelta(hours=21)
MOST_LOOKS = 40
LIMITS = {"DAILY_SPEND_CAP_USD": "1", "REFUND_BATCH_LIMIT_USD": "1"}


class Attended(Play):
    """Two buyers, three lots: delivered, gone at CJ when it was paid, and delivered to a buyer who pays later."""

    winners: tuple[str, ...] = ("ada", "ada", "dov")
    gone = 2
    #: Whether the books are also compared as soon as the sale is closed, so that all is billed and bought in that run.
    compares_at_once = False

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__("attended", strike=strike, **LIMITS)
        options = self.stage.cj.options
        options.ship_after_seconds = options.deliver_after_seconds = 5 * HOUR
        self._strike = strike
        self.office = Office(self.knife, self._note)
        self._nights = 0
        #: The flow that is at work; none between them.
        self.doing = ""
        #: How each night ended, and what it said without a reason.
        self.reports: list[str] = []
        self.unfounded: list[str] = []
        self._blows: list[Blow] = []
        self.knife.strike = self._struck if strike else None

    def act(self) -> None:
        """Be told, source, close, and look after it to the end."""
        with self.office.open():
            self._act()

    def _act(self) -> None:
        stage = self.stage
        stage.person("ada", "good")
        stage.person("dov", "no_card", pays_after=3 * HOUR)
        for number, winner in enumerate(self.winners, start=1):
            stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=number)
        self.listen("normal")
        self._source_dear()
        self._pass(27 * HOUR)
        if gone := [lot for lot in stage.lots() if lot.item_number == self.gone]:
            stage.cj.delist(gone[0].cj_vid)
        if self.compares_at_once:
            self.alive(self._compare)
        self._watch()
        for _ in range(MOST_LOOKS):
            self._answer_all()
            self.cycle()
            if stage.is_quiet():
                break
            self._pass(SELDOM)
        self._watch()
        self._pass(24 * HOUR)
        self.cycle()

    def ended(self) -> list[str]:
        """What broke, and what the last night found."""
        report = self.stage.reconcile()
        found = [f"{one.vendor}, {one.what.value} {one.about}: {one.text}" for one in report.findings]
        found += [f"{vendor} could not be read: {why}" for vendor, why in report.unread.items()]
        found += [f"{one.about}: {one.text}" for one in report.undone]
        if not found and not report.clean:
            found.append(report.sentence())
        early = [f"asked first: {one}" for one in unasked(self.stage, len(self.office.begun))]
        compared = [*self.unfounded, *(f"in the end: {one}" for one in found)]
        return [*super().ended(), *(f"the books are compared: {one}" for one in compared), *early]

    def _struck(self, point: Point) -> str | None:
        """Strike as told, and keep when that was."""
        assert self._strike
        if blow := self._strike(point):
            self._blows.append(Blow(self.stage.clock.at, point, blow))
        return blow

    # what the operator does

    def _source_dear(self) -> None:
        """Ask for it, say yes, let a worker begin it; where that died, the operator types the command again."""
        self.alive(self._type_it)
        for _ in range(12):
            self._answer_all()
            for run in self._begun():
                self.alive(lambda run=run: sourcing.fn(**run["parameters"]))  # type: ignore[misc]
            if self._sourced(WORD):
                return
            self.stage.advance(UNTIL_LEASES_END)
            self.alive(self._type_it)

    def _type_it(self) -> Any:
        return self.stage.source(WORD, len(self.winners), DEAR)

    def _begun(self) -> list[dict[str, Any]]:
        """Runs that no worker has taken yet."""
        taken = [run for run in self.office.begun.values() if not run.get("taken")]
        for run in taken:
            run["taken"] = True
        return taken

    def _answer_all(self) -> None:
        """Every question is opened, answered by its form, and followed to the end of its run."""
        with self.record.quietly() as session:
            waiting = [row.id for row in approvals.open_ones(session)]
        for one in waiting:
            self.until_done(lambda one=one: self._as("approving", self.office.answer, one))  # type: ignore[misc]

    def _as(self, flow: str, work: Callable[..., Any], *args: Any) -> Any:
        self.doing = flow
        try:
            return work(*args)
        finally:
            self.doing = ""

    def _watch(self) -> None:
        if lots := self.stage.lots():
            sale = lots[0].basta_sale_id or ""
            self.alive(lambda: self._as("monitoring", self.office.watch, sale, POLL_SECONDS))

    # time

    def _pass(self, seconds: float) -> None:
        """Let time pass; in every night the books are compared."""
        end = self.stage.clock.at + timedelta(seconds=seconds)
        while (night := self._next_night()) <= end:
            self.stage.advance(max(0.0, (night - self.stage.clock.at).total_seconds()))
            self._nights += 1
            self.alive(self._compare)
        self.stage.advance(max(0.0, (end - self.stage.clock.at).total_seconds()))

    def _compare(self) -> None:
        """One comparison; what it says must have its reason in what was done to the pipeline by then."""
        began = self.stage.clock.at
        try:
            state = self._as("reconciling", reconciling.fn)
        except Exception as error:
            self.unfounded.append(f"comparison {len(self.reports)} fell over: {type(error).__name__}: {error}")
            raise
        self.reports.append(f"{state.name}: {state.message}")
        if not state.is_completed():
            self.unfounded.append(f"comparison {len(self.reports)} ended {self.reports[-1]}")
            return
        night = Night(began, self.stage.clock.at, state.result(), tuple(self._blows))
        self.unfounded += [f"comparison {len(self.reports)}: {one}" for one in unfounded(self.stage, night)]

    def _next_night(self) -> datetime:
        return BEGINNING + NIGHT + self._nights * timedelta(days=1)


class Compared(Attended):
    """The same, and one more comparison: it meets every effect of a sale in its first minutes."""

    compares_at_once = True


def unasked(stage: Rehearsal, begun: int) -> Iterator[str]:
    """What was done before a person had said yes to it, or twice by one yes.

    Args:
        stage: where it was done.
        begun: how many runs were begun by a yes to the one dear word.
    """
    never = datetime.max.replace(tzinfo=UTC)
    yes: dict[str, datetime] = {}
    with stage.record.read() as session:
        for row in session.scalars(select(Approval).where(Approval.granted_cents > 0)):
            yes[row.kind] = min(yes.get(row.kind, never), row.answered_at or never)
    for refund in stage.bank.store.refunds.values():
        if refund["created"] < int(yes.get("refunds", never).timestamp()):
            yield f"refund {refund['id']} was made"
    for call in stage.world.calls:
        if call.operation == "createSale" and call.at < yes.get("cost", never):
            yield "a dear word was sourced"
    if begun > 1:
        yield f"one yes began {begun} runs"
