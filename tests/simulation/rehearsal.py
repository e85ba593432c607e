"""A rehearsal: one world, one desk, one clock. Time passes only when told to, and things fall due in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select

from deployments.sandbox.people import Address, Person
from deployments.sandbox.run import build_world, environment
from deployments.sandbox.world import Clock, World
from tasks import retrying
from tasks.desk import Desk, Lines, working_at
from tasks.lots import clock, stamp
from tasks.lots.engine import Record
from tasks.lots.models import History, Invoice, Lot
from tasks.lots.records import Effect, Incident, OutboxMessage
from tasks.lots.states import FINAL, LotStatus
from tasks.settings import Settings
from tests.simulation.courier import Courier
from tests.simulation.lines import Exchange, HttpxLine, ResendLine, StripeLine
from tests.simulation.meter import Meter
from tests.simulation.stocking import stock_up

BEGINNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:1"
HOUR, DAY = 3_600.0, 86_400.0
#: Between two cycles of a quiet night, as the deployment has it.
CYCLE_SECONDS = 600.0
HOME = Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", "62701")


class HeldClock(Clock):
    """The sandbox's time and ours: one, and held."""

    def __init__(self) -> None:
        super().__init__(BEGINNING, speed=0.0)
        self.at = BEGINNING

    def now(self) -> datetime:
        """The moment."""
        return self.at


