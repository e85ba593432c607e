"""Every payload seen in the wild goes in at the client's door, and comes out as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from tasks.clients.cj import Cj, NewOrder, reading
from tasks.clients.cj.parsing import loads
from tasks.clients.cj.webhooks import parse
from tasks.clients.service import QuotaExhausted, ServiceRefused, ServiceUnavailable
from tests.clients.conftest import URL

RECORDED = Path(__file__).parents[1] / "fixtures" / "recorded" / "cj"
NEW = NewOrder(
    number="HS-1", vid="V", logistic_name="P", from_country="CN", country="US", country_name="US", province="IL",
    city="S", line1="1 Road", zip_code="1", name="A", phone="1",
)  # fmt: skip

SEARCHES, PRODUCTS, FREIGHTS = "product-list*.json", "product-query*.json", "freight*.json"
STOCKS_OF_ONE, STOCKS = "stock-queryByVid*.json", "*getInventoryByPid*.json"
QUOTE, TRACK, CREATED = (
    "official-sample-freightCalculate",
    "official-sample-trackInfo",
    "official-sample-createOrderV2",
)
#: What came of each recorded refusal: its HTTP status then, what it is for us, and whether CJ did anything.
ERRORS: dict[str, tuple[int, type[Exception], bool | None]] = {
    "error-1600200-http429": (429, ServiceUnavailable, False),
    "error-16900500-two-fields": (200, QuotaExhausted, False),
    "error-text-one-ip-limit": (200, ServiceUnavailable, None),  # words alone prove nothing, success least of all
    "official-sample-error-1600100": (200, ServiceRefused, None),
}
WEBHOOKS = ("official-sample-webhook-order", "official-sample-webhook-logistic")
#: No answers of CJ's, but the same product's price in two spellings.
SPELLINGS = ("price-strings-side-by-side", "price-strings-side-by-side-b")


def files(pattern: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted(RECORDED.glob(pattern))]


def body(path: Path) -> Any:
    return loads(path.read_bytes())


def named(stem: str) -> Path:
    return RECORDED / f"{stem}.json"


class Playing:
    """CJ says what it said then, byte for byte, whatever it is asked."""

    def __init__(self, cj: Cj, line: respx.MockRouter) -> None:
        self.cj, self._line = cj, line

    def says(self, path: Path, status: int = 200) -> Cj:
        self._line.route(url__startswith=URL).mock(return_value=httpx.Response(status, content=path.read_bytes()))
        return self.cj


@pytest.fixture
def playing(cj: Cj, login: respx.MockRouter) -> Playing:
    cj.open_id()  # logged in before the line is taken over
    return Playing(cj, login)


def test_every_recorded_file_is_met_by_a_test() -> None:
    patterns = (SEARCHES, PRODUCTS, FREIGHTS, STOCKS_OF_ONE, STOCKS)
    met = {path.stem for pattern in patterns for path in RECORDED.glob(pattern)}
    met |= {QUOTE, TRACK, CREATED, *ERRORS, *WEBHOOKS, *SPELLINGS}
    assert met == {path.stem for path in RECORDED.iterdir()}


@pytest.mark.parametrize("path", files(SEARCHES))
def test_every_search_page_gives_products_with_ids_names_and_prices_in_order(playing: Playing, path: Path) -> None:
    page = playing.says(path).search("lamp")
    assert page.found
    for found in page.found:
        assert found.pid
        assert found.name == " ".join(found.name.split())
        assert found.price_low_cents is not None
        assert found.price_high_cents is not None
        assert 0 < found.price_low_cents <= found.price_high_cents


@pytest.mark.parametrize("path", files(PRODUCTS))
def test_every_product_gives_variants_with_prices_and_a_plain_description(playing: Playing, path: Path) -> None:
    product = playing.says(path).product("P")
    assert product is not None
    assert product.pid == str(body(path)["data"]["pid"])
    assert product.variants
    assert all(variant.vid and variant.price_cents and variant.price_cents > 0 for variant in product.variants)
    assert not any(tag in product.description.lower() for tag in ("<p", "<img", "<div", "</", "&nbsp;", "&amp;"))
    assert len(set(product.images)) == len(product.images)
    assert all(url.startswith("https://") for url in product.images)


@pytest.mark.parametrize("path", files(STOCKS_OF_ONE))
def test_every_stock_answer_gives_units_by_country(path: Path) -> None:
    stock = reading.stocks(body(path)["data"])  # an endpoint that we never ask, with the names of those that we do
    assert stock
    assert all(one.country and one.total == one.cj + one.factory for one in stock)


def test_stock_by_variant_is_read_and_is_nobodys_where_cj_tells_none(playing: Playing) -> None:
    by_variant = playing.says(named("official-sample-getInventoryByPid")).product_stock("P")
    ((one,),) = by_variant.values()
    assert (one.country, one.total, one.factory) == ("CN", 10_044, 10_044)
    assert playing.says(named("stock-getInventoryByPid-1665261893595959296")).product_stock("P") == {}


@pytest.mark.parametrize("path", [*files(FREIGHTS), pytest.param(named(QUOTE), id="official")])
def test_every_freight_answer_gives_priced_options_with_names_to_the_letter(playing: Playing, path: Path) -> None:
    options = playing.says(path).freight(from_country="CN", to_country="US", vid="V")
    assert [one.name for one in options] == [row["logisticName"] for row in body(path)["data"]]
    assert all(one.cost_cents > 0 and (one.days_low or 0) <= (one.days_high or 0) for one in options)


def test_a_parcel_on_its_way_is_read(playing: Playing) -> None:
    (track,) = playing.says(named(TRACK)).track(["CJPKL7160102171YQ"])
    assert (track.tracking_number, track.status, track.delivered) == ("CJPKL7160102171YQ", "In transit", False)


def test_a_creation_whose_sums_are_empty_texts_is_not_known_yet_never_free(playing: Playing) -> None:
    created = playing.says(named(CREATED)).create_order(NEW)
    assert (created.order_id, created.amount_cents) == ("123434", None)


def test_both_webhook_samples_are_read_with_ids_as_texts() -> None:
    order, parcel = (parse(named(stem).read_bytes()) for stem in WEBHOOKS)
    assert (order.type, parcel.type) == ("ORDER", "LOGISTIC")
    assert isinstance(order.order_id, str)
    assert isinstance(parcel.order_id, str)
    assert parcel.order_id.isdigit()


@pytest.mark.parametrize("stem", ERRORS)
def test_every_recorded_refusal_is_one_of_ours(playing: Playing, stem: str) -> None:
    status, kind, executed = ERRORS[stem]
    with pytest.raises(kind) as caught:
        playing.says(named(stem), status).confirm_order("1")  # of which no answer needs to say more than yes
    assert type(caught.value) is kind
    assert getattr(caught.value, "executed", None) is executed


@pytest.mark.parametrize("stem", SPELLINGS)
def test_price_texts_side_by_side_are_the_same_product_in_two_spellings(stem: str) -> None:
    texts = [text for text in _prices(body(named(stem))) if text]
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
