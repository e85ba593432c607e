"""Every parser meets every payload seen in the wild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.clients.cj import reading
from tasks.clients.cj.envelope import failure
from tasks.clients.cj.parsing import loads
from tasks.clients.service import QuotaExhausted, ServiceUnavailable

RECORDED = Path(__file__).parents[1] / "fixtures" / "recorded" / "cj"


def files(pattern: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted(RECORDED.glob(pattern))]


def body(path: Path) -> Any:
    return loads(path.read_bytes())


@pytest.mark.parametrize("path", files("product-list*.json"))
def test_every_search_page_gives_products_with_ids_names_and_prices_in_order(path: Path) -> None:
    page = reading.search_page(body(path)["data"])
    assert page.found
    for found in page.found:
        assert found.pid
        assert found.name == " ".join(found.name.split())
        assert found.price_low_cents is not None
        assert found.price_high_cents is not None
        assert 0 < found.price_low_cents <= found.price_high_cents


@pytest.mark.parametrize("path", files("product-query*.json"))
def test_every_product_gives_variants_with_prices_and_a_plain_description(path: Path) -> None:
    product = reading.product(body(path)["data"])
    assert product.pid
    assert product.variants
    assert all(variant.vid and variant.price_cents and variant.price_cents > 0 for variant in product.variants)
    assert not any(tag in product.description.lower() for tag in ("<p", "<img", "<div", "</", "&nbsp;", "&amp;"))
    assert len(set(product.images)) == len(product.images)
    assert all(url.startswith("https://") for url in product.images)


@pytest.mark.parametrize("path", files("stock-queryByVid*.json"))
def test_every_stock_answer_gives_units_by_country(path: Path) -> None:
    stock = reading.stocks(body(path)["data"])
    assert stock
    assert all(one.country and one.total == one.cj + one.factory for one in stock)


@pytest.mark.parametrize("path", files("freight*.json"))
def test_every_freight_answer_gives_priced_options_with_names_to_the_letter(path: Path) -> None:
    answer = body(path)
    options = reading.freights(answer["data"])
    assert [one.name for one in options] == [row["logisticName"] for row in answer["data"]]
    assert all(one.cost_cents > 0 and (one.days_low or 0) <= (one.days_high or 0) for one in options)


def test_the_official_samples_are_read_too() -> None:
    sample = body(RECORDED / "official-sample-getInventoryByPid.json")
    assert reading.product_stock(sample["data"])
    options = reading.freights(body(RECORDED / "official-sample-freightCalculate.json")["data"])
    assert all(one.cost_cents > 0 for one in options)
    assert reading.tracks(body(RECORDED / "official-sample-trackInfo.json")["data"])
    created = body(RECORDED / "official-sample-createOrderV2.json")["data"]
    assert reading.maybe_price(created["orderAmount"]) is None  # an empty text is "not known yet", never nothing
    assert reading.product_stock(body(RECORDED / "stock-getInventoryByPid-1665261893595959296.json")["data"]) == {}


def test_both_webhook_samples_are_read_with_ids_as_texts() -> None:
    from tasks.clients.cj.webhooks import parse

    order = parse((RECORDED / "official-sample-webhook-order.json").read_bytes())
    parcel = parse((RECORDED / "official-sample-webhook-logistic.json").read_bytes())
    assert (order.type, parcel.type) == ("ORDER", "LOGISTIC")
    assert isinstance(order.order_id, str)
    assert isinstance(parcel.order_id, str)
    assert parcel.order_id.isdigit()


@pytest.mark.parametrize("path", files("*error*.json"))
def test_every_recorded_error_is_one_of_ours(path: Path) -> None:
    told = body(path)
    error = failure("any", 200, told.get("code"), str(told.get("message")), "")
    if "1600200" in path.name:
        assert isinstance(error, ServiceUnavailable)
        assert error.executed is False
    if "16900500" in path.name:
        assert isinstance(error, QuotaExhausted)


def test_price_texts_side_by_side_are_the_same_product_in_two_spellings() -> None:
    for name in ("price-strings-side-by-side.json", "price-strings-side-by-side-b.json"):
        texts = [text for text in _prices(body(RECORDED / name)) if text]
        assert texts
        for text in texts:
            low, high = reading.maybe_range(text)
            assert low is not None, text
            assert high is not None
            assert 0 < low <= high


def _prices(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value[key] for key in value if "price" in key.lower() and isinstance(value[key], str)]
        return own + [found for one in value.values() for found in _prices(one)]
    if isinstance(value, list):
        return [found for one in value for found in _prices(one)]
    return []
