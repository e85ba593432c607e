"""L4, L5, L6: what is chosen, from what is really there, within what CJ still allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployments.sandbox.faults import Fault
from tasks.lots import cj_calls, incidents, keywords
from tasks.lots.incidents import Trouble
from tasks.sourcing import choose
from tests.simulation.rehearsal import DAY, Rehearsal


def test_the_cost_guard_judges_the_variant_that_is_bought_landed(stage: Rehearsal) -> None:
    """L4, over the whole catalogue's ranges."""
    ranges = [one for one in stage.cj.catalogue.products if len({v.price_cents for v in one.variants}) > 1]
    assert ranges
    for keyword in ("phone stand", "desk lamp", "bluetooth speaker"):
        stage.source(keyword, products=5, max_cost=12)
        stage.advance(DAY)
    lots = stage.lots()
    assert lots
    for lot in lots:
        assert lot.landed_cents == lot.goods_cents + lot.freight_cents <= 1_200
        variant = next(
            one for product in stage.cj.catalogue.products for one in product.variants if one.vid == lot.cj_vid
        )
        assert lot.goods_cents == variant.price_cents


def test_a_product_of_9_to_89_dollars_is_judged_by_the_variant_that_can_be_had(stage: Rehearsal) -> None:
    """L4: the search shows its low end, and says nothing of what is in stock."""
    (product,) = (
        one for one in stage.cj.catalogue.products if one.oddity == "accessory" and one.kind.keyword == "desk lamp"
    )
    assert product.search_price == "9.00 -- 89.00"
    cheap = choose(product.pid, 5_000)
    assert isinstance(cheap, dict)
    assert (cheap["goods_cents"], cheap["landed_cents"] <= 5_000) == (900, True)
    for variant in product.variants:
        if variant.price_cents != 8_900:
            stage.cj.delist(variant.vid)
    assert choose(product.pid, 5_000) == "too dear"


def test_the_same_keyword_the_next_day_lists_no_variant_beyond_its_stock(stage: Rehearsal) -> None:
    """L5."""
    assert stage.source(products=3).is_completed()
    first = {lot.cj_vid for lot in stage.lots()}
    for vid in first:
        for country in ("CN", "US"):
            stage.cj.set_stock(vid, country, 0)
        stage.cj.set_stock(vid, "CN", 1)
    stage.advance(DAY)
    assert stage.source(products=3).is_completed()
    second = [lot.cj_vid for lot in stage.lots()][3:]
    assert len(second) == 3
    assert not first & set(second)


class TestQuota:
    """L6."""

    @pytest.fixture
    def left(self, stage: Rehearsal) -> Callable[[int], Rehearsal]:
        def leave(calls: int) -> Rehearsal:
            stage.cj.options.quota = "counts"
            stage.cj.options.quota_limits = {"/product/listV2": calls}
            return stage

        return leave

    def test_150_warns_and_goes_on(self, left: Callable[[int], Rehearsal]) -> None:
        stage = left(150)
        assert stage.source().is_completed()
        (incident,) = stage.incidents("quota:")
        assert incident.severity == "WARNING"

    @pytest.mark.parametrize("calls", [90, 0])
    def test_below_100_stops_before_anything_is_searched(self, left: Callable[[int], Rehearsal], calls: int) -> None:
        stage = left(calls)
        state = stage.source()
        assert (state.name, state.is_completed()) == ("Stopped", False)
        assert "sourcing stops" in state.message
        assert stage.calls("cj", "GET /product/listV2") == 0
        assert stage.lots() == []
        (incident,) = stage.incidents("quota:")
        assert incident.severity == "CRITICAL"
        assert any("sourcing" in post.text.lower() for post in stage.sink.posts)

    def test_an_unknown_quota_warns_and_goes_on(self, stage: Rehearsal) -> None:
        stage.world.faults.plan(Fault("cj", "GET /setting/get", "500_before", times=9))
        assert stage.source().is_completed()
        (incident,) = stage.incidents("quota:")
        assert (incident.key, incident.severity) == ("quota:unknown", "WARNING")

    def test_an_account_that_tells_nothing_is_held_to_our_own_count(self, stage: Rehearsal) -> None:
        stage.cj.options.quota = "silent"
        assert stage.source().is_completed()
        with stage.record.read() as session:
            told = {one.endpoint: one for one in cj_calls.allowances(session)}
        assert told["/product/listV2"].regime == "own count"
        assert told["/product/listV2"].allowed == 999


def test_zero_lots_is_no_success(stage: Rehearsal) -> None:
    state = stage.source("a word nobody sells by", products=2)
    assert state.is_failed()
    assert "zero lots" in state.message
    assert stage.house.sales == {}
    (incident,) = stage.incidents("sourcing:")
    assert (incident.severity, incident.title) == ("MEDIUM", "Sourcing listed nothing")
    assert stage.source().is_completed()
    assert stage.incidents("sourcing:") == []


def test_at_most_two_calls_a_listed_product_and_two_a_run(stage: Rehearsal) -> None:
    state = stage.source(products=5)
    made = [call for call in stage.world.calls if call.vendor == "cj" and "authentication" not in call.operation]
    lots = len(state.result().lots)
    assert len(made) <= 2 * lots + 2, [call.operation for call in made]


@pytest.mark.parametrize(
    "cut", ["\ud83d", "\udc4d \x00", "👍\ud83d"], ids=["its first half", "its second, and NUL", "one is whole"]
)
def test_a_text_that_was_cut_within_an_emoji_stops_nothing(stage: Rehearsal, cut: str) -> None:
    """CJ's suppliers and Basta's bidders write as they like, and somebody cuts it by its length."""
    stage.cj.catalogue.rename(lambda product: product.name + cut)
    stage.person("ada").name = f"Ada {cut}"
    (lot,) = stage.sell("ada")
    stage.cycle()
    assert stage.status(lot) == "CJ_PAID"
    with stage.record.write() as session:
        text = stage.lot(lot).title
        incidents.report(session, Trouble("books:x", "books", "HIGH", f"Lot {lot}: {text}", text, "pipeline status"))
    stage.cycle()
    (post,) = stage.sink.posts
    assert "?" in post.text
    assert ("👍" in post.text) is ("👍" in cut)


def test_a_rotation_without_an_active_word_is_said_with_what_to_type_and_nothing_is_searched(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        resting = keywords.add(session, "phone stand", 4_500).id
        keywords.switch(session, resting, on=False)
    state = stage.source(None)
    what_to_type = "No active keyword is in the rotation: add one with pipeline keywords add."
    assert (state.name, state.message, state.is_failed()) == ("Stopped", what_to_type, False)
    assert stage.calls("cj", "GET /product/listV2") == 0
    (told,) = stage.incidents()
    assert (told.alert, told.severity, told.text) == ("sourcing", "MEDIUM", what_to_type)
    with stage.record.write() as session:
        keywords.switch(session, resting, on=True)
    assert stage.source(None).is_completed()
    assert [lot.keyword for lot in stage.lots()] == ["phone stand"]
    assert stage.incidents() == []
