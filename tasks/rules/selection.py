"""Which products become lots, which variant is bought, and which keyword is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

#: How many products one run lists at most, whatever the settings say: each takes calls that CJ counts.
MOST_PRODUCTS = 5
#: What one product may cost at most, even when a person says yes; a slip of the finger ends here.
MOST_COST_CENTS = 1_000_000
#: Nearer first: a parcel from the buyer's own country is days faster.
HOME = "CN"


@dataclass(frozen=True)
class Hit:
    """A product as the search shows it; None where it does not tell."""

    pid: str
    price_low_cents: int | None
    stock: int | None
    has_image: bool
    on_sale: bool


@dataclass(frozen=True)
class Offer:
    """A variant that could be bought: price, and units by country."""

    vid: str
    price_cents: int | None
    units: Mapping[str, int]


@dataclass(frozen=True)
class Choice:
    """The variant to buy, and from where."""

    vid: str
    price_cents: int
    from_country: str
    units: int


def why_not(hit: Hit, max_cost_cents: int) -> str | None:
    """Why the search answer alone rules a product out; None when it must be looked at."""
    if not hit.on_sale:
        return "off sale"
    if hit.stock is not None and hit.stock <= 0:
        return "no stock"
    if hit.price_low_cents is not None and hit.price_low_cents > max_cost_cents:
        return "too dear"
    if not hit.has_image:
        return "no picture"
    return None


def choose_variant(
    offers: Sequence[Offer], *, max_cost_cents: int, ship_to: str, live: Mapping[str, int]
) -> Choice | str:
    """The cheapest variant that is in stock beyond the lots that sell it already, or why there is none.

    The cost guard is on this variant, never on the low end of a range; freight comes on top of it later.
    """
    reason = "no variant"
    choices = []
    for offer in offers:
        if offer.price_cents is None or offer.price_cents <= 0:
            reason = "no price"
            continue
        free = {
            country: units - live.get(offer.vid, 0)
            for country, units in offer.units.items()
            if units > live.get(offer.vid, 0)
        }
        if not free:
            reason = "no stock"
            continue
        country = next((one for one in (ship_to, HOME) if one in free), max(free, key=lambda one: free[one]))
        choices.append(Choice(offer.vid, offer.price_cents, country, free[country]))
    if not choices:
        return reason
    cheapest = min(choices, key=lambda one: (one.price_cents, one.vid))
    return cheapest if cheapest.price_cents <= max_cost_cents else "too dear"


def sources(units: Mapping[str, int], *, planned: str, ship_to: str) -> list[str]:
    """From where a variant can be sent now, the best first: as planned, from the buyer's country, from home."""
    have = [country for country, number in units.items() if number > 0]
    first = dict.fromkeys(one for one in (planned, ship_to, HOME) if one in have)
    return [*first, *(one for one in sorted(have) if one not in first)]


@dataclass(frozen=True)
class KeywordEntry:
    """One word of the rotation."""

    id: int
    keyword: str
    priority: int
    active: bool
    last_sourced_at: datetime | None
    created_at: datetime


def next_keyword(entries: Sequence[KeywordEntry], now: datetime) -> KeywordEntry | None:
    """The word to source next: never sourced first (priority, then age), then the longest unsourced, weighed."""
    active = [one for one in entries if one.active]
    fresh = [one for one in active if one.last_sourced_at is None]
    if fresh:
        return min(fresh, key=lambda one: (-one.priority, one.created_at, one.id))

    def weight(one: KeywordEntry) -> float:
        assert one.last_sourced_at is not None
        return (now - one.last_sourced_at).total_seconds() * (1 + one.priority)

    return max(active, key=lambda one: (weight(one), -one.id), default=None)
