"""Poison: one lot that CJ refuses whenever it is asked, among many. The others must not need a cycle more for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from deployments.sandbox.cj.envelope import Refusal
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tests.simulation.play import Play
from tests.simulation.rehearsal import CYCLE_SECONDS, HOUR, Rehearsal

#: Where it is refused: when its order is made, confirmed or paid.
STEPS = ("/shopping/order/createOrderV2", "/shopping/order/confirmOrder", "/shopping/pay/payBalance")
BUYERS = 20
MOST_CYCLES = 2_000


def refuse(stage: Rehearsal, lot_id: int, path: str) -> None:
    """Have CJ refuse this lot's call whenever it is made."""
    method, serve = stage.cj.routes[path]
    number = stage.record.known_as(f"HS-{lot_id}")

    def answer(request: Any) -> Any:
        ids = [number, *(order.order_id for order in stage.cj.orders if order.number == number)]
        if any(one.encode() in request.body for one in ids):
            raise Refusal(1_600_300, "param error: this one is not to our liking")
        return serve(request)

    stage.cj.routes[path] = (method, answer)


def share_out(stage: Rehearsal, first: int, lots: int, buyers: int = BUYERS) -> list[int]:
    """Make a sold lot so many, of which each buyer has won a share, with goods and money for all; their ids."""
    names = [stage.person(f"buyer{number}").user_id for number in range(buyers)]
    for country in ("CN", "US"):
        stage.cj.set_stock(stage.lot(first).cj_vid, country, lots * 2)
    stage.cj.top_up(100_000_000)
    made = stage.stock_up(first, lots)
    for item in stage.house.items:
        winner = names[item.number % buyers]
        for bid in item.bids:
            bid.user_id = winner if bid.user_id == item.leader else bid.user_id
        item.leader = winner
    return made


@dataclass(frozen=True)
class Needed:
    """How many cycles the healthy lots needed: until all were bought, and until all had arrived."""

    all_bought: int
    all_delivered: int
    poisoned: str


class Poisoned(Play):
    """So many lots at CJ's own pace, the middle one refused at one step, or none.

    Args:
        path: where it is refused; None: nowhere.
        buyers: how many share the lots.
        budget: seconds of a cycle after which it begins nothing more, so that many lots, or few, need some cycles.
        parcels: seconds until a parcel is shipped, and as many until it arrives.
        most: cycles after which it is given up.
    """

    def __init__(
        self,
        lots: int,
        path: str | None,
        *,
        buyers: int = BUYERS,
        budget: float = 480,
        parcels: float = 2 * HOUR,
        most: int = MOST_CYCLES,
    ) -> None:
        # Parcels are read in each cycle: an hour's rhythm would blur the count of cycles.
        super().__init__(f"poison {path}", PARCEL_POLL_SECONDS="0", PROCESS_BUDGET_SECONDS=str(budget))
        self.lots, self.path, self.buyers, self.most = lots, path, buyers, most
        options = self.stage.cj.options
        options.ship_after_seconds = options.deliver_after_seconds = parcels
        self.needed: Needed | None = None

    def act(self) -> None:
        """Cycles until every healthy lot has arrived."""
        stage = self.stage
        stage.person("ada")
        (first,) = stage.sell("ada")
        lots = share_out(stage, first, self.lots, self.buyers)
        unlucky = lots[len(lots) // 2]
        if self.path:
            refuse(stage, unlucky, self.path)
        bought = 0
        while self.cycles < self.most:
            begins = stage.clock.at + timedelta(seconds=CYCLE_SECONDS)  # by the clock, however long this one takes
            self.cycle()
            done = (LotStatus.CJ_PAID, LotStatus.SHIPPED, LotStatus.DELIVERED)
            bought = bought or (self.cycles if self._count(unlucky, *done) == len(lots) - 1 else 0)
            if self._count(unlucky, LotStatus.DELIVERED) == len(lots) - 1:
                self.needed = Needed(bought, self.cycles, str(stage.status(unlucky)))
                return
            stage.advance(max(0.0, (begins - stage.clock.at).total_seconds()))

    def ended(self) -> list[str]:
        """The count is judged beside others'; here only that all came to their end."""
        return [] if self.needed else [f"not done after {self.cycles} cycles"]

    def _count(self, unlucky: int, *statuses: LotStatus) -> int:
        with self.record.read() as session:
            healthy = select(func.count()).where(Lot.id != unlucky, Lot.status.in_(statuses))
            return session.execute(healthy).scalar_one()


def needed(lots: int, path: str | None, **options: Any) -> Needed:
    """Play it; the options are those of `Poisoned`.

    Raises:
        RuntimeError: the healthy lots did not come to their end.
    """
    play = Poisoned(lots, path, **options)
    if found := play.run().violations:
        raise RuntimeError("; ".join(found))
    assert play.needed
    return play.needed
