"""Who is in the play, and what the supplier does meanwhile: one of everything an operator will meet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots.models import Lot

KEYWORDS = ("phone stand", "bluetooth speaker", "desk lamp")
COUNTRIES = ("CN", "US")

#: (keyword, item) -> who wins it, and how high the hammer falls.
PLAN: dict[tuple[str, int], tuple[str | None, str]] = {
    (KEYWORDS[0], 1): ("ada", "above_reserve"),  # two lots on one invoice:
    (KEYWORDS[0], 2): ("ada", "above_reserve"),  # ... this one goes out of stock
    (KEYWORDS[0], 3): ("ben", "above_reserve"),
    (KEYWORDS[0], 4): (None, "below_reserve"),
    (KEYWORDS[0], 5): ("cleo", "above_reserve"),  # declined, then pays by hand
    (KEYWORDS[1], 1): ("dov", "above_reserve"),  # its price rises
    (KEYWORDS[1], 2): ("edda", "above_reserve"),  # never pays
    (KEYWORDS[1], 3): ("ben", "above_reserve"),
    (KEYWORDS[2], 1): ("finn", "above_reserve"),  # must confirm with the bank
    (KEYWORDS[2], 2): (None, "no_bid"),
    (KEYWORDS[2], 3): ("ada", "above_reserve"),
}
MANNERS = {"ada": "good", "ben": "good", "cleo": "recovers", "dov": "good", "edda": "ignores", "finn": "secure"}
OUT_OF_STOCK, DEARER = (KEYWORDS[0], 2), (KEYWORDS[1], 1)


def introduce(world: World) -> None:
    """Bring the people and their plans into the world."""
    house: Any = world.vendors["basta"]
    for number, (name, manner) in enumerate(MANNERS.items()):
        where = Address(f"{name.title()} Demo", f"{10 + number} Orchard Row", "Springfield", "IL", "62701")
        world.people.add(Person(name, f"{name.title()} Demo", f"{name}@demo.invalid", manner, where, pays_after=5.0))
    for (keyword, item), (winner, hammer) in PLAN.items():
        house.house.plan_lot(winner=winner, hammer=hammer, item_number=item, sale_title=keyword)


def trouble(world: World, keyword: str) -> None:
    """While a sale runs, the supplier sells out of one variant, and raises the price of another."""
    cj: Any = world.vendors["cj"]
    with desk().record.read() as session:
        lots = {
            (lot.keyword, lot.item_number): (lot.cj_vid, lot.goods_cents)
            for lot in session.scalars(select(Lot).where(Lot.keyword == keyword))
        }
    if OUT_OF_STOCK in lots:
        for country in COUNTRIES:
            cj.set_stock(lots[OUT_OF_STOCK][0], country, 0)
    if DEARER in lots:
        vid, cents = lots[DEARER]
        cj.set_price(vid, cents * 13 // 10)
