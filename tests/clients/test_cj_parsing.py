"""CJ's shapes: five of time, three of price, an envelope that drifts, and answers that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from tasks.clients.cj import Cj
from tasks.clients.cj.parsing import grams, moment, price_range, texts
from tasks.clients.service import ServiceRefused, ServiceUnavailable
from tasks.rules.money import MoneyError
from tests.clients.conftest import URL

MORNING = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        pytest.param("2026-11-23T18:00:00+08:00", MORNING, id="ISO with China's offset"),
        pytest.param("2026-11-23T10:00:00Z", MORNING, id="ISO with a Z"),
        pytest.param("2026-11-23 10:00:00", MORNING, id="a space, and UTC as CJ states"),
        pytest.param(1_795_428_000_000, MORNING, id="milliseconds"),
        pytest.param(Decimal(1_795_428_000_000), MORNING, id="milliseconds, read exactly"),
        pytest.param("1795428000000", MORNING, id="milliseconds in a text"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="an empty text"),
        pytest.param("soon", None, id="a word"),
        pytest.param(10**30, None, id="beyond the calendar"),
    ],
)
def test_a_time_in_any_shape_is_one_aware_moment_in_utc(told: Any, meant: datetime | None) -> None:
    came = moment(told)
    assert came == meant
    assert came is None or came.tzinfo is UTC


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("8.70", (870, 870)),
        (Decimal("8.7"), (870, 870)),
        (8, (800, 800)),
        ("9.00 -- 89.00", (900, 8_900)),
        ("1.3 -- 8.35", (130, 835)),
        ("1.55-3.35", (155, 335)),
        ("8.62 - 34.52", (862, 3_452)),
        ("", None),
        (None, None),
    ],
    ids=str,
)
def test_a_price_is_a_number_a_text_or_a_range_with_one_dash_or_two(told: Any, meant: Any) -> None:
    assert price_range(told) == meant


@pytest.mark.parametrize("told", ["free", "1.2.3", "--", "9.00 -- ", "NaN"])
def test_what_is_no_price_is_none_of_ours(told: str) -> None:
    with pytest.raises(MoneyError):
        price_range(told)


def test_lists_come_as_lists_as_json_in_a_text_or_as_one_text_and_weights_as_ranges() -> None:
    assert texts(["a", "", None, "b"]) == texts('["a", "b"]') == ("a", "b")
    assert texts("Black") == ("Black",)
    assert texts('["cut') == ('["cut',)
    assert [grams(told) for told in (210.0, "100.0", "460.00-652.00", "320", None)] == [210, 100, 652, 320, None]


def says(cj: Cj, line: respx.MockRouter, body: Any) -> Cj:
    """CJ says this, whatever it is asked from now on."""
    cj.open_id()
    line.route(url__startswith=URL).mock(return_value=httpx.Response(200, json=body))
    return cj


PURSE = {"amount": 12.34}


@pytest.mark.parametrize(
    "marks",
    [
        {"code": 200, "result": True, "message": "Success", "success": True},
        {"code": 200},
        {"code": 0, "result": True},
        {"result": True},
        {"success": True, "message": ""},
    ],
    ids=["whole", "a code alone", "a code of 0", "no code", "success instead of result"],
)
def test_the_envelope_may_leave_out_what_it_likes(cj: Cj, login: respx.MockRouter, marks: dict[str, Any]) -> None:
    assert says(cj, login, {**marks, "data": PURSE}).balance().amount_cents == 1_234


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 200, "result": False, "data": PURSE}, ServiceRefused),
        ({"code": 200, "success": False, "data": PURSE}, ServiceRefused),
        ({"message": "Too Many Requests", "data": PURSE}, ServiceUnavailable),
        ([PURSE], ServiceUnavailable),
        (None, ServiceUnavailable),
    ],
    ids=["result false", "success false", "no mark at all", "a list", "null"],
)
def test_what_says_no_or_is_no_envelope_is_never_a_yes(
    cj: Cj, login: respx.MockRouter, body: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        says(cj, login, body).balance()
    assert type(caught.value) is kind


READS: dict[str, Callable[[Cj], Any]] = {
    "search": lambda cj: cj.search("lamp"),
    "product": lambda cj: cj.product("P"),
    "product stock": lambda cj: cj.product_stock("P"),
    "variant": lambda cj: cj.variant("V"),
    "freight": lambda cj: cj.freight(from_country="CN", to_country="US", vid="V"),
    "order": lambda cj: cj.order("HS-1"),
    "orders": lambda cj: cj.orders(["HS-1"]),
    "list of orders": lambda cj: cj.list_orders("UNPAID"),
    "parcel": lambda cj: cj.track(["T"]),
    "balance": lambda cj: cj.balance(),
    "account": lambda cj: cj.account(),
}


@pytest.mark.parametrize("read", READS)
def test_a_success_without_data_is_unknown_and_never_none(cj: Cj, login: respx.MockRouter, read: str) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        READS[read](says(cj, login, {"code": 200, "result": True, "message": "Success", "data": None}))
    assert caught.value.executed is None


def test_no_way_is_an_empty_list_and_ways_without_a_price_are_unknown(cj: Cj, login: respx.MockRouter) -> None:
    def ways(*rows: dict[str, Any]) -> Any:
        answer = {"code": 200, "result": True, "data": list(rows)}
        return says(cj, login, answer).freight(from_country="CN", to_country="US", vid="V")

    unpriced = {"logisticName": "CJPacket", "logisticPrice": None, "totalPostageFee": None}
    assert ways() == ()
    with pytest.raises(ServiceUnavailable):
        ways(unpriced)
    assert ways({**unpriced, "errorEn": "not to this country"}) == ()
    assert [one.cost_cents for one in ways(unpriced, {"logisticName": "USPS", "logisticPrice": 4.25})] == [425]


@pytest.mark.parametrize(
    ("rows", "units"),
    [
        (None, None),
        ([], []),
        ([{"countryCode": "CN"}], None),
        ([{"countryCode": "CN", "totalInventory": None}], None),
        ([{"countryCode": "CN", "totalInventory": 0}], [0]),
        ([{"countryCode": "CN", "cjInventoryNum": 2, "factoryInventoryNum": 3}], [5]),
        ('[{"countryCode": "US", "totalInventoryNum": 7}]', [7]),
    ],
    ids=["not told", "nowhere", "no count", "a null for a count", "none left", "two counts", "in a text"],
)
def test_a_stock_that_is_not_told_is_not_none_left(
    cj: Cj, login: respx.MockRouter, rows: Any, units: list[int] | None
) -> None:
    one = {"vid": "V", "variantSellPrice": 1, "inventories": rows}
    variant = says(cj, login, {"code": 200, "result": True, "data": one}).variant("V")
    assert variant is not None
    assert (None if variant.stock is None else [part.total for part in variant.stock]) == units
