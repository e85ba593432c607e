"""A shop's days as it is deployed: a cycle every ten minutes, ten lots sourced a day, the books compared by night.

Every lot is won by a buyer of its own, and each pays at another hour: that costs CJ's account the most calls, as no two
purchases share a reading of orders.
"""

from __future__ import annotations

from collections import Counter

from deployments.sandbox.cj.texts import KINDS
from tests.simulation.rehearsal import CYCLE_SECONDS, DAY, HOUR, Rehearsal

#: Ticks of ten minutes after 06:00, when a day begins here: 08:00 and 08:30, and 03:30.
SOURCED_AT, COMPARED_AT = (12, 15), 129
TICKS = int(DAY / CYCLE_SECONDS)
A_RUN = 5


class Shop:
    """One that has been told nothing by webhooks, and whose parcels leave after two days and arrive after nine."""

    def __init__(self, stage: Rehearsal) -> None:
        self.stage, self._words = stage, 0
        stage.world.webhook_mode = "lost"
        stage.cj.options.ship_after_seconds, stage.cj.options.deliver_after_seconds = 2 * DAY, 9 * DAY
        stage.cj.set_balance(10**8)
        for number in range(len(SOURCED_AT) * A_RUN):
            stage.person(f"buyer{number}", "no_card", pays_after=(0.4 + 1.9 * number) * HOUR)

    def source(self, run: int) -> None:
        """The day's first or second run: five lots, each won by somebody else."""
        for _ in KINDS:
            word = KINDS[self._words % len(KINDS)].keyword
            self._words += 1
            house = self.stage.house
            house.plans[:] = [plan for plan in house.plans if plan["sale_title"] != word]
            for place in range(A_RUN):
                winner = f"buyer{run * A_RUN + place}"
                house.plan_lot(winner=winner, hammer="above_reserve", item_number=place + 1, sale_title=word)
            if self.stage.source(word, A_RUN).is_completed():
                return
        raise RuntimeError("nothing is left to be sourced")

    def day(self, *, sourced: bool = True) -> Counter[str]:
        """From 06:00 to 06:00; the calls that CJ counted meanwhile, by endpoint."""
        stage, before = self.stage, Counter(self.stage.cj.quota.requested)
        for tick in range(TICKS):
            if sourced and tick in SOURCED_AT:
                self.source(SOURCED_AT.index(tick))
            if tick == COMPARED_AT:
                report = stage.reconcile()
                assert report.clean, report
            else:
                stage.cycle()
            stage.advance(CYCLE_SECONDS)
        return Counter(stage.cj.quota.requested) - before
