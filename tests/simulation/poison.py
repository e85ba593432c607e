"""Poison: one lot whose call a vendor refuses, or never answers, whenever it is made, among many.

Where it can be poisoned is found by running: every call that such a lot makes alone, in each of its fates. The others
must not need a cycle more for what is refused, and one at most for what is never answered.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import func, select

from deployments.sandbox.cj.envelope import Refusal
from deployments.sandbox.wire import Reply
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tasks.retrying import Step
from tests.simulation.forking import Plain, in_children
from tests.simulation.lines import PATIENCE_SECONDS, NoAnswer
from tests.simulation.patience import Patient
from tests.simulation.play import Play
from tests.simulation.rehearsal import CYCLE_SECONDS, HOUR, Rehearsal

BUYERS = 20
MOST_CYCLES = 2_000
#: Lots of the run in which the places are looked for.
FEW = 4
#: How its vendor treats the poisoned call, each time: it says no, or nothing, and nothing happens.
REFUSED, SILENT = "refused", "silent"
MANNERS = (REFUSED, SILENT)
#: How many cycles the others may need more for it. Silence takes its stage's time until the lot is known for it, and is
#: put off: some tries of 20 s in each of a few cycles, which is less than one cycle's time.
MOST_MORE = {REFUSED: 0, SILENT: 1}
#: What becomes of the lot where nothing is poisoned: bought; ordered, too dear, deleted and refunded; never paid.
BOUGHT, DEAR, UNPAID = "bought", "dear", "unpaid"
FATES = (BOUGHT, DEAR, UNPAID)
DEARER_CENTS = 100_000
CREATE = "POST /shopping/order/createOrderV2"
NO = "this one is not to our liking"
NOES: dict[str, Reply] = {
    "cj": Reply.of({"code": 1_600_999, "result": False, "message": NO, "data": None, "success": False}),
    "basta": Reply.of({"data": None, "errors": [{"message": NO, "extensions": {"code": "BAD_USER_INPUT"}}]}),
    "stripe": Reply.of({"error": {"type": "invalid_request_error", "message": NO}}, 400),
    "resend": Reply.of({"statusCode": 422, "name": "validation_error", "message": NO}, 422),
}


@dataclass(frozen=True)
class Place:
    """A call that a lot makes alone, by the step that makes it, in a fate that leads there."""

    fate: str
    step: str
    call: str

    def __str__(self) -> str:
        return f"{self.fate}, {self.step}: {self.call}"


def refuse(stage: Rehearsal, lot_id: int, path: str) -> None:
    """Have CJ refuse this lot's call whenever it is made."""
    method, serve = stage.cj.routes[path]
    number = stage.record.known_as(f"HS-{lot_id}")

    def answer(request: Any) -> Any:
        ids = [number, *(order.order_id for order in stage.cj.orders if order.number == number)]
        if any(one.encode() in request.body for one in ids):
            raise Refusal(1_600_300, f"param error: {NO}")
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
        _win(item, names[item.number % buyers])
    return made


def _win(item: Any, winner: str) -> None:
    for bid in item.bids:
        bid.user_id = winner if bid.user_id == item.leader else bid.user_id
    item.leader = winner


@dataclass(frozen=True)
class Needed:
    """How many cycles the healthy lots needed: until all were bought, and until all had arrived."""

    all_bought: int
    all_delivered: int
    poisoned: str  # how the other one stands by then
    struck: int = 0  # how often its call was made
    silent_seconds: float = 0.0  # for how long it was waited for in vain

    @property
    def cycles(self) -> tuple[int, int]:
        """What must be the same with the poison and without."""
        return self.all_bought, self.all_delivered


@dataclass
class _Poison:
    """What is done to whom, and what came of it."""

    lot: int = 0
    user: Any = None
    struck: int = 0
    places: dict[Place, None] = field(default_factory=dict)  # in their order


