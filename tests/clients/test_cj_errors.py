"""CJ's error codes, each with what it means for us; and the door it all comes through."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from tasks.clients.cj import BalanceShort, Cj, NotFound, OffSale, OrderNumberTaken, TokenFile, TokenRefused, Usage
from tasks.clients.cj.envelope import failure
from tasks.clients.service import QuotaExhausted, ServiceRefused, ServiceUnavailable

URL = "https://cj.invalid/api2.0/v1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOKEN = {
    "openId": 9,
    "accessToken": "tok_a",
    "accessTokenExpiryDate": "2026-12-08T12:00:00+08:00",
    "refreshToken": "tok_r",
    "refreshTokenExpiryDate": "2027-05-22T12:00:00+08:00",
}


@pytest.mark.parametrize(
    ("code", "message", "kind", "executed"),
    [
        (1600000, "system busy", ServiceUnavailable, None),
        (1600001, "invalid", TokenRefused, False),
        (1600003, "bad refresh token", TokenRefused, False),
        (1600100, "Param error", ServiceRefused, None),
        (1600200, "QPS limit is 1 time/1second", ServiceUnavailable, False),
        (1600201, "quota used up", QuotaExhausted, False),
        (1600300, "order not found", NotFound, None),
        (1600301, "read timed out", ServiceUnavailable, None),
        (1602001, "product not found", OffSale, None),
        (1602003, "variant off sale", OffSale, None),
        (1603000, "IOSS missing", ServiceRefused, None),
        (1603000, "System busy, please try again later", ServiceUnavailable, None),
        (1603003, "order number already exists", OrderNumberTaken, None),
        (1604000, "balance too low", BalanceShort, None),
        (1605000, "carrier unknown", ServiceRefused, None),
        (16900403, "parameter empty", ServiceRefused, None),
        (16900500, "points exhausted", QuotaExhausted, False),
        (429, "points exhausted", QuotaExhausted, False),
        ("weird", "no number at all", ServiceRefused, None),
    ],
    ids=str,
)
def test_every_code_is_decided_once(code: Any, message: str, kind: type[Exception], executed: bool | None) -> None:
    error = failure("any", 200, code, message, "r1")
    assert type(error) is kind
    assert getattr(error, "executed", None) is executed


@pytest.fixture
def cj(tmp_path: Path) -> Cj:
    return Cj(
        httpx.Client(),
        api_key=SecretStr("hush"),
        base_url=URL,
        tokens=TokenFile(tmp_path / "token.json", lambda: NOW),
        pace=lambda: None,
        seen=SEEN.append,
    )


SEEN: list[Usage] = []


@pytest.fixture(autouse=True)
def login() -> Any:
    SEEN.clear()
    with respx.mock(assert_all_called=False) as router:
        answer = httpx.Response(200, json={"code": 200, "result": True, "data": TOKEN})
        router.post(f"{URL}/authentication/getAccessToken").mock(return_value=answer)
        yield router


def test_tokens_are_kept_for_their_owner_alone_and_one_login_serves_many_calls(
    cj: Cj, login: Any, tmp_path: Path
) -> None:
    balance = {"code": 200, "data": {"amount": 12.34, "freezeAmount": None}, "pointsInfo": {"remaining": 70}}
    login.get(f"{URL}/shopping/pay/getBalance").mock(return_value=httpx.Response(200, json=balance))
    assert cj.balance().amount_cents == 1_234
    assert cj.balance().amount_cents == 1_234
    assert login.routes[0].call_count == 1
    assert oct((tmp_path / "token.json").stat().st_mode)[-3:] == "600"
    assert SEEN[-1] == Usage(endpoint="/shopping/pay/getBalance", free=True)  # it costs no points


def test_a_refused_token_is_dropped_and_the_call_made_once_more(cj: Cj, login: Any) -> None:
    refreshed = {**TOKEN, "accessToken": "tok_b"}
    login.post(f"{URL}/authentication/refreshAccessToken").mock(
        return_value=httpx.Response(200, json={"code": 200, "data": refreshed})
    )
    refused = httpx.Response(200, json={"code": 1600001, "result": False, "message": "invalid token", "data": None})
    good = httpx.Response(200, json={"code": 200, "data": {"amount": "1.5"}})
    route = login.get(f"{URL}/shopping/pay/getBalance").mock(side_effect=[refused, good])
    assert cj.balance().amount_cents == 150
    assert route.call_count == 2
    assert route.calls.last.request.headers["CJ-Access-Token"] == "tok_b"


def test_there_is_one_login_in_300_seconds_until_the_file_is_deleted(cj: Cj, login: Any, tmp_path: Path) -> None:
    same = httpx.Response(200, json={"code": 200, "data": TOKEN})
    login.post(f"{URL}/authentication/refreshAccessToken").mock(return_value=same)
    refused = httpx.Response(200, json={"code": 1600001, "result": False, "message": "invalid token", "data": None})
    good = httpx.Response(200, json={"code": 200, "data": {"amount": "1.5"}})
    login.get(f"{URL}/shopping/pay/getBalance").mock(side_effect=[refused, good])
    with pytest.raises(ServiceUnavailable, match="the last login is less than 300 s ago") as caught:
        cj.balance()
    assert caught.value.executed is False
    (tmp_path / "token.json").unlink()
    assert cj.balance().amount_cents == 150


def test_only_1600300_proves_that_an_order_is_absent(cj: Cj, login: Any) -> None:
    route = login.get(f"{URL}/shopping/order/getOrderDetail")
    route.mock(return_value=httpx.Response(200, json={"code": 1600300, "message": "order not found", "data": None}))
    assert cj.order("HS-1") is None
    for answer in (
        httpx.Response(200, json={"code": 200, "data": {}}),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"code": 1600000, "message": "system busy"}),
    ):
        route.mock(return_value=answer)
        with pytest.raises(ServiceUnavailable):
            cj.order("HS-1")
    route.mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceUnavailable) as caught:
        cj.order("HS-1")
    assert caught.value.executed is None
    route.mock(side_effect=httpx.ConnectError("down"))
    with pytest.raises(ServiceUnavailable) as caught:
        cj.order("HS-1")
    assert caught.value.executed is False


def test_a_creation_without_an_order_id_is_unknown(cj: Cj, login: Any) -> None:
    from tasks.clients.cj import NewOrder

    new = NewOrder(
        number="HS-1", vid="V", logistic_name="P", from_country="CN", country="US", country_name="US", province="IL",
        city="S", line1="1 Road", zip_code="1", name="A", phone="1",
    )  # fmt: skip
    route = login.post(f"{URL}/shopping/order/createOrderV2")
    route.mock(return_value=httpx.Response(200, json={"code": 200, "data": {}}))
    with pytest.raises(ServiceUnavailable):
        cj.create_order(new)
    sent = json.loads(route.calls.last.request.content)
    assert (sent["payType"], sent["orderNumber"], "isSandbox" in sent) == (3, "HS-1", False)


def test_no_error_text_holds_the_key_or_the_token(cj: Cj, login: Any) -> None:
    login.get(f"{URL}/shopping/pay/getBalance").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceUnavailable) as caught:
        cj.balance()
    assert "hush" not in str(caught.value)
    assert "tok_a" not in repr(caught.value)
