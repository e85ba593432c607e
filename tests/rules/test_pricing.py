"""No lot is priced so that the worst case we allow loses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rules.pricing import (
    HIGHEST_TAX_BP,
    INCREMENTS,
    Premium,
    Terms,
    next_ask,
    premium_cents,
    reserve_cents,
    rose_too_much,
    starting_bid_cents,
    step_at,
    up_to_grid,
    worst_case_profit_cents,
)

USUAL = Terms(Decimal("1.30"), Decimal("0.50"), Decimal("0.20"), 290, 30)
TERMS = st.builds(
    Terms,
    reserve_ratio=st.just(Decimal(1)) | st.decimals(1, 3, places=2),
    starting_ratio=st.decimals("0.01", 1, places=2),
    price_rise_limit=st.decimals(0, 1, places=2),
    stripe_fee_bp=st.integers(0, 1_000),
    stripe_fee_fixed_cents=st.integers(0, 100),
    premiums=st.lists(
        st.builds(
            Premium,
            st.just("p"),
            st.booleans(),
            st.integers(0, 2_500),
            lower_cents=st.integers(0, 100),
            upper_cents=st.none() | st.integers(100, 8_000),
        ),
        max_size=2,
    ).map(tuple),
    tax_bp=st.just(0) | st.just(HIGHEST_TAX_BP),
)


def left(hammer: int, supplier: Fraction, tax: Fraction, terms: Terms) -> Fraction:
    """What a sale leaves, reckoned in fractions and not as the rule does it; each rounding costs a cent at most."""
    income = hammer + sum(one.of(hammer) for one in terms.premiums)
    return income - income * (1 + tax) * Fraction(terms.stripe_fee_bp, 10_000) - terms.stripe_fee_fixed_cents - supplier


@settings(max_examples=300, deadline=None)
@given(
    landed=st.integers(1, 5_000) | st.integers(1, 50_000), terms=TERMS, above=st.integers(0, 100_000), data=st.data()
)
def test_no_lot_loses_at_any_hammer_price_any_tax_and_any_price_the_supplier_may_ask(
    landed: int, terms: Terms, above: int, data: st.DataObject
) -> None:
    reserve = reserve_cents(landed, terms)
    tax = Fraction(data.draw(st.sampled_from([0, terms.tax_bp]) | st.integers(0, terms.tax_bp)), 10_000)
    supplier = landed * (1 + Fraction(terms.price_rise_limit))
    edges = [one.upper_cents + 1 for one in terms.premiums if one.upper_cents and one.upper_cents >= reserve]
    for hammer in (reserve, reserve + above, *edges):
        assert left(hammer, supplier, tax, terms) >= 0
        assert worst_case_profit_cents(hammer, landed, terms) >= 0


@settings(max_examples=100, deadline=None)
@given(landed=st.integers(1, 50_000), terms=TERMS)
def test_the_reserve_is_the_wished_ratio_at_least_and_on_the_grid(landed: int, terms: Terms) -> None:
    reserve = reserve_cents(landed, terms)
    assert reserve >= landed * terms.reserve_ratio
    assert reserve == up_to_grid(reserve)
    assert 0 < starting_bid_cents(reserve, terms) <= reserve


def test_stripe_takes_its_share_of_the_tax_too() -> None:
    bare = replace(USUAL, reserve_ratio=Decimal(1))
    assert worst_case_profit_cents(1_250, 985, bare) == 1
    assert worst_case_profit_cents(1_250, 985, replace(bare, tax_bp=HIGHEST_TAX_BP)) == -9
    assert reserve_cents(985, bare) == 1_250
    assert reserve_cents(985, replace(bare, tax_bp=HIGHEST_TAX_BP)) == 1_500


def test_a_fee_that_ends_at_a_bracket_is_not_counted_on_above_it() -> None:
    flat = replace(USUAL, premiums=(Premium("small lots", False, 1_000, 0, 2_500),))
    assert worst_case_profit_cents(2_500, 2_500, flat) > 0 > worst_case_profit_cents(2_750, 2_500, flat)
    assert worst_case_profit_cents(reserve_cents(2_500, flat), 2_500, flat) >= 0
    assert reserve_cents(1_900, flat) == 2_500  # where even what is just above the bracket suffices


@pytest.mark.parametrize(
    ("landed", "reserve"),
    [pytest.param(1_000, 1_500, id="ten dollars"), pytest.param(100, 200, id="a dollar: the fixed fee decides")],
)
def test_usual_terms(landed: int, reserve: int) -> None:
    assert reserve_cents(landed, USUAL) == reserve


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(0, 100), (900, 1_000), (1_000, 1_250), (1_330, 1_500), (4_999, 5_000), (5_000, 5_500), (50_000, 51_000)],
)
def test_the_next_ask_snaps_to_the_grid(bid: int, ask: int) -> None:
    assert next_ask(bid) == ask


def test_the_increment_table_is_what_basta_takes() -> None:
    assert INCREMENTS[0].low == 0
    for lower, upper in pairwise(INCREMENTS):
        assert lower.high == upper.low
    assert all(one.low % one.step == 0 and one.high % one.step == 0 for one in INCREMENTS)
    assert step_at(10_000_000) == INCREMENTS[-1].step


def test_a_bracket_is_open_below_and_closed_above() -> None:
    fees = (Premium("low", True, 500, 0, 1_000), Premium("high", True, 1_000, 1_000, None))
    assert [premium_cents(cents, fees) for cents in (1_000, 1_001)] == [50, 100]


def test_exactly_the_limit_is_still_allowed() -> None:
    assert not rose_too_much(sourced_cents=1_000, now_cents=1_200, limit=Decimal("0.20"))
    assert rose_too_much(sourced_cents=1_000, now_cents=1_201, limit=Decimal("0.20"))