class Poisoned(Play):
    """So many lots at CJ's own pace, the middle one a buyer's of its own and poisoned at one place, or nowhere.

    Steps are tried again as the task layer tries them, one after the other: what is silent takes its time each time.

    Args:
        place: where it is poisoned; None: nowhere.
        fate: what becomes of it otherwise.
        manner: refused or silent.
        buyers: how many share the other lots.
        budget: seconds of a cycle after which it begins nothing more, so that many lots, or few, need some cycles.
        parcels: seconds until a parcel is shipped, and as many until it arrives.
        most: cycles after which it is given up.
    """

    def __init__(
        self,
        lots: int,
        place: Place | None,
        *,
        fate: str = BOUGHT,
        manner: str = REFUSED,
        buyers: int = BUYERS,
        budget: float = 480,
        parcels: float = 2 * HOUR,
        most: int = MOST_CYCLES,
    ) -> None:
        # Parcels are read in each cycle: an hour's rhythm would blur the count of cycles.
        super().__init__(
            f"poison {place}",
            PARCEL_POLL_SECONDS="0",
            PROCESS_BUDGET_SECONDS=str(budget),
            PAYMENT_DEADLINE_DAYS="0.08",
            PAYMENT_REMINDER_DAYS="0.02",
            PAYMENT_RETRY_DAYS="0.01",
        )
        self.lots, self.place, self.fate, self.manner = lots, place, fate, manner
        self.buyers, self.most = buyers, most
        options = self.stage.cj.options
        options.ship_after_seconds = options.deliver_after_seconds = parcels
        self.needed: Needed | None = None
        self.poison = _Poison()
        self._patient = Patient(self.stage.advance, random.Random(1), acting=True)
        self._at: tuple[Step, tuple[Any, ...]] | None = None
        self.stage.exchange.before, self.stage.exchange.after = self._before, self._afterwards

    def act(self) -> None:
        """Cycles until every healthy lot has arrived."""
        stage = self.stage
        stage.person("ada")
        (first,) = stage.sell("ada")
        made = share_out(stage, first, self.lots, self.buyers)
        manner = "ignores" if self.fate == UNPAID else "good"
        self.poison.lot, self.poison.user = made[len(made) // 2], stage.person("zoe", manner)
        mine = stage.lot(self.poison.lot).basta_item_id
        _win(next(item for item in stage.house.items if item.id == mine), self.poison.user.user_id)
        bought = 0
        done = (LotStatus.CJ_PAID, LotStatus.SHIPPED, LotStatus.DELIVERED)
        while self.cycles < self.most:
            begins = stage.clock.at + timedelta(seconds=CYCLE_SECONDS)  # by the clock, however long this one takes
            self.cycle()
            bought = bought or (self.cycles if self._count(*done) == self.lots - 1 else 0)
            if self._count(LotStatus.DELIVERED) == self.lots - 1:
                silent = self.poison.struck * PATIENCE_SECONDS * (self.manner == SILENT)
                how = str(stage.status(self.poison.lot))
                self.needed = Needed(bought, self.cycles, how, self.poison.struck, silent)
                return
            stage.advance(max(0.0, (begins - stage.clock.at).total_seconds()))

    def ended(self) -> list[str]:
        """The count is judged beside others'; here only that all came to their end."""
        found = [] if self.needed else [f"not done after {self.cycles} cycles"]
        return [*found, *self.fell, *(["its poison was never met"] if self.place and not self.poison.struck else [])]

    def _count(self, *statuses: LotStatus) -> int:
        with self.record.read() as session:
            healthy = select(func.count()).where(Lot.id != self.poison.lot, Lot.status.in_(statuses))
            return session.execute(healthy).scalar_one()

    # the poison

    def _do(self, step: Step, *args: Any, **kwargs: Any) -> Any:
        """One step, tried again as it would be."""
        self._at = step, args
        try:
            return self._patient(step, *args, **kwargs)
        except Exception as error:
            self._note(error)
            raise
        finally:
            self._at = None

    def _before(self, label: str) -> None:
        self.knife.point(f"before {label}")
        if self._at is None or not self.poison.lot or not self._is_its_own():
            return
        if self.fate == DEAR and label == f"cj {CREATE}":
            self.stage.cj.options.order_surcharge_cents = DEARER_CENTS
        place = Place(self.fate, self._at[0].fn.__name__, label)
        self.poison.places.setdefault(place)
        if place != self.place:
            return
        self.poison.struck += 1
        if self.manner == SILENT:
            self.stage.advance(PATIENCE_SECONDS)
            raise NoAnswer(label)
        self.stage.exchange.scripted.append((label, NOES[label.split(" ", 1)[0]]))

    def _afterwards(self, label: str) -> None:
        if label == f"cj {CREATE}":
            self.stage.cj.options.order_surcharge_cents = 0
        self._after(label)

    def _is_its_own(self) -> bool:
        """Whether the call that is made now is about this lot, and no other."""
        assert self._at
        step, args = self._at
        match _subject(step):
            case "lot_id":
                return bool(args[0] == self.poison.lot)
            case "invoice_id":
                return bool(args[0] == self.stage.lot(self.poison.lot).invoice_id)
        asked = self.stage.exchange.asking
        assert asked
        text = f"{asked.path} {asked.query} {asked.body.decode(errors='replace')}"
        number = self.stage.record.known_as(f"HS-{self.poison.lot}")
        ids = (number, self.stage.lot(self.poison.lot).cj_order_id, self.poison.user.user_id, self.poison.user.email)
        return any(one and one in text for one in ids) and set(re.findall(r"HS-[0-9]+-[0-9a-f]+", text)) <= {number}


@cache
def _subject(step: Step) -> str:
    return next(iter(inspect.signature(step.fn).parameters), "")


class _Scout(Poisoned):
    """A few lots, none poisoned, until everything is over."""

    def act(self) -> None:
        """To the very end of the one that is looked at."""
        super().act()
        self.until_quiet()


def places(fates: tuple[str, ...] = FATES) -> list[Place]:
    """Every call that a lot of these fates makes alone; one that two fates make is named by the first."""
    found: dict[tuple[str, str], Place] = {}
    for fate in fates:
        scout = _Scout(FEW, None, fate=fate, buyers=1)
        if broken := scout.run().violations:
            raise RuntimeError("; ".join(broken))
        for place in scout.poison.places:
            found.setdefault((place.step, place.call), place)
    return list(found.values())


def needed(lots: int, place: Place | None, **options: Any) -> Needed:
    """Play it; the options are those of `Poisoned`.

    Raises:
        RuntimeError: the healthy lots did not come to their end.
    """
    play = Poisoned(lots, place, **{**({"fate": place.fate} if place else {}), **options})
    if found := play.run().violations:
        raise RuntimeError("; ".join(found))
    assert play.needed
    return play.needed


def all_needed(lots: int, jobs: list[tuple[Place | None, str, str]]) -> Iterator[Plain]:
    """What each needed, by place, manner and fate, on all cores."""

    def work(start: int, of: int) -> Iterator[Plain]:
        for place, manner, fate in jobs[start::of]:
            line: Plain = {"lots": lots, "place": place and str(place), "manner": manner, "fate": fate}
            try:
                yield {**line, **asdict(needed(lots, place, manner=manner, fate=fate)), "wrong": ""}
            except RuntimeError as error:
                yield {**line, "wrong": str(error)}

    return in_children(work)


__all__ = [
    "BOUGHT", "DEAR", "FATES", "MANNERS", "MOST_MORE", "REFUSED", "SILENT", "UNPAID",
    "Needed", "Place", "Poisoned", "all_needed", "needed", "places", "refuse", "share_out",
]  # fmt: skip