class Rehearsal:
    """The whole pipeline in one process: `source`, `cycle`, `advance`, and what came of it."""

    #: How much later than another call one may reach CJ, of those that were sent in time: the held clock is rounded.
    late_by_seconds = 0.002

    def __init__(self, record: Record, settings: Settings, *, seed: int = 1) -> None:
        self.clock = HeldClock()
        self.world: World = build_world(seed, self.clock, people=False)
        self.world.base_url = BASE_URL
        self.cj.options.min_interval_seconds = 0
        self.exchange = Exchange(self.world, self.advance)
        self.meter = Meter(self.cj.quota, self.clock.now, settings.quota_critical)
        self.exchange.meter = self.meter
        self.record, self.settings = record, settings
        self.desk = self.open_desk()
        self.courier: Courier | None = None
        self.log: list[str] = []
        #: How a step is done, where not plainly, with one try.
        self.how: Callable[..., Any] | None = None
        for name in ("rex", "rita"):  # somebody to bid against
            self.person(name)

    def open_desk(self) -> Desk:
        """A desk as a fresh process would have it: the same record and vendors, nothing remembered."""
        lines = Lines(
            http=lambda: httpx.Client(transport=HttpxLine(self.exchange)),
            stripe=StripeLine(self.exchange),
            resend=ResendLine(self.exchange),
        )
        return Desk(self.settings, self.record, lines)

    @contextmanager
    def running(self, *, with_server: bool = False) -> Iterator[Rehearsal]:
        """Let all steps of this process work here."""
        with (
            retrying.inline(**({"how": self.how} if self.how else {}), with_server=with_server),
            clock.held_by(self.clock.now, self.advance),
            working_at(self.desk),
        ):
            with self.record.write() as session:
                stamp.confirm(session, mode=str(self.settings.mode))
            try:
                yield self
            finally:
                if self.courier:
                    self.courier.close()

    # the outside

    @property
    def cj(self) -> Any:
        """CJ."""
        return self.world.vendors["cj"]

    @property
    def house(self) -> Any:
        """Basta's auction house."""
        basta: Any = self.world.vendors["basta"]
        return basta.house

    @property
    def bank(self) -> Any:
        """Stripe."""
        return self.world.vendors["stripe"]

    @property
    def post(self) -> Any:
        """Resend."""
        return self.world.vendors["resend"]

    @property
    def sink(self) -> Any:
        """The operator's channel."""
        return self.world.vendors["alerts"]

    def person(self, name: str, manner: str = "good", *, address: Address | None = HOME, **more: Any) -> Person:
        """Somebody who bids."""
        who = Person(name, f"{name.title()} Demo", f"{name}@demo.invalid", manner, address, **more)
        return self.world.people.add(who)

    def advance(self, seconds: float) -> None:
        """Let time pass; what falls due happens in its own moment."""
        self._deliver()
        end = self.clock.at + timedelta(seconds=seconds)
        while (due := self.world.next_due()) is not None and due <= end:
            self.clock.at = max(due, self.clock.at)
            self.world.run_due()
            self._deliver()
        self.clock.at = max(end, self.clock.at)

    def _deliver(self) -> None:
        if self.courier and self.world.deliveries:
            self.courier.deliver()

    # the work

    def source(
        self, keyword: str = "phone stand", products: int = 1, max_cost: float = 45, publish: bool = True
    ) -> Any:
        """One sourcing run; the flow's final state."""
        from flows.sourcing import sourcing

        return sourcing.fn(keyword, max_cost, products, publish)

    def cycle(self, sale_id: str | None = None) -> Any:
        """One processing cycle; the flow's final state."""
        from flows.processing import processing

        self._deliver()
        return processing.fn(sale_id)

    def listen(self, mode: str = "normal") -> Courier:
        """Let the vendors' webhooks reach the receiver from now on."""
        self.courier = Courier(self.world, self.record, self.settings)
        self.world.webhook_mode = mode
        self.courier.register(self.desk)
        return self.courier

    def reconcile(self) -> Any:
        """What a night does: a cycle, in its turn, and then a comparison with every vendor; its report."""
        from flows.reconciling import look_and_compare

        return look_and_compare(self.cycle)

    def cycles(self, number: int, apart: float = CYCLE_SECONDS) -> None:
        """Some cycles, with time between them."""
        for _ in range(number):
            self.cycle()
            self.advance(apart)

    def sell(self, *winners: str | None, hammer: str = "above_reserve", keyword: str = "phone stand") -> list[int]:
        """Source as many lots as there are winners, let them be fought over, and close; the lots' ids."""
        for number, winner in enumerate(winners, start=1):
            fall = hammer if winner else "no_bid"
            self.house.plan_lot(winner=winner, hammer=fall, item_number=number, sale_title=keyword)
        state = self.source(keyword, len(winners))
        assert state.is_completed(), state.message
        self.advance(27 * HOUR)
        return [lot.id for lot in self.lots() if lot.keyword == keyword]

    def stock_up(self, lot_id: int, number: int) -> list[int]:
        """Make a lot one of so many alike."""
        return stock_up(self.world, self.record, lot_id, number)

    def until_quiet(self, most: int = 400, apart: float = HOUR) -> int:
        """Cycles until every lot is at an end and nothing waits; how many it took.

        While no lot moves they are further and further apart, half a day at most.
        """
        seen, wait = self.lives(), apart
        for number in range(most):
            self.cycle()
            if self.is_quiet():
                self.cycle()  # and once more: nothing happens twice
                return number + 1
            moved, seen = (lives := self.lives()) != seen, lives
            wait = apart if moved else min(2 * wait, max(apart, DAY / 2))
            self.advance(wait)
        raise AssertionError(f"not quiet after {most} cycles: {self.lives()}")

    def is_quiet(self) -> bool:
        """Whether nothing is left to do."""
        moving = any(lot.status not in FINAL or lot.refund_status in ("PLANNED", "PENDING") for lot in self.lots())
        return not moving and not self.unsettled()

    # what came of it

    def lots(self) -> list[Lot]:
        """All lots, by id."""
        with self.record.read() as session:
            return list(session.scalars(select(Lot).order_by(Lot.id)))

    def lot(self, lot_id: int) -> Lot:
        """One lot, as it is now."""
        with self.record.read() as session:
            return session.get_one(Lot, lot_id)

    def status(self, lot_id: int) -> LotStatus:
        """One lot's status."""
        return self.lot(lot_id).status

    def life(self, lot_id: int) -> list[str]:
        """Every status a lot has had, in order."""
        with self.record.read() as session:
            rows = session.scalars(select(History).where(History.lot_id == lot_id).order_by(History.seq))
            return [row.to for row in rows]

    def lives(self) -> dict[int, list[str]]:
        """Every lot's life."""
        return {lot.id: self.life(lot.id) for lot in self.lots()}

    def invoices(self) -> list[Invoice]:
        """All invoices, by id."""
        with self.record.read() as session:
            return list(session.scalars(select(Invoice).order_by(Invoice.id)))

    def effect(self, key: str) -> Effect:
        """One effect."""
        with self.record.read() as session:
            return session.get_one(Effect, key)

    def unsettled(self) -> list[str]:
        """Effects whose end is not known."""
        settled = ("DONE", "REFUSED", "ADOPTED", "DROPPED")
        with self.record.read() as session:
            return list(session.scalars(select(Effect.key).where(Effect.state.not_in(settled)).order_by(Effect.key)))

    def incidents(self, prefix: str = "", *, closed: bool = False) -> list[Incident]:
        """Incidents that are open, or all of them."""
        with self.record.read() as session:
            rows = session.scalars(select(Incident).order_by(Incident.id))
            return [one for one in rows if one.key.startswith(prefix) and (closed or one.closed_at is None)]

    def events(self, name: str = "") -> list[OutboxMessage]:
        """Messages of the outbox, by their event's name."""
        with self.record.read() as session:
            rows = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
            return [one for one in rows if one.event.startswith(name)]

    def calls(self, vendor: str, operation: str) -> int:
        """How often a vendor was asked this."""
        return sum(call.vendor == vendor and call.operation == operation for call in self.world.calls)

    def mails(self, template: str = "") -> list[Any]:
        """Mails that went out, by the template in their key."""
        return [mail for mail in self.post.mails if mail.key.startswith(f"mail:{template}")]


def rehearsal_settings(*, base_url: str = BASE_URL, **values: Any) -> Settings:
    """Settings as an operator has them, pointed at the sandbox: real durations, as the clock is held."""
    given = {**environment(base_url), "CJ_MIN_INTERVAL_SECONDS": "0", **values}
    return Settings(**{name: str(value) for name, value in given.items()})
