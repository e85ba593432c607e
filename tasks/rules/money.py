"""Money: whole cents, parsed strictly, rounded in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d{1,2}))?", re.ASCII)
_RANGE = re.compile(r"\s*(?:--|-)\s*", re.ASCII)


class MoneyError(ValueError):
    """A text is no amount of money that we understand."""

    def __init__(self, text: object) -> None:
        self.text = text
        super().__init__(f"{text!r} is not an amount of money")


def parse_cents(text: str) -> int:
    """The cents of "$1,234.50", ".99", "-$3.10", "(4.00)", "USD 7.5" or "12".

    Raises:
        MoneyError: anything else, above all what could be read two ways ("1.234,50", "$1.005", "1e3").
    """
    bare = text.strip()
    negative = bare.startswith("(") and bare.endswith(")")
    if negative:
        bare = bare[1:-1].strip()
    if bare.startswith("-"):
        if negative:
            raise MoneyError(text)
        negative, bare = True, bare[1:].strip()
    bare = bare.removeprefix("USD").strip().removeprefix("$").strip()
    found = _NUMBER.fullmatch(bare)
    if not found or not (found[1] or found[2]):
        raise MoneyError(text)
    cents = int((found[1] or "0").replace(",", "")) * 100 + int((found[2] or "").ljust(2, "0"))
    return -cents if negative else cents


def decimal_cents(amount: Decimal) -> int:
    """A vendor's decimal dollars in cents, half up.

    Raises:
        MoneyError: not a finite number.
    """
    if not amount.is_finite():
        raise MoneyError(amount)
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def cents_of(value: object) -> int:
    """The cents of a JSON value: a Decimal, an int (dollars) or a text. Floats are refused.

    Raises:
        MoneyError: no amount.
    """
    if isinstance(value, bool | float):
        raise MoneyError(value)
    if isinstance(value, Decimal):
        return decimal_cents(value)
    if isinstance(value, int):
        return value * 100
    if isinstance(value, str):
        return parse_cents(value)
    raise MoneyError(value)


def parse_price_range(text: str) -> tuple[int, int]:
    """Low and high cents of "8.70", "8.70 -- 10.19", "1.55-3.35" or "8.62 - 34.52".

    Raises:
        MoneyError: no price, or the high end below the low.
    """
    parts = _RANGE.split(text.strip())
    if len(parts) not in (1, 2):
        raise MoneyError(text)
    low, high = parse_cents(parts[0]), parse_cents(parts[-1])
    if low < 0 or high < low:
        raise MoneyError(text)
    return low, high


def percent_bp(cents: int, basis_points: int) -> int:
    """A share of an amount in basis points (500 is 5 %), half up."""
    return decimal_cents(Decimal(cents) * basis_points / Decimal(1_000_000))


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Split an amount over weights by largest remainder: the parts add up to the whole, to the cent.

    Raises:
        ValueError: no weight at all, or a negative one.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("an amount can only be split over weights that add up to more than nothing")
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts


def dollars(cents: int) -> str:
    """For people: "$1,234.50"."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"
