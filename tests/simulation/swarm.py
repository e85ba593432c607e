"""Swarms: a seed draws a whole world — lots, buyers, people's manners, what goes wrong — and the pipeline lives in it.

A plan is drawn from a seed and is all that a run depends on, so that a run which breaks a promise can be made
smaller: parts are left out for as long as it still breaks one.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select

from deployments.sandbox.people import Address
from tasks.lots.models import History, Lot
from tasks.lots.records import Effect, Incident, LedgerEntry
from tests.simulation.forking import Plain, alone, in_children, workers
from tests.simulation.happening import HAPPENINGS, Eventful
from tests.simulation.knife import CRASH, Point, faults_of
from tests.simulation.play import Result
from tests.simulation.rehearsal import HOME, HOUR

KEYWORDS = ("phone stand", "usb hub")
MANNERS = ("good", "good", "good", "recovers", "good_later", "no_card", "secure", "declined", "ignores")
HAMMERS = ("above_reserve", "above_reserve", "above_reserve", "above_reserve", "below_reserve", "no_bid")
WEBHOOKS = ("none", "normal", "lost", "doubled", "shuffled")
#: What CJ allows when the sourcing is done.
QUOTAS = (*["plenty"] * 7, "few points", "few calls an hour", "few calls a day")
NOWHERE = Address("Ada Demo", "", "", "", "")
#: A run is still when nothing changed for so long: longer than every deadline of the settings below.
STILL_SECONDS = 30 * HOUR
SHORT = {"ADDRESS_DEADLINE_DAYS": "0.5", "FULFILMENT_RETRY_DAYS": "0.3"}
MOST_CYCLES = 120


@dataclass(frozen=True)
class Buyer:
    """Somebody who may win."""

    name: str
    manner: str
    has_address: bool
    pays_after: float


@dataclass(frozen=True)
class Happening:
    """Something that happens to a lot without us."""

    what: str
    lot: int  # which one, by its place
    hours: float  # after the auction


@dataclass(frozen=True)
class Blow:
    """A crash, or a fault at the first call from this point on."""

    point: int
    kind: str  # CRASH, "fault" (whose kind is drawn at the call) or a kind


@dataclass(frozen=True)
class Plan:
    """All that a run depends on."""

    seed: int
    lots: tuple[tuple[int, str], ...]  # the winner's place among the buyers, and how the bidding ends
    buyers: tuple[Buyer, ...]
    blows: tuple[Blow, ...]
    happenings: tuple[Happening, ...]
    webhooks: str
    capped: bool
    parcel_hours: float
    quota: str = "plenty"

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"seed {self.seed}: {len(self.lots)} lots, webhooks {self.webhooks}, "
            f"{'a daily cap, ' if self.capped else ''}parcels of {self.parcel_hours:.0f} h"
            f"{'' if self.quota == 'plenty' else f', then {self.quota} at CJ'}",
            *(f"{one.name} is {one.manner}{'' if one.has_address else ', without an address'}" for one in self.buyers),
            *(f"lot {n}: {self.buyers[who].name}, {how}" for n, (who, how) in enumerate(self.lots, 1)),
            *(f"{one.hours:.1f} h after the auction, lot {one.lot + 1}: {one.what}" for one in self.happenings),
            *(f"from point {one.point}: {one.kind}" for one in self.blows),
        ]


def plan_of(seed: int) -> Plan:
    """What a seed draws."""
    dice = random.Random(seed)
    buyers = tuple(
        Buyer(name, dice.choice(MANNERS), dice.random() > 0.12, dice.uniform(0.5, 10) * HOUR)
        for name in ("ada", "ben", "cleo", "dov")[: dice.randint(1, 4)]
    )
    lots = tuple(
        (dice.randrange(len(buyers)), dice.choice(HAMMERS)) for _ in range(dice.choice((1, 2, 3, 4, 5, 5, 7, 10)))
    )
    span = 150 + 260 * len(lots)
    blows = tuple(
        Blow(dice.randint(1, span), CRASH if dice.random() < 0.4 else "fault") for _ in range(dice.randint(1, 6))
    )
    happenings = tuple(
        Happening(dice.choice(HAPPENINGS), dice.randrange(len(lots)), dice.uniform(0, 12))
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))
    )
    webhooks, capped, hours = dice.choice(WEBHOOKS), dice.random() < 0.15, dice.choice((2.0, 8.0))
    return Plan(seed, lots, buyers, blows, happenings, webhooks, capped, hours, dice.choice(QUOTAS))


def run_seed(seed: int) -> Result:
    """One seed, in this process."""
    return run_plan(plan_of(seed))


def run_plan(plan: Plan) -> Result:
    """One plan, in this process."""
    return Swarm(plan).run()


def swarm(number: int, first: int = 1) -> Iterator[Plain]:
    """So many seeds, from the first on, each in a fork of its own, on all cores."""

    def work(place: int, of: int) -> Iterable[Plain]:
        run_plan(replace(plan_of(1), blows=(), happenings=(), lots=((0, "above_reserve"),)))  # what can be warm, is
        gc.collect()
        gc.freeze()
        for seed in range(first + place, first + number, of):
            yield alone(f"seed {seed}", lambda seed=seed: run_seed(seed))  # type: ignore[misc]

    return in_children(work, min(workers(), number))


def shortest(plan: Plan, most: int = 60) -> tuple[Plan, Result]:
    """The smallest plan found that still breaks a promise: blows, happenings and lots are left out one by one."""
    best, result, tries, smaller = plan, run_plan(plan), 0, True
    while smaller and tries < most:
        smaller = False
        for fewer in _smaller(best):
            tries += 1
            tried = run_plan(fewer)
            if tried.violations:
                best, result, smaller = fewer, tried, True
                break
            if tries >= most:
                break
    return best, result


def _smaller(plan: Plan) -> Iterator[Plan]:
    for name in ("blows", "happenings"):
        given = getattr(plan, name)
        for place in range(len(given)):
            yield replace(plan, **{name: given[:place] + given[place + 1 :]})
    if plan.webhooks != "none":
        yield replace(plan, webhooks="none")
    if plan.capped:
        yield replace(plan, capped=False)
    if plan.quota != "plenty":
        yield replace(plan, quota="plenty")
    if len(plan.lots) > 1:
        last = len(plan.lots) - 1
        yield replace(plan, lots=plan.lots[:-1], happenings=tuple(one for one in plan.happenings if one.lot < last))


class Swarm(Eventful):
    """One plan, played."""

    def __init__(self, plan: Plan) -> None:
        cap = {"DAILY_SPEND_CAP_USD": "25"} if plan.capped else {}
        dice = random.Random(plan.seed)
        super().__init__(f"seed {plan.seed}", dice=dice, strike=self._strike, seed=plan.seed, **SHORT, **cap)
        self.plan, self.schedule = plan, plan.lines()
        self._blows = sorted(plan.blows, key=lambda one: one.point)
        self.home = HOME
        options = self.stage.cj.options
        options.ship_after_seconds = options.deliver_after_seconds = plan.parcel_hours * HOUR

    def act(self) -> None:
        """Source, close, and process until nothing has changed for longer than any deadline."""
        stage, plan = self.stage, self.plan
        for one in plan.buyers:
            address = self.home if one.has_address else NOWHERE
            stage.person(one.name, one.manner, address=address, pays_after=one.pays_after)
        if plan.webhooks != "none":
            self.listen(plan.webhooks)
        for place, (who, how) in enumerate(plan.lots):
            winner = plan.buyers[who].name if how != "no_bid" else None
            stage.house.plan_lot(winner=winner, hammer=how, item_number=place % 5 + 1, sale_title=KEYWORDS[place // 5])
        for place in range(0, len(plan.lots), 5):
            self.source(KEYWORDS[place // 5], min(5, len(plan.lots) - place))
        stage.advance(26 * HOUR)
        self._allow(plan.quota)
        for one in plan.happenings:
            stage.world.after(one.hours * HOUR, lambda one=one: self._happen(one), one.what)  # type: ignore[misc]
        self._until_still()

    def _allow(self, quota: str) -> None:
        """From now on CJ allows little: less than a cycle needs, and more than all lots need in a day or two."""
        cj, options = self.stage.cj, self.stage.cj.options
        match quota:
            case "few points":
                options.points_total = 6_000  # what comes back in ten minutes pays four calls
                cj.quota.set_points(self._dice.choice((0, 15, 60)))
            case "few calls an hour" | "few calls a day":
                options.quota, options.quota_type = "counts", 5 if quota.endswith("hour") else 4
                options.quota_limit = len(self.plan.lots) + self._dice.randint(0, 6)

    def _until_still(self) -> None:
        """Every 10 minutes while things move, and ever more seldom while they do not."""
        seen, still, apart = self._state(), 0.0, 600.0
        for _ in range(MOST_CYCLES):
            self.cycle()
            now = self._state()
            moved, seen = now != seen, now
            apart = 600.0 if moved else min(apart * 2, 8 * HOUR)
            still = 0.0 if moved else still + apart
            if still >= STILL_SECONDS or (not moved and self.stage.is_quiet() and not self._to_come()):
                return
            self.stage.advance(apart + self._dark_hours * HOUR)
            self._dark_hours = 0.0

    def _to_come(self) -> bool:
        return self.stage.world.next_due() is not None

    def _state(self) -> tuple[Any, ...]:
        """What changes when anything does."""
        with self.record.read() as session:
            counts = [
                session.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (History, LedgerEntry)
            ]
            effects = session.execute(select(func.count(), func.sum(Effect.attempts), func.count(Effect.settled_at)))
            lots = session.execute(select(Lot.id, Lot.hold_reason, Lot.refund_status, Lot.cj_status).order_by(Lot.id))
            opened = session.execute(select(func.count(), func.count(Incident.closed_at)).select_from(Incident))
            # What was struck since may have stopped the cycle that would have seen the rest.
            struck = len(self.knife.struck)
            return struck, *counts, *effects.one(), *opened.one(), *map(tuple, lots)

    def _strike(self, point: Point) -> str | None:
        if not self._blows or point.number < self._blows[0].point:
            return None
        blow = self._blows[0].kind
        if blow != CRASH:
            if point.call is None:
                return None
            blow = self._dice.choice(faults_of(point)) if blow == "fault" else blow
        self._blows.pop(0)
        return blow

    # what happens without us

    def _happen(self, one: Happening) -> None:
        lots = self.stage.lots()
        if one.lot >= len(lots):
            return
        self.befall(one.what, lots[one.lot])


__all__ = ["Plan", "Swarm", "plan_of", "run_plan", "run_seed", "shortest", "swarm"]
