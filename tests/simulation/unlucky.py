"""An unlucky life: what `Scripted` never meets. One lot has no picture, one order is too dear, the purse is empty.

So an item leaves its sale, an order is deleted, Stripe is told for its tax where a buyer lives, and the operator is
told of what holds a lot: the calls by which all that is done are struck as any others are.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from tasks.lots.models import Lot
from tests.simulation.knife import Strike
from tests.simulation.play import Play
from tests.simulation.rehearsal import HOUR

#: What a supplier's address serves no picture under.
DEAD_PICTURE = "dead-picture.jpg"
#: For some hours the purse has too little for the first lot; then orders cost far more than was quoted.
SHORT_CENTS, DEARER_CENTS = 100, 100_000


class Unlucky(Play):
    """Two buyers, three lots: delivered after a top-up, ordered and too dear, never shown. Stripe adds tax."""

    def __init__(self, strike: Strike | None = None) -> None:
        super().__init__("unlucky", strike=strike, AUTOMATIC_TAX="true")
        options = self.stage.cj.options
        options.ship_after_seconds = options.deliver_after_seconds = 2 * HOUR

    def act(self) -> None:
        """Source, close, and process to the end."""
        stage = self.stage
        for number, (name, pays_after) in enumerate((("ada", HOUR), ("dov", 9 * HOUR)), start=1):
            stage.person(name, "no_card", pays_after=pays_after)
            stage.house.plan_lot(winner=name, hammer="above_reserve", item_number=number)
        stage.exchange.before = self._losing_pictures(stage.exchange.before)
        self.source("phone stand", 3)
        stage.advance(27 * HOUR)
        had = stage.cj.purse.balance_cents
        stage.cj.set_balance(SHORT_CENTS)
        stage.world.after(5 * HOUR, lambda: stage.cj.top_up(had - SHORT_CENTS), "top up")
        stage.world.after(8 * HOUR, self._make_dear, "dearer")
        self.until_quiet()

    def _make_dear(self) -> None:
        self.stage.cj.options.order_surcharge_cents = DEARER_CENTS

    def _losing_pictures(self, before: Callable[[str], None]) -> Callable[[str], None]:
        """When the first picture is fetched, those of the third lot are gone."""

        def lose(label: str) -> None:
            if label == "images GET picture":
                with self.record.quietly() as session:
                    for lot in session.scalars(select(Lot).where(Lot.item_number == 3)):
                        lot.image_urls = [f"{url.rsplit('/', 1)[0]}/{DEAD_PICTURE}" for url in lot.image_urls]
            before(label)

        return lose
