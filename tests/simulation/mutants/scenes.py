"""Scenes: a narrow swarm each. A seed draws a small world in which one kind of bug has its chance.

All that the wide swarm has is here too: the same play, the same promises, the same blows. A scene says who is in it,
what happens, and at which calls the blows fall; `run` plays one seed of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deployments.sandbox.faults import Fault
from deployments.sandbox.people import Address
from tasks.desk import working_at
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tests.simulation.knife import AFTER, COMMIT, CRASH, Point, faults_of
from tests.simulation.play import HANG_SECONDS, UNTIL_LEASES_END, Result
from tests.simulation.rehearsal import Rehearsal
from tests.simulation.swarm import Blow, Buyer, Happening, Plan, Swarm

#: Faults of a call that was made all the same.
LANDED = ("500_after", "timeout_after", "reset_after", "garbage")
#: Another worker does a cycle while this one is in the middle of a call; the second time beyond all leases.
OVERLAP, STALL = "another worker", "another worker, after a standstill"
#: Something happens without us at that very moment, "now: disputed and lost"; and more falls there, after an AND.
NOW, AND = "now: ", " + "
#: From that moment on no webhook comes.
DEAF = "webhooks end"
#: Death at the end of the next transaction.
NEXT_COMMIT = "killed when the next commit is done"
#: Cycles of a scene that is watched closely, as `monitor` does it.
WATCHED = 60
FEES = [{"name": "Premium", "type": "PERCENTAGE", "value": 1_000, "lowerLimit": 0, "upperLimit": None}]


@dataclass(frozen=True)
class Scene:
    """What a seed draws from.

    Args:
        home: where all buyers live, if not at a good address.
        all_happen: everything happens, to the first lot, in its order; else one of these, to any lot.
        aim: labels of points, by their beginnings; the blows fall on these. None: they fall anywhere.
        span: among how many of these; 0: four a lot, or the whole run.
        kinds: what falls there; empty: any fault and a crash.
        apart: seconds between the first cycles; None: the swarm's own rhythm.
        late: when the effect of a "late" call lands, in seconds.
        stage: what else is prepared.
        ignore: promises that such a scene cannot keep by its nature.
        judge: what else must hold.
    """

    name: str
    lots: tuple[int, ...] = (1, 2)
    hammers: tuple[str, ...] = ("above_reserve",)
    manners: tuple[str, ...] = ("good",)
    buyers: int = 1
    home: Address | None = None
    happenings: tuple[str, ...] = ()
    all_happen: bool = False
    hours: tuple[float, float] = (0.0, 0.5)
    webhooks: tuple[str, ...] = ("none",)
    capped: bool = False
    pays_after: tuple[float, float] = (0.5, 10.0)
    blows: int = 0
    aim: tuple[str, ...] | None = None
    span: int = 0
    kinds: tuple[str, ...] = ()
    apart: float | None = None
    late: float = 180.0
    stage: Callable[[Rehearsal], None] | None = None
    ignore: tuple[str, ...] = ()
    judge: Callable[[Hunt], Iterator[str]] | None = None

    def draw(self, seed: int) -> Plan:
        """What a seed draws."""
        dice = random.Random(f"{self.name} {seed}")
        low, high = self.pays_after
        buyers = tuple(
            Buyer(name, dice.choice(self.manners), True, dice.uniform(low, high) * 3_600)
            for name in ("ada", "ben", "cleo")[: self.buyers]
        )
        lots = tuple((dice.randrange(len(buyers)), dice.choice(self.hammers)) for _ in range(dice.choice(self.lots)))
        happenings = (
            tuple(
                Happening(what, 0 if self.all_happen else dice.randrange(len(lots)), dice.uniform(*self.hours) + place)
                for place, what in enumerate(self.happenings if self.all_happen else dice.sample(self.happenings, 1))
            )
            if self.happenings
            else ()
        )
        span = self.span or (100 + 200 * len(lots) if self.aim is None else 4 * len(lots))
        blows = tuple(Blow(dice.randint(1, span), "") for _ in range(self.blows))
        return Plan(seed, lots, buyers, blows, happenings, dice.choice(self.webhooks), self.capped, 2.0)

    def run(self, seed: int) -> Result:
        """One seed, in this process."""
        return Hunt(self, seed).run()


class Hunt(Swarm):
    """One seed of a scene, played."""

    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(scene.draw(seed))
        self.scene, self.name = scene, f"{scene.name} {seed}"
        self._dice = random.Random(f"{scene.name} {seed} blows")
        self._seen, self._doomed = 0, False
        self.pauses: list[tuple[datetime, datetime]] = []
        if scene.home:
            self.home = scene.home
        if scene.stage:
            scene.stage(self.stage)

    def ended(self) -> list[str]:
        """What broke of what such a scene can keep."""
        found = [one for one in super().ended() if not one.startswith(self.scene.ignore or ("\0",))]
        return [*found, *(self.scene.judge(self) if self.scene.judge else ())]

    def _until_still(self) -> None:
        for _ in range(WATCHED if self.scene.apart else 0):
            self.cycle()
            self.stage.advance(self.scene.apart or 0.0)
        super()._until_still()

    def _strike(self, point: Point) -> str | None:
        scene = self.scene
        if self._doomed and point.label == f"{AFTER}{COMMIT}":
            self._doomed = False
            return CRASH
        if scene.aim is not None:
            if not any(point.label.startswith(one) for one in scene.aim):
                return None
            self._seen += 1
        place = point.number if scene.aim is None else self._seen
        if not self._blows or place < self._blows[0].point:
            return None
        kind = self._dice.choice(scene.kinds or (*faults_of(point), CRASH))
        if kind != CRASH and point.call is None and kind in faults_of(Point(0, "before stripe x")):
            return None  # the next call gets it
        self._blows.pop(0)
        for part in kind.split(AND):
            if part in (OVERLAP, STALL):
                self._another(point, part)
            elif part.startswith(NOW):
                self.schedule.append(f"{point.number} {point.label}: {part}")
                self._happen(Happening(part.removeprefix(NOW), 0, 0.0))
            elif part == NEXT_COMMIT:
                self._doomed = True
            elif part == DEAF:
                self.stage.world.webhook_mode = "lost"
            else:
                return part
        return None

    def _do_to(self, what: str, lot: Lot) -> None:
        bank, world = self.stage.bank, self.stage.world
        match what:
            case "the buyer pays":
                bank.pay_by_hand(lot.stripe_invoice_id)
            case "the buyer has credit":
                for customer in bank.store.customers.values():
                    customer["balance"] = -1_000_000
            case "CJ has a new word":
                order = self.stage.cj.order(lot.cj_order_number or "")
                before, order.status = order.status, "REVIEWING"
                world.after(3_600, lambda: setattr(order, "status", before), "the old word")
            case _:
                super()._do_to(what, lot)

    def _another(self, point: Point, kind: str) -> None:
        """A second worker, which holds no lease of a flow, does what it can; then this one goes on."""
        from flows.processing import _cycle

        self.schedule.append(f"{point.number} {point.label}: {kind}")
        self.knife.sharp = False
        try:
            if kind == STALL:
                self.stage.advance(UNTIL_LEASES_END)
            with working_at(self.stage.open_desk()):
                _cycle(None)
        finally:
            self.knife.sharp = True

    def _pause(self, scope: str) -> None:
        super()._pause(scope)
        self.pauses.append((self.stage.clock.now(), self.stage.clock.now() + timedelta(hours=5)))

    def _plan(self, call: str, kind: str) -> None:
        super()._plan(call, kind)
        if kind == "late":
            vendor, operation = call.split(" ", 1)
            self.stage.world.faults.clear()
            fault = Fault(vendor, operation, kind, seconds=HANG_SECONDS, effect_after=self.scene.late)
            self.stage.world.faults.plan(fault)


def charging_fees(stage: Rehearsal) -> None:
    """Basta is configured to add a buyer's premium."""
    house: Any = stage.house
    house.options.fees = FEES


def delivered(hunt: Hunt) -> Iterator[str]:
    """Good cards, goods in stock: whatever failed on the way, the buyers get what they won."""
    yield from (f"lot {lot.id} is {lot.status}" for lot in hunt.stage.lots() if lot.status is not LotStatus.DELIVERED)
