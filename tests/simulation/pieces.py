"""Pieces of a life: one stretch of it is struck at every point that it has, and played on to its end.

What comes before is played once and never struck; a child is forked at each point, dies there, and is started again
by a fresh process as the deployment would. Small enough for every run of the tests.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from tasks.lots import pauses
from tasks.lots.states import LotStatus
from tests.simulation.crash import Make
from tests.simulation.forking import Explorer, Job, Plain
from tests.simulation.knife import BEFORE, COMMIT, CRASH, Point, Strike
from tests.simulation.play import Play
from tests.simulation.promises import broken
from tests.simulation.rehearsal import CYCLE_SECONDS

MOST_CYCLES = 8

#: They change nothing, though their method says otherwise.
READ_BY_POST = ("POST /logistic/freightCalculate", "POST /shopping/order/getOrderDetailBatch")


def killed_in(make: Make, vendor: str = "") -> list[Plain]:
    """What came of a death at each call of a piece that acts, at all vendors or at one.

    Each is struck before it is sent, after its effect and before its answer, and after the answer and before our
    commit. Deaths at the calls that read, and at all commits, are `python -m tests.simulation crash`.
    """
    return list(Explorer(make, _Deaths(vendor)).results())


class _Deaths:
    """Where to die: told point by point, as they come."""

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._answered: str | None = None

    def __call__(self, point: Point) -> list[Job]:
        answered, self._answered = self._answered, None
        if point.label == f"{BEFORE}{COMMIT}" and answered:
            return [_death("after the answer of", answered)]
        _, call = point.label.split(" ", 1)
        if call == COMMIT or not call.startswith(self._vendor) or not acts(call):
            return []
        self._answered = call if point.call is None else None
        return [_death("before" if point.call else "in", call)]


def _death(when: str, call: str) -> Job:
    return Job(f"killed {when} {call}", CRASH)


def acts(call: str) -> bool:
    """Whether a call changes the outside world: Basta's by their verb, all others by their method."""
    vendor, operation = call.split(" ", 1)
    if vendor == "basta":
        return operation.startswith(("create", "publish", "update", "attach", "cancel", "PUT"))
    return not operation.startswith("GET ") and operation not in READ_BY_POST


def broken_in(results: list[Plain]) -> dict[str, list[str]]:
    """The deaths after which a promise did not hold."""
    return {one["name"]: one["violations"] for one in results if one["violations"]}


def calls_in(results: list[Plain]) -> set[str]:
    """The acting calls after whose effect, and before whose answer, somebody died."""
    names = [one["name"].removeprefix("killed in ") for one in results if one["name"].startswith("killed in ")]
    return set(names)


class Piece(Play):
    """A stretch of a life: `before` is not struck, `stretch` is, and `after` comes to its end in peace."""

    #: Where its lots end.
    goal: frozenset[LotStatus] = frozenset()

    def __init__(self, name: str, strike: Strike | None = None, *, forgetful: bool = False) -> None:
        super().__init__(name, strike=strike)
        self.forgetful = forgetful

    def act(self) -> None:
        """All of it."""
        self.knife.sharp = False
        self.before()
        self.knife.sharp = True
        self.stretch()
        self.knife.sharp = False
        self.after()

    @abstractmethod
    def before(self) -> None:
        """What leads to it."""

    def stretch(self) -> None:
        """What is struck: one cycle, as a rule."""
        self.cycle()

    def after(self) -> None:
        """Until its end is reached, and one cycle more: nothing happens twice."""
        for _ in range(MOST_CYCLES):
            if self.forgetful:
                self.stage.bank.forget_keys()
            self.stage.advance(CYCLE_SECONDS)
            reached = self.reached()
            self.cycle()
            if reached:
                break

    def reached(self) -> bool:
        """Whether nothing is left to do but to see that nothing is done."""
        return {lot.status for lot in self.stage.lots()} == self.goal and not self.stage.unsettled()

    def ended(self) -> list[str]:
        """What broke, the end that was not reached included."""
        ends = [] if self.reached() else [f"{self.stage.lives()}, unsettled {self.stage.unsettled()}"]
        promises = [one for one in broken(self.stage) if not one.startswith("every lot ends")]  # a piece ends before
        return [*promises, *ends, *self.fell, *self.wrong()]

    @abstractmethod
    def wrong(self) -> Iterator[str]:
        """What this piece must show beside all promises."""

    def sold(self, *winners: str) -> list[int]:
        """Lots whose sale is closed."""
        for name in set(winners):
            self.stage.person(name)
        return self.stage.sell(*winners)

    def pause(self) -> None:
        """Buy nothing."""
        with self.record.write() as session:
            pauses.pause(session, "buying")

    def go_on(self) -> None:
        """Buy again."""
        with self.record.write() as session:
            pauses.resume(session, "all")


class Billed(Piece):
    """One buyer's two lots are billed, finalized and paid."""

    goal = frozenset({LotStatus.PAID})

    def __init__(self, strike: Strike | None = None, *, forgetful: bool = False) -> None:
        super().__init__("billed", strike, forgetful=forgetful)

    def before(self) -> None:
        """Two lots are won; buying is paused, and only charging is struck."""
        self.stage.bank.options.customers_on_file = False
        self.sold("ada", "ada")
        self.pause()

    def wrong(self) -> Iterator[str]:
        """One invoice, all lines, one charge of the exact sum."""
        store = self.stage.bank.store
        owed = sum(lot.winning_bid_cents or 0 for lot in self.stage.lots())
        bills = [(row["amount_paid"], len(store.lines[row["id"]])) for row in store.invoices.values()]
        if bills != [(owed, 2)]:
            yield f"billed {bills}, and not {owed} on two lines"
        if [len(paid) for paid in store.payments.values()] != [1] or len(store.customers) != 1:
            yield f"{len(store.payments)} payments, {len(store.customers)} customers"


class Bought(Piece):
    """A paid lot is checked, ordered, confirmed and paid at CJ."""

    goal = frozenset({LotStatus.CJ_PAID})

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__("bought", strike)

    def before(self) -> None:
        """It is paid by its buyer."""
        self.sold("ada")
        self.pause()
        self.cycle()
        self.go_on()

    def wrong(self) -> Iterator[str]:
        """One order, found again by its number, paid once."""
        (lot,) = self.stage.lots()
        found = [(order.number, order.paid_cents) for order in self.stage.cj.orders]
        if found != [(self.record.known_as(f"HS-{lot.id}"), lot.cj_amount_cents)]:
            yield f"orders {found}"


class GivenBack(Piece):
    """One of two lots cannot be had, and its buyer gets its share back."""

    goal = frozenset({LotStatus.CJ_PAID, LotStatus.CANCELLED})

    def __init__(self, strike: Strike | None = None, *, forgetful: bool = False) -> None:
        super().__init__("given back", strike, forgetful=forgetful)

    def before(self) -> None:
        """One is bought, the other found out of stock."""
        _, second = self.sold("ada", "ada")
        self.stage.cj.delist(self.stage.lot(second).cj_vid)
        self.cycle()

    def reached(self) -> bool:
        """Refunded, and the buyer told."""
        return super().reached() and self.stage.lots()[1].refund_status == "SUCCEEDED"

    def wrong(self) -> Iterator[str]:
        """Refunded once, its own share."""
        second = self.stage.lots()[1]
        given = [row["amount"] for row in self.stage.bank.store.refunds.values()]
        due = [second.winning_bid_cents]
        mails = len(self.stage.mails("order_refunded"))
        if (given, mails) != (due, 1):
            yield f"gave back {given} of {due}, {mails} mails"
