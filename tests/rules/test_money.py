"""Money is parsed strictly, and split to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.rules.money import MoneyError, cents_of, dollars, parse_cents, parse_price_range, percent_bp, split


@pytest.mark.parametrize(
    ("text", "cents"),
    [("$1,234.50", 123_450), (".99", 99), ("-$3.10", -310), ("(4.00)", -400), ("USD 7.5", 750), ("12", 1_200)],
)
def test_amounts_that_can_be_read_in_one_way(text: str, cents: int) -> None:
    assert parse_cents(text) == cents


@pytest.mark.parametrize(
    "text", ["1,23.00", "$1.005", "1e3", "1.234,50", "", "٣.50", "nan", "--3", "1 2", "(-4.00)", "."]
)
def test_all_others_are_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_cents(text)


@pytest.mark.parametrize("value", [1.5, True, None, []])
def test_a_float_is_no_money(value: object) -> None:
    with pytest.raises(MoneyError):
        cents_of(value)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("8.70", (870, 870)),
        ("8.70 -- 10.19", (870, 1_019)),
        ("1.55-3.35", (155, 335)),
        ("8.62 - 34.52", (862, 3_452)),
        ("1.3 -- 8.35", (130, 835)),
    ],
)
def test_price_ranges_in_all_their_spellings(text: str, ends: tuple[int, int]) -> None:
    assert parse_price_range(text) == ends


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_always_add_up_to_the_whole(total: int, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - Decimal(total) * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True)
    )


def test_shares_are_rounded_half_up() -> None:
    assert [percent_bp(cents, 50) for cents in (99, 100, 300)] == [0, 1, 2]
    assert dollars(-123_456) == "-$1,234.56"
