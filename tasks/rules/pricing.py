"""What a lot must fetch: no lot is priced so that the worst case we allow loses money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from tasks.rules.money import percent_bp

ONE = Decimal(1)
BASIS = Decimal(10_000)
#: The dearest tax on a sale anywhere (Hungary's; the United States stay below half of it). Who pays it is not known
#: when a lot is priced, and Stripe takes its share of it too.
HIGHEST_TAX_BP = 2_700


@dataclass(frozen=True)
class Increment:
    """Bids between low and high rise by step; all in cents."""

    low: int
    high: int
    step: int


INCREMENTS: tuple[Increment, ...] = (
    Increment(0, 1_000, 100),
    Increment(1_000, 5_000, 250),
    Increment(5_000, 10_000, 500),
    Increment(10_000, 50_000, 1_000),
)


@dataclass(frozen=True)
class Premium:
    """One bracket of the buyer's premium: basis points, or cents, of hammers above `lower` up to `upper`.

    Basta's rules say that the lower bound is outside the bracket.
    """

    name: str
    percentage: bool
    value: int
    lower_cents: int = 0
    upper_cents: int | None = None

    def of(self, hammer_cents: int) -> int:
        """What it adds to this hammer price, half up."""
        if hammer_cents <= self.lower_cents or (self.upper_cents is not None and hammer_cents > self.upper_cents):
            return 0
        return percent_bp(hammer_cents, self.value) if self.percentage else self.value


@dataclass(frozen=True)
class Terms:
    """What pricing depends on besides the goods."""

    reserve_ratio: Decimal
    starting_ratio: Decimal
    price_rise_limit: Decimal
    stripe_fee_bp: int
    stripe_fee_fixed_cents: int
    premiums: tuple[Premium, ...] = ()
    tax_bp: int = 0


def premium_cents(hammer_cents: int, premiums: Sequence[Premium]) -> int:
    """The buyer's premium on a hammer price."""
    return sum(premium.of(hammer_cents) for premium in premiums)


def step_at(cents: int) -> int:
    """The step of the grid at this price; above the table the last one goes on."""
    return next((one.step for one in INCREMENTS if one.low <= cents < one.high), INCREMENTS[-1].step)


def up_to_grid(cents: int) -> int:
    """The price itself when it lies on the grid, else the next one that does."""
    step = step_at(cents)
    return -(-cents // step) * step


def next_ask(cents: int) -> int:
    """The lowest bid that beats this one."""
    step = step_at(cents)
    return cents // step * step + step


def worst_landed_cents(landed_cents: int, terms: Terms) -> int:
    """The dearest the supplier may become before we refuse to buy, up to the cent."""
    return int((landed_cents * (ONE + terms.price_rise_limit)).to_integral_value(ROUND_CEILING))


def worst_case_profit_cents(hammer_cents: int, landed_cents: int, terms: Terms) -> int:
    """What is left at this hammer price when the supplier rose as far as allowed.

    Tax is owed on, and no income; but Stripe's fee is on the whole that was captured, tax included.
    """
    income = hammer_cents + premium_cents(hammer_cents, terms.premiums)
    captured = income + _share(income, terms.tax_bp)
    fee = _share(captured, terms.stripe_fee_bp)
    return income - fee - terms.stripe_fee_fixed_cents - worst_landed_cents(landed_cents, terms)


def _share(cents: int, basis_points: int) -> int:
    """As large as it may be rounded."""
    return int((cents * Decimal(basis_points) / BASIS).to_integral_value(ROUND_CEILING))


def _may_lose(reserve: int, landed_cents: int, terms: Terms) -> bool:
    """Whether any hammer price from the reserve on loses: just above a bracket of the premium there may be less."""
    above = (one.upper_cents + 1 for one in terms.premiums if one.upper_cents is not None)
    worst = (reserve, *(hammer for hammer in above if hammer > reserve))
    return any(worst_case_profit_cents(hammer, landed_cents, terms) < 0 for hammer in worst)


def reserve_cents(landed_cents: int, terms: Terms) -> int:
    """The reserve: the greater of the wished ratio and the price from which on the worst allowed case breaks even,
    then up the grid.

    Raises:
        ValueError: no landed cost, or a fee that eats everything.
    """
    if landed_cents <= 0:
        raise ValueError(f"a lot cannot be priced from a landed cost of {landed_cents} cents")
    if terms.stripe_fee_bp * (BASIS + terms.tax_bp) >= BASIS * BASIS:
        raise ValueError("a fee of the whole leaves nothing to break even with")
    wished = int((landed_cents * terms.reserve_ratio).to_integral_value(ROUND_CEILING))
    reserve = up_to_grid(wished)
    while _may_lose(reserve, landed_cents, terms):
        reserve = next_ask(reserve)
    return reserve


def starting_bid_cents(reserve: int, terms: Terms) -> int:
    """The first bid asked for: its share of the reserve on the grid, one step at least, the reserve at most."""
    share = int(reserve * terms.starting_ratio)
    return min(max(up_to_grid(share), INCREMENTS[0].step), reserve)


def rose_too_much(*, sourced_cents: int, now_cents: int, limit: Decimal) -> bool:
    """Whether a price rose by more than the limit; exactly the limit is still allowed."""
    return now_cents > sourced_cents * (ONE + limit)
