"""Bugs in the comparison of the books: what it calls clean, and where it cries wolf."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.attended import Compared
from tests.simulation.knife import Point
from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.play import Result


@dataclass(frozen=True)
class InTheMidst:
    """A sale is compared while it is billed and bought, and one of these calls, the seed says which, meets a fault."""

    name: str
    aim: str
    kind: str

    def run(self, seed: int) -> Result:
        """One seed, in this process."""
        left = seed

        def strike(point: Point) -> str | None:
            nonlocal left
            left -= point.call == self.aim
            if left or point.call != self.aim:
                return None
            left -= 1
            return self.kind

        return Compared(strike).run()


MUTANTS = (
    Mutant(
        "unread-is-clean",
        "a night that could not read a vendor calls the books clean",
        (Cut("tasks.reconciling.finding:Report.clean", "self.findings or self.unread or", "self.findings or"),),
        InTheMidst("Stripe does not list its movements", "stripe GET /v1/balance_transactions", "500_before"),
    ),
    Mutant(
        "young-is-a-difference",
        "an effect that was begun a minute ago, and not answered, is told as a difference",
        (Cut("tasks.reconciling.here:_long_unknown", "now() - LONG_UNKNOWN", "now()"),),
        InTheMidst("an order is not answered", "cj POST /shopping/order/createOrderV2", "timeout_before"),
    ),
)
