"""Who is let in, how often, and at what price."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from deployments.sandbox.cj import CjOptions
from deployments.sandbox.cj.quota import Gate
from deployments.sandbox.faults import Fault


def test_login_gives_numeric_open_id_and_expiries_in_chinese_time(account):
    data = account.login()["data"]
    assert data["openId"] == 900100200
    assert data["accessTokenExpiryDate"].endswith("+08:00")
    assert datetime.fromisoformat(data["accessTokenExpiryDate"]) == account.world.clock.now() + timedelta(days=15)
    assert datetime.fromisoformat(data["refreshTokenExpiryDate"]) == account.world.clock.now() + timedelta(days=180)


def test_the_same_pair_comes_back_for_a_day_and_a_new_one_after(account):
    first = account.login()["data"]["accessToken"]
    account.pass_time(86_000)
    assert account.login()["data"]["accessToken"] == first
    account.pass_time(500)
    assert account.login()["data"]["accessToken"] != first


def test_refresh_gives_the_pair_without_the_open_id_and_refuses_a_strange_token(account):
    refresh = account.login()["data"]["refreshToken"]
    data = account.data("POST", "/authentication/refreshAccessToken", {"refreshToken": refresh})
    assert data["accessToken"] == account.token
    assert "openId" not in data
    assert account.code("POST", "/authentication/refreshAccessToken", {"refreshToken": "no"}) == 1600003


def test_logout_kills_both_tokens(account):
    refresh = account.login()["data"]["refreshToken"]
    assert account.data("POST", "/authentication/logout") is True
    assert account.code("GET", "/shopping/pay/getBalance") == 1600001
    assert account.code("POST", "/authentication/refreshAccessToken", {"refreshToken": refresh}) == 1600003
    old = account.token
    assert account.login()["data"]["accessToken"] != old


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, 1600002), ({"cj_access_token": "made-up"}, 1600001)],
    ids=["no token", "wrong token"],
)
def test_a_business_call_needs_a_good_token(account, headers, code):
    reply = account.raw("GET", "/shopping/pay/getBalance", **headers)
    assert (reply.status, json.loads(reply.body)["code"]) == (200, code)


def test_a_token_dies_at_its_expiry_or_when_it_is_made_to(account):
    account.login()
    account.pass_time(15 * 86_400)
    assert account.code("GET", "/shopping/pay/getBalance") == 1600001
    account.login()
    account.cj.auth.expire()
    assert account.code("GET", "/shopping/pay/getBalance") == 1600001
    account.login()
    assert account.data("GET", "/shopping/pay/getBalance")["amount"] == 1000.0


def test_a_wrong_key_is_refused_where_the_account_has_one(open_account):
    account = open_account(api_key="sandbox-key")
    assert account.login("other")["code"] == 1600001
    assert account.login("sandbox-key")["code"] == 200


def test_logins_come_once_in_300_seconds_where_the_switch_says_so(open_account):
    account = open_account(auth_limit=True)
    account.login()
    account.pass_time(299)
    assert account.login()["code"] == 1600200
    account.pass_time(1)
    assert account.login()["code"] == 200


@pytest.mark.parametrize("status", [200, 429])
def test_the_second_call_within_a_second_is_refused_and_not_done(open_account, status):
    account = open_account(min_interval_seconds=1.0, throttle_status=status)
    account.login()
    reply = account.send("GET", "/shopping/pay/getBalance")
    said = json.loads(reply.body)
    assert reply.status == status
    assert (said["code"], said["pointsInfo"], said["success"]) == (1600200, None, False)
    assert "1 time/1second" in said["message"]
    assert account.cj.gate.breaches == 1
    account.cj.options.min_interval_seconds = 0
    assert account.call("GET", "/shopping/pay/getBalance")["code"] == 200


def test_the_pace_is_kept_by_logins_too_and_a_write_that_breaks_it_is_not_done(open_account):
    account = open_account()
    body = account.order_body()
    account.login()
    account.cj.options.min_interval_seconds = 1e6
    assert account.code("POST", "/shopping/order/createOrderV2", body) == 1600200
    assert account.cj.orders == []
    assert account.login()["code"] == 1600200
    assert account.cj.gate.breaches == 2


def test_the_gate_counts_from_the_last_call_that_it_let_in():
    now = [100.0]
    gate = Gate(CjOptions(), monotonic=lambda: now[0])
    arrivals = []
    for moment in (100.0, 100.6, 101.0, 101.999, 102.0):
        now[0] = moment
        arrivals.append(gate.arrive())
    assert arrivals == [True, False, True, False, True]
    assert gate.breaches == 2


def test_an_effect_that_lands_late_neither_breaks_the_pace_nor_takes_the_slot_of_the_next_call(open_account):
    account = open_account()
    account.login()
    account.world.faults.plan(Fault("cj", "POST /shopping/order/createOrderV2", "late", effect_after=180))
    assert account.send("POST", "/shopping/order/createOrderV2", account.order_body()) is None
    assert account.cj.orders == []
    account.cj.options.min_interval_seconds = 1e6  # the landing itself must not be asked
    account.cj.gate = Gate(account.cj.options)
    account.world.clock.advance(181)
    assert account.call("GET", "/shopping/pay/getBalance")["code"] == 200
    assert [order.number for order in account.cj.orders] == ["HS-42"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/shopping/balance/getBalance", 1600101),
        ("GET", "/product/LISTV2", 1600101),
        ("POST", "/product/query", 16900202),
    ],
    ids=["no such path", "path is case sensitive", "wrong method"],
)
def test_a_wrong_door_has_its_own_code(account, method, path, code):
    assert account.code(method, path) == code


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"", "application/json", 16900204),
        (b"orderId=1", "application/x-www-form-urlencoded", 16900203),
        (b"{", "application/json", 16900205),
        (b"[]", "application/json", 16900205),
        (b"{}", "application/json", 16900403),
        (b'{"orderId": 7}', "application/json", 1600300),
        (b'{"orderId": "7", "id": "7"}', "application/json", 1600300),
    ],
    ids=["none", "a form", "broken", "a list", "nothing in it", "a number for a text", "a name nobody knows"],
)
def test_a_body_is_read_strictly(account, body, content_type, code):
    account.login()
    reply = account.raw(
        "POST",
        "/shopping/pay/payBalance",
        body=body,
        cj_access_token=account.token,
        content_type=content_type,
    )
    assert json.loads(reply.body)["code"] == code


def test_points_are_charged_trickle_back_and_are_whole_again_at_midnight(account):
    account.data("GET", "/product/listV2", keyWord="desk lamp")
    info = account.call("GET", "/product/query", pid=account.oddity("plain").pid)["pointsInfo"]
    assert info == {"usedToday": 60, "remaining": 49_940, "total": 50_000}
    assert account.call("GET", "/shopping/pay/getBalance")["pointsInfo"] == info
    account.pass_time(60)
    info = account.call("GET", "/shopping/pay/getBalance")["pointsInfo"]
    assert (info["usedToday"], info["remaining"]) == (60, 49_974)
    account.cj.quota.set_points(0)
    account.pass_time(14 * 3600)
    info = account.call("GET", "/shopping/pay/getBalance")["pointsInfo"]
    assert info == {"usedToday": 0, "remaining": 50_000, "total": 50_000}


@pytest.mark.parametrize(("status", "code"), [(200, 16900500), (429, 429)])
def test_a_call_without_points_is_not_done_and_costs_nothing(open_account, status, code):
    account = open_account(points_exhausted_status=status)
    account.login()
    account.cj.quota.set_points(9)
    reply = account.send("GET", "/product/query", pid=account.oddity("plain").pid)
    said = json.loads(reply.body)
    assert (reply.status, said["code"], said["data"]) == (status, code, None)
    assert said["pointsInfo"] == {"usedToday": 0, "remaining": 9, "total": 50_000}
    assert account.call("GET", "/shopping/pay/getBalance")["code"] == 200


def test_counted_calls_are_shown_by_endpoint_and_end_for_good_under_type_0(open_account):
    account = open_account(quota="counts", quota_limits={"/shopping/pay/getBalance": 2})
    for _ in range(2):
        assert "pointsInfo" not in account.call("GET", "/shopping/pay/getBalance")
    assert account.code("GET", "/shopping/pay/getBalance") == 1600201
    account.pass_time(400 * 86_400)
    account.login()
    assert account.code("GET", "/shopping/pay/getBalance") == 1600201
    rows = {row["quotaUrl"]: row for row in account.data("GET", "/setting/get")["setting"]["quotaLimits"]}
    assert rows["/api2.0/v1/shopping/pay/getBalance"] == {
        "quotaUrl": "/api2.0/v1/shopping/pay/getBalance",
        "quotaLimit": 2,
        "requestedNum": 2,
        "quotaType": 0,
    }
    assert rows["/api2.0/v1/product/query"]["quotaLimit"] == 1000
    assert not any("authentication" in url for url in rows)


def test_counts_of_type_4_begin_anew_each_day(open_account):
    account = open_account(quota="counts", quota_limit=1, quota_type=4)
    assert account.call("GET", "/shopping/pay/getBalance")["code"] == 200
    assert account.code("GET", "/shopping/pay/getBalance") == 1600201
    account.pass_time(86_400)
    assert account.call("GET", "/shopping/pay/getBalance")["code"] == 200


def test_a_silent_account_tells_nothing_and_refuses_nothing(open_account):
    account = open_account(quota="silent", quota_limit=0, points_total=0)
    said = account.call("GET", "/product/listV2", keyWord="desk lamp")
    assert said["code"] == 200
    assert "pointsInfo" not in said
    assert account.data("GET", "/setting/get")["setting"]["quotaLimits"] == []


def test_the_envelope_drifts_by_endpoint_and_can_be_made_whole(account):
    pid = account.oddity("plain").pid
    stock = account.call("GET", "/product/stock/getInventoryByPid", pid=pid)
    assert "result" not in stock
    assert stock["success"] is True
    account.cj.options.drift = False
    assert account.call("GET", "/product/stock/getInventoryByPid", pid=pid)["result"] is True


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500_before", 500)])
def test_planned_faults_speak_as_cj_does_and_change_nothing(account, kind, status):
    account.login()
    account.world.faults.plan(Fault("cj", "POST /shopping/order/createOrderV2", kind))
    reply = account.send("POST", "/shopping/order/createOrderV2", account.order_body())
    assert reply.status == status
    assert json.loads(reply.body).get("code") == (1600200 if kind == "429" else None)
    assert account.cj.orders == []
