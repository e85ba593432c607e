"""Which product, which variant, which keyword."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.rules.selection import Choice, Hit, KeywordEntry, Offer, choose_variant, next_keyword, sources, why_not

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hit", "reason"),
    [
        (Hit("p", 900, 5, True, True), None),
        (Hit("p", None, None, True, True), None),
        (Hit("p", 900, 0, True, True), "no stock"),
        (Hit("p", 5_001, 5, True, True), "too dear"),
        (Hit("p", 900, 5, False, True), "no picture"),
        (Hit("p", 900, 5, True, False), "off sale"),
    ],
    ids=str,
)
def test_the_search_answer_alone_rules_out_what_it_can(hit: Hit, reason: str | None) -> None:
    assert why_not(hit, 5_000) == reason


def test_the_cost_guard_judges_the_variant_bought_never_the_low_end_of_a_range() -> None:
    offers = [Offer("cheap", 900, {"CN": 0}), Offer("dear", 8_900, {"CN": 5})]
    assert choose_variant(offers, max_cost_cents=5_000, ship_to="US", live={}) == "too dear"


def test_the_cheapest_variant_with_free_stock_wins_and_the_buyers_country_comes_first() -> None:
    offers = [Offer("b", 900, {"CN": 9, "US": 2}), Offer("a", 800, {"CN": 1})]
    assert choose_variant(offers, max_cost_cents=5_000, ship_to="US", live={"a": 1}) == Choice("b", 900, "US", 2)
    assert choose_variant(offers, max_cost_cents=5_000, ship_to="US", live={"a": 1, "b": 9}) == "no stock"


@pytest.mark.parametrize(
    ("units", "countries"),
    [
        pytest.param({"CN": 0, "US": 3}, ["US"], id="only the buyer's"),
        pytest.param({"CN": 2, "US": 1, "DE": 4}, ["CN", "US", "DE"], id="as planned first"),
        pytest.param({"CN": 0}, [], id="nowhere"),
        pytest.param({"GB": 1, "DE": 1}, ["DE", "GB"], id="others"),
    ],
)
def test_another_warehouse_serves_when_the_planned_one_is_empty(units: dict[str, int], countries: list[str]) -> None:
    assert sources(units, planned="CN", ship_to="US") == countries


def entry(number: int, priority: int = 0, days: float | None = None, active: bool = True) -> KeywordEntry:
    last = None if days is None else NOW - timedelta(days=days)
    return KeywordEntry(number, f"word {number}", priority, active, last, NOW - timedelta(days=100 - number))


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        pytest.param([entry(1, days=9), entry(2)], 2, id="never sourced first"),
        pytest.param([entry(1), entry(2, priority=1)], 2, id="of those, the highest priority"),
        pytest.param([entry(2), entry(1)], 1, id="then the oldest"),
        pytest.param([entry(1, days=3), entry(2, days=2, priority=1)], 2, id="days weighed by priority"),
        pytest.param([entry(1, days=5), entry(2, days=2, priority=1)], 1, id="waiting outweighs it in the end"),
        pytest.param([entry(1, active=False)], None, id="none is active"),
    ],
)
def test_the_rotation(entries: list[KeywordEntry], chosen: int | None) -> None:
    found = next_keyword(entries, NOW)
    assert (found.id if found else None) == chosen
