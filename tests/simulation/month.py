"""A month: sales are sourced day after day, some calls of every hour fail, and in the end every book ties.

All durations are the product's own, and so are CJ's pace and how often a reading is tried; only the number of sourcing
runs a day is raised, as two of five lots would make three hundred. Goods come from the sandbox's own catalogue by the
real sourcing flow, and its words come round again, as a shop's do.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select

from deployments.sandbox.cj.texts import KINDS
from tasks.lots.manners import UNSETTLED
from tasks.lots.models import History, Lot
from tasks.lots.records import Effect, Incident, LedgerEntry
from tasks.lots.states import FINAL, LotStatus
from tests.simulation.happening import HAPPENINGS, Eventful
from tests.simulation.knife import Point, faults_of
from tests.simulation.patience import Patient
from tests.simulation.promises import PROMISES
from tests.simulation.rehearsal import BEGINNING, CYCLE_SECONDS, DAY, HOME, HOUR
from tests.simulation.swarm import HAMMERS, MANNERS, NOWHERE, SHORT
from tests.simulation.swarm import STILL_SECONDS as SOON_STILL_SECONDS

Figures = dict[str, Any]
A_RUN = 5
BUYERS = 36
#: As an operator has them, and not a play's short ones.
REAL = {"PAYMENT_DEADLINE_DAYS": "7", "PAYMENT_REMINDER_DAYS": "3", "PAYMENT_RETRY_DAYS": "1,3"}
WEBHOOKS = ("normal", "shuffled", "lost", "doubled")
#: Of how many lots something happens to one, and until how long after its auction.
ONE_IN, WITHIN = 12, 48 * HOUR
#: Goods are sold again, and cost what they did, after so long.
PASSES = {
    "delisted": 2 * DAY,
    "no stock": 2 * DAY,
    "dearer": 2 * DAY,
    "far dearer": 2 * DAY,
    "freight doubles": DAY / 2,
}
NIGHT = timedelta(hours=21, minutes=30)  # 03:30, after the days' beginning at 06:00
#: Nothing changed for so long, which is longer than every deadline: it is over.
STILL_SECONDS = 16 * DAY
#: Between two cycles in which nothing moves, at most: while sales go on, and when the last has ended.
SELDOM, MORE_SELDOM = HOUR, 8 * HOUR
ALIVE = [status for status in LotStatus if status not in FINAL]
#: What holds at every moment, and is looked at every night; the others are promised of an end.
ALWAYS = ("ordered and bought once", "bought only when paid for, within the cap", "one mail a key")


class Month(Eventful):
    """So many lots in so many days."""

    def __init__(
        self,
        lots: int,
        days: int,
        faulty: float,
        seed: int,
        tell: Callable[[Figures], None] = lambda _: None,
        *,
        brisk: bool = False,
    ) -> None:
        runs = -(-lots // (A_RUN * days))
        super().__init__(
            f"month {seed}",
            dice=random.Random(f"month {seed}"),
            strike=self._strike,
            seed=seed,
            SOURCING_RUNS_PER_DAY=str(2 * runs + 2),  # as some find nothing, and are followed by another
            **(SHORT if brisk else REAL),
        )
        self.stage.how = Patient(self.stage.advance, random.Random(f"month {seed} patience"))
        self._still_after = SOON_STILL_SECONDS if brisk else STILL_SECONDS
        if brisk:  # for a quick look: deadlines of hours, as in a swarm
            options = self.stage.cj.options
            options.ship_after_seconds = options.deliver_after_seconds = 8 * HOUR
        self.lots, self.days, self.faulty = lots, days, faulty
        self._tell, self._faults = tell, random.Random(f"month {seed} faults")
        self._began, self._spent = time.monotonic(), time.process_time()
        self._words, self._patience = 0, self.stage.clock.at
        self._seen: tuple[Any, ...] = ()
        self._apart, self._still, self._nights = CYCLE_SECONDS, 0.0, 0
        self.day, self.nights, self.broken_by_night = 0, Counter[str](), list[str]()
        self.differences: list[str] = []
        self.last: Figures = {}

    def act(self) -> None:
        """Source and process day after day, and then until nothing has changed for longer than any deadline."""
        self.stage.cj.set_balance(10**8)
        for number in range(BUYERS):
            address = HOME if self._dice.random() > 0.08 else NOWHERE
            manner, pays_after = MANNERS[number % len(MANNERS)], self._dice.uniform(0.5, 40) * HOUR
            self.stage.person(f"buyer{number}", manner, address=address, pays_after=pays_after)
        self.listen(WEBHOOKS[0])
        while self.day < self.days:
            self._source_what_is_due()
            self._step(SELDOM)
        while self._still < self._still_after and not (self._still and self._is_quiet()):
            self._step(MORE_SELDOM)

    def ended(self) -> list[str]:
        """What broke in the end or on any night; every book must tie, and nothing may differ."""
        report = self.stage.reconcile()
        self.differences += [f"day {self.day + 1}, {one.what.value} {one.about}: {one.text}" for one in report.findings]
        found = [f"{one.vendor}: {one.what} {one.about}, {one.text}" for one in report.findings]
        found += [
            f"{tie.vendor}, {tie.what}: {tie.ours_cents} and {tie.theirs_cents}"
            for tie in report.ties
            if tie.ours_cents != tie.theirs_cents
        ]
        found += [f"{vendor} could not be read: {why}" for vendor, why in report.unread.items()]
        found += [report.unlooked] if report.unlooked else []
        found += [f"{one.about}: {one.text}" for one in (*report.unknown_yet, *report.undone)]
        self.last = self.figures()
        return [*self.broken_by_night, *(f"reconcile: {one}" for one in found), *super().ended()]

    def figures(self) -> Figures:
        """How it stands."""
        with self.record.read() as session:
            lots = dict(session.execute(select(Lot.status, func.count()).group_by(Lot.status)).all())
        return {
            "day": self.day,
            "lots": {str(status): number for status, number in sorted(lots.items())},
            "cycles": self.cycles,
            "calls": len(self.stage.world.calls),
            "faults": len(self.knife.struck),
            "nights": dict(self.nights),
            "violations": len(self.broken_by_night),
            "errors": len(self.errors),
            "seconds": round(time.monotonic() - self._began),
            "cpu": round(time.process_time() - self._spent),
        }

    # the days

    def _source_what_is_due(self) -> None:
        elapsed = (self.stage.clock.at - BEGINNING).total_seconds() / (self.days * DAY)
        due = round(self.lots * min(elapsed + 0.5 / self.days, 1.0))  # half a day ahead, so that the last are due too
        while (made := self._made()) < due and self.stage.clock.at >= self._patience:
            word = KINDS[self._words % len(KINDS)].keyword
            self._words += 1
            self._plan_bidding(word)
            self.source(word, min(A_RUN, self.lots - made))
            new = self._made() - made
            if not new:
                self._patience = self.stage.clock.at + timedelta(hours=1)
            for place in range(new):
                if self._dice.randrange(ONE_IN) == 0:
                    what, hours = self._dice.choice(HAPPENINGS), 26 * HOUR + self._dice.uniform(0, WITHIN)
                    self.stage.world.after(hours, partial(self._happen, what, made + place + 1), what)

    def _plan_bidding(self, word: str) -> None:
        house = self.stage.house
        house.plans[:] = [plan for plan in house.plans if plan["sale_title"] != word]  # those sales are open by now
        for number in range(1, A_RUN + 1):
            how = self._dice.choice(HAMMERS)
            winner = f"buyer{self._dice.randrange(BUYERS)}" if how != "no_bid" else None
            house.plan_lot(winner=winner, hammer=how, item_number=number, sale_title=word)

    def _step(self, seldom: float) -> None:
        self.cycle()
        now = self._state()
        moved, self._seen = now != self._seen, now
        self._apart = CYCLE_SECONDS if moved else min(self._apart * 2, seldom)
        self._still = 0.0 if moved else self._still + self._apart
        self.stage.advance(self._apart + self._dark_hours * HOUR)
        self._dark_hours = 0.0
        if self.stage.clock.at >= BEGINNING + self._nights * timedelta(days=1) + NIGHT:
            self._nights += 1
            self.alive(self._reconcile)
        while self.stage.clock.at >= BEGINNING + timedelta(days=self.day + 1):
            self._end_day()

    def _reconcile(self) -> None:
        report = self.stage.reconcile()
        self.differences += [f"day {self.day + 1}, {one.what.value} {one.about}: {one.text}" for one in report.findings]
        ended = "something differed" if report.findings else "a vendor away" if report.unread else "not known yet"
        self.nights["clean" if report.clean else ended] += 1

    def _end_day(self) -> None:
        self.day += 1
        self.stage.world.webhook_mode = self._dice.choice(WEBHOOKS)
        self.broken_by_night += [
            f"day {self.day}, {name}: {what}" for name in ALWAYS for what in PROMISES[name](self.stage)
        ]
        self._tell(self.figures())

    def _happen(self, what: str, lot_id: int) -> None:
        with self.record.read() as session:
            lot = session.get(Lot, lot_id)
        if lot is not None and self.befall(what, lot) and what in PASSES:
            self.stage.world.after(PASSES[what], partial(self._pass, what, lot), f"no more {what}")

    def _pass(self, what: str, lot: Lot) -> None:
        options = self.stage.cj.options
        match what:
            case "delisted":
                options.delisted_vids.discard(lot.cj_vid)
            case "no stock":
                options.stock_overrides.pop(lot.cj_vid, None)
            case "dearer" | "far dearer":
                options.price_overrides.pop(lot.cj_vid, None)
            case "freight doubles":
                options.freight_factor.pop("US", None)

    def _strike(self, point: Point) -> str | None:
        if point.call is None or self._faults.random() >= self.faulty:
            return None
        return self._faults.choice(faults_of(point))

    # how it stands, by what is still alive: the dead are many

    def _made(self) -> int:
        with self.record.read() as session:
            return session.execute(select(func.max(Lot.id))).scalar_one() or 0

    def _is_quiet(self) -> bool:
        with self.record.read() as session:
            alive = select(Lot.id).where(or_(Lot.status.in_(ALIVE), Lot.refund_status.in_(("PLANNED", "PENDING"))))
            return session.execute(alive.limit(1)).first() is None and not self.stage.unsettled()

    def _state(self) -> tuple[Any, ...]:
        """What changes when anything does."""
        with self.record.read() as session:
            newest = [
                session.execute(select(func.max(table.id))).scalar_one() for table in (History, LedgerEntry, Incident)
            ]
            tried = session.execute(select(func.count(), func.sum(Effect.attempts)).where(UNSETTLED))
            told = session.execute(select(func.count()).where(Incident.closed_at.is_(None)))
            alive = select(Lot.id, Lot.hold_reason, Lot.refund_status, Lot.cj_status).where(Lot.status.in_(ALIVE))
            return *newest, *tried.one(), *told.one(), *map(tuple, session.execute(alive.order_by(Lot.id)))
