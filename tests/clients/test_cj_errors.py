"""CJ's error codes, each with what it means for us; and the door it all comes through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.clients.cj import BalanceShort, Cj, NotFound, OffSale, OrderNumberTaken, TokenRefused, Usage
from tasks.clients.service import NotLetIn, QuotaExhausted, ServiceRefused, ServiceUnavailable
from tests.clients.conftest import TOKEN, URL

BALANCE = f"{URL}/shopping/pay/getBalance"
NEW_TOKEN = {"code": 200, "data": {**TOKEN, "accessToken": "tok_b"}}

#: (HTTP status, code, message, what it is, whether CJ did anything): every code that CJ is known to give.
CODES: list[tuple[int, Any, str, type[Exception], bool | None]] = [
    (200, 1600000, "system busy", ServiceUnavailable, None),
    *((200, code, "token", TokenRefused, False) for code in (1600001, 1600002, 1600003, 1600030, 1600031)),
    (401, None, "unauthorized", TokenRefused, False),
    *((200, code, "account", NotLetIn, False) for code in (*range(1600004, 1600014), 1601000)),
    *((200, code, "Param error", ServiceRefused, None) for code in (1600100, 1600101)),
    *((status, 1600200, "QPS limit is 1 time/1second", ServiceUnavailable, False) for status in (200, 429)),
    (429, None, "Too Many Requests", ServiceUnavailable, False),
    (200, 1600201, "quota used up", QuotaExhausted, False),
    (200, 1600300, "order not found", NotFound, None),
    (200, 1600301, "read timed out", ServiceUnavailable, None),
    *((200, code, "off sale", OffSale, None) for code in (1602000, 1602001, 1602002, 1602003)),
    (200, 1603000, "IOSS missing", ServiceRefused, None),
    (200, 1603000, "System busy, please try again later", ServiceUnavailable, None),
    *((200, code, "confirm or delete failed", ServiceRefused, None) for code in (1603001, 1603002)),
    (200, 1603003, "order number already exists", OrderNumberTaken, None),
    *((200, code, "payment failed", ServiceRefused, None) for code in (1603100, 1603101, 1603102, 1604001)),
    (200, 1604000, "balance too low", BalanceShort, None),
    *((200, code, "carrier or country", ServiceRefused, None) for code in (1605000, 1605001, 1605002)),
    *((200, code, "callback", ServiceRefused, None) for code in (1606000, 1606001, *range(1607000, 1607004))),
    *((200, code, "subscription", ServiceRefused, None) for code in range(1606010, 1606014)),
    *(
        (200, code, "elsewhere", ServiceRefused, None)
        for code in (1607004, 1607006, 1607010, 1608001, 1609000, 1609016)
    ),
    *((200, code, "request", ServiceRefused, None) for code in (16900202, 16900203, 16900204, 16900205, 16900403)),
    (200, 16900500, "points exhausted", QuotaExhausted, False),
    (429, 429, "points exhausted", QuotaExhausted, False),
    *((200, code, "test order", ServiceRefused, None) for code in (803, 804, 806, 811, 818, 819, 820, 821)),
    (200, "weird", "no number at all", ServiceRefused, None),
    (503, 1600100, "it fell over", ServiceUnavailable, None),
]


@pytest.mark.parametrize(("status", "code", "message", "kind", "executed"), CODES, ids=lambda one: str(one)[:12])
def test_every_code_is_decided_once(
    cj: Cj, login: Any, status: int, code: Any, message: str, kind: type[Exception], executed: bool | None
) -> None:
    login.post(f"{URL}/authentication/refreshAccessToken").mock(return_value=httpx.Response(200, json=NEW_TOKEN))
    said = {"code": code, "result": False, "message": message, "data": None, "requestId": "r1", "pointsInfo": None}
    login.get(BALANCE).mock(return_value=httpx.Response(status, json=said))
    with pytest.raises(kind) as caught:
        cj.balance()
    assert type(caught.value) is kind
    assert getattr(caught.value, "executed", None) is executed


def test_too_many_users_of_an_address_are_waited_for_longer_than_a_second(cj: Cj, login: Any) -> None:
    said = {"code": 1600200, "result": False, "message": "Too Many Requests, one ip limit 3 users"}
    login.get(BALANCE).mock(return_value=httpx.Response(429, json=said))
    with pytest.raises(ServiceUnavailable) as caught:
        cj.balance()
    assert (caught.value.retry_after or 0) > 10


def test_tokens_are_kept_for_their_owner_alone_and_one_login_serves_many_calls(
    cj: Cj, login: Any, seen: list[Usage], tmp_path: Path
) -> None:
    balance = {"code": 200, "data": {"amount": 12.34, "freezeAmount": None}, "pointsInfo": {"remaining": 70}}
    login.get(BALANCE).mock(return_value=httpx.Response(200, json=balance))
    assert cj.balance().amount_cents == 1_234
    assert cj.balance().amount_cents == 1_234
    assert login.routes[0].call_count == 1
    assert oct((tmp_path / "token.json").stat().st_mode)[-3:] == "600"
    assert seen[-1] == Usage(endpoint="/shopping/pay/getBalance", free=True)  # it costs no points


def test_a_refused_token_is_dropped_and_the_call_made_once_more(cj: Cj, login: Any) -> None:
    login.post(f"{URL}/authentication/refreshAccessToken").mock(return_value=httpx.Response(200, json=NEW_TOKEN))
    refused = httpx.Response(200, json={"code": 1600001, "result": False, "message": "invalid token", "data": None})
    good = httpx.Response(200, json={"code": 200, "data": {"amount": "1.5"}})
    route = login.get(BALANCE).mock(side_effect=[refused, good])
    assert cj.balance().amount_cents == 150
    assert route.call_count == 2
    assert route.calls.last.request.headers["CJ-Access-Token"] == "tok_b"


def test_there_is_one_login_in_300_seconds_until_the_file_is_deleted(cj: Cj, login: Any, tmp_path: Path) -> None:
    same = httpx.Response(200, json={"code": 200, "data": TOKEN})
    login.post(f"{URL}/authentication/refreshAccessToken").mock(return_value=same)
    refused = httpx.Response(200, json={"code": 1600001, "result": False, "message": "invalid token", "data": None})
    good = httpx.Response(200, json={"code": 200, "data": {"amount": "1.5"}})
    login.get(BALANCE).mock(side_effect=[refused, good])
    with pytest.raises(ServiceUnavailable, match="the last login is less than 300 s ago") as caught:
        cj.balance()
    assert caught.value.executed is False
    (tmp_path / "token.json").unlink()
    assert cj.balance().amount_cents == 150


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_text("{"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.write_text("{}"),
        lambda file: file.write_text(""),
    ],
    ids=["deleted", "half a file", "no text", "nothing in it", "empty"],
)
def test_a_token_file_that_is_gone_or_broken_means_one_login_anew(
    cj: Cj, login: Any, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    login.get(f"{URL}/shopping/pay/getBalance").mock(
        return_value=httpx.Response(200, json={"code": 200, "data": {"amount": "1.5"}})
    )
    assert cj.balance().amount_cents == 150
    spoil(tmp_path / "token.json")
    assert [cj.balance().amount_cents, cj.balance().amount_cents] == [150, 150]
    assert login.routes[0].call_count == 2
    assert json.loads((tmp_path / "token.json").read_text())["access"] == TOKEN["accessToken"]


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
    login.get(BALANCE).mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceUnavailable) as caught:
        cj.balance()
    assert "hush" not in str(caught.value)
    assert "tok_a" not in repr(caught.value)
