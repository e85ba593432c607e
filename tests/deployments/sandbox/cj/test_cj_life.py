"""What becomes of a paid order, and who is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

HOOK = "http://127.0.0.1:9/webhooks/cj"
OFF = {"type": "CANCEL", "callbackUrls": []}
ON = {"type": "ENABLE", "callbackUrls": [HOOK]}
TOPICS = {"product": OFF, "stock": OFF, "order": ON, "logistics": ON}


def paid(account, number="HS-42"):
    account.create(number, payType=2)
    return account.cj.order(number)


def sandboxed(account, **options):
    order = account.cj.order(account.create(isSandbox=1, **options)["orderId"])
    account.data("PATCH", "/shopping/order/confirmOrder", {"orderId": order.order_id})
    return order


def test_a_paid_order_is_packed_shipped_and_delivered_by_itself(open_account):
    account = open_account(ship_after_seconds=100, deliver_after_seconds=300)
    order = paid(account)
    seen = []
    for _ in range(4):
        seen.append(account.detail("HS-42")["orderStatus"])
        account.pass_time(50)
    assert seen == ["PENDING", "PROCESSING", "SHIPPED", "SHIPPED"]
    shipped = account.detail("HS-42")
    assert shipped["trackNumber"] == order.track_number != ""
    assert shipped["outWarehouseTime"] == "2026-11-23 10:01:40"
    account.pass_time(100)
    assert (order.status, account.detail("HS-42")["isComplete"]) == ("DELIVERED", 1)
    assert [status for _, status in order.history][-4:] == ["PENDING", "PROCESSING", "SHIPPED", "DELIVERED"]


def test_nothing_moves_where_life_is_switched_off_and_a_hand_moves_it(open_account):
    account = open_account(ship_after_seconds=None)
    order = paid(account)
    account.pass_time(1e7)
    assert order.status == "PENDING"
    account.cj.ship("HS-42")
    assert order.status == "SHIPPED"
    account.cj.deliver("HS-42")
    assert order.status == "DELIVERED"


def test_a_cancelled_order_stays_cancelled(account):
    order = paid(account)
    account.cj.cancel_order("HS-42")
    account.pass_time(30 * 86_400)
    assert (order.status, order.track_number) == ("CANCELLED", "")


def test_the_older_word_for_paid_is_a_switch(open_account):
    account = open_account(handling_states=("UNSHIPPED",), ship_after_seconds=100)
    order = paid(account)
    assert order.status == "UNSHIPPED"
    account.pass_time(100)
    assert order.status == "SHIPPED"


def test_parcels_are_tracked_and_unknown_ones_left_out(open_account):
    account = open_account(ship_after_seconds=100, deliver_after_seconds=300)
    order = paid(account)
    account.pass_time(100)
    rows = account.data("GET", "/logistic/trackInfo", trackNumber=[order.track_number, "UNKNOWN"])
    assert [row["trackingNumber"] for row in rows] == [order.track_number]
    assert (rows[0]["trackingStatus"], rows[0]["deliveryDay"]) == ("In transit", "9")
    account.pass_time(200)
    assert (
        account.data("GET", "/logistic/trackInfo", trackNumber=order.track_number)[0]["trackingStatus"] == "Delivered"
    )


def test_setting_webhooks_tries_the_address_and_shows_it(account):
    assert account.data("POST", "/webhook/set", TOPICS) is True
    assert [(one.url, one.label, one.body) for one in account.world.deliveries] == [(HOOK, "probe", b"{}")]
    callback = account.data("GET", "/setting/get")["callback"]
    assert callback["order"] == {"type": "ENABLE", "urls": [HOOK]}
    assert callback["product"] == {"type": "CANCEL", "urls": []}


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"type": "ENABLE", "callbackUrls": ["http://shop.example.test/hook"]}, 1606001),
        ({"type": "ENABLE", "callbackUrls": ["not an address"]}, 1606000),
        ({"type": "ENABLE", "callbackUrls": [HOOK, HOOK]}, 1600300),
        ({"type": "ENABLE", "callbackUrls": []}, 16900403),
        ({"type": "ALL", "callbackUrls": [HOOK]}, 1600300),
        ({"type": "ENABLE", "urls": [HOOK]}, 1600300),
    ],
    ids=["plain http", "no address", "two", "none", "the older word", "the reading name"],
)
def test_a_bad_address_is_refused_and_nothing_is_set(account, order, code):
    assert account.code("POST", "/webhook/set", TOPICS | {"order": order}) == code
    assert account.cj.webhooks.topics == {}


def test_all_four_topics_must_be_said(account):
    assert account.code("POST", "/webhook/set", {"order": ON, "logistics": ON}) == 1600300


def test_events_tell_the_story_signed_with_the_open_id(open_account):
    account = open_account(ship_after_seconds=100, deliver_after_seconds=300)
    account.data("POST", "/webhook/set", TOPICS)
    account.world.deliveries.clear()
    order = paid(account)
    account.pass_time(400)
    told = account.told()
    assert [one["params"]["orderStatus"] for one in told if one["type"] == "ORDER"] == [
        "PENDING",
        "PROCESSING",
        "SHIPPED",
        "DELIVERED",
    ]
    parcels = [one for one in told if one["type"] == "LOGISTIC"]
    assert [one["params"]["trackingStatus"] for one in parcels] == [1, 5, 12]
    assert parcels[0]["openId"] == 900100200
    assert json.loads(parcels[-1]["params"]["logisticsTrackEvents"])[0]["status"] == 12
    for delivery in account.world.deliveries:
        wanted = base64.b64encode(hmac.new(b"900100200", delivery.body, hashlib.sha256).digest()).decode()
        assert delivery.headers["sign"] == wanted
        assert order.order_id.encode() in delivery.body
        assert f'"{order.order_id}"'.encode() not in delivery.body
    assert len({one["messageId"] for one in told}) == len(told)


def test_an_address_in_the_options_is_told_without_registration(open_account):
    account = open_account(webhook_url=HOOK)
    paid(account)
    assert {delivery.url for delivery in account.world.deliveries} == {HOOK}
    account.world.deliveries.clear()
    account.cj.options.webhooks_on = False
    account.cj.ship("HS-42")
    assert not account.world.deliveries


def test_a_doubled_event_keeps_its_message_id(open_account):
    account = open_account(webhook_url=HOOK)
    account.world.webhook_mode = "doubled"
    paid(account)
    ids = [one["messageId"] for one in account.told()]
    assert len(ids) == 2 * len(set(ids))


def test_events_come_out_of_order_or_not_at_all_where_the_mode_says_so(open_account):
    account = open_account(webhook_url=HOOK, ship_after_seconds=100, deliver_after_seconds=300)
    account.world.webhook_mode = "shuffled"
    paid(account)
    account.pass_time(400)
    told = [one["params"]["orderStatus"] for one in account.told() if one["type"] == "ORDER"]
    story = ["PENDING", "PROCESSING", "SHIPPED", "DELIVERED"]
    assert sorted(told) == sorted(story)
    assert told != story
    account.world.deliveries.clear()
    account.world.webhook_mode = "lost"
    paid(account, "HS-43")
    account.pass_time(400)
    assert account.told() == []
    assert account.cj.order("HS-43").status == "DELIVERED"


def test_deletion_and_cancellation_are_told(open_account):
    account = open_account(webhook_url=HOOK)
    account.data("DELETE", "/shopping/order/deleteOrder", orderId=account.create("HS-1")["orderId"])
    account.create("HS-2")
    account.cj.cancel_order("HS-2")
    assert [(one["messageType"], one["params"]["orderStatus"]) for one in account.told()] == [
        ("DELETE", "CREATED"),
        ("UPDATE", "CANCELLED"),
    ]


def test_a_sandbox_order_takes_no_money_and_moves_one_step_at_a_time(account):
    account.cj.options.webhook_url = HOOK
    order = sandboxed(account)
    move = {"orderId": order.order_id}
    assert account.detail("HS-42")["isSandbox"] == 1
    assert account.code("POST", "/shopping/pay/payBalance", move) == 1603101
    assert account.code("POST", "/shopping/sandbox/updateStatus", move | {"targetStatus": 400}) == 819
    assert account.data("POST", "/shopping/sandbox/simulatePay", move) is True
    assert order.status == "PENDING"
    assert account.code("POST", "/shopping/sandbox/simulatePay", move) == 819
    account.pass_time(30 * 86_400)
    account.login()
    assert order.status == "PENDING"
    assert account.code("POST", "/shopping/sandbox/updateStatus", move | {"targetStatus": 600}) == 821
    assert account.data("POST", "/shopping/sandbox/updateTrackNumber", move | {"trackNumber": "CJPTEST1"}) is True
    for target, status in ((400, "PROCESSING"), (500, "SHIPPED"), (600, "DELIVERED")):
        account.data("POST", "/shopping/sandbox/updateStatus", move | {"targetStatus": target})
        assert order.status == status
    assert order.track_number == "CJPTEST1"
    assert account.cj.purse.balance_cents == 100_000
    assert not account.world.deliveries


@pytest.mark.parametrize(("start", "status"), [("CREATED", "CREATED"), ("UNPAID", "UNPAID"), ("PENDING", "PENDING")])
def test_where_a_sandbox_order_begins_is_a_switch(open_account, start, status):
    account = open_account(sandbox_start=start)
    account.create(isSandbox=1)
    assert account.detail("HS-42")["orderStatus"] == status
    assert account.cj.purse.balance_cents == 100_000


def test_sandbox_orders_live_when_the_switch_says_so(open_account):
    account = open_account(sandbox_orders_live=True, sandbox_events=True, webhook_url=HOOK, ship_after_seconds=100)
    order = sandboxed(account)
    account.data("POST", "/shopping/sandbox/simulatePay", {"orderId": order.order_id})
    account.pass_time(100)
    assert order.status == "SHIPPED"
    assert account.told()


@pytest.mark.parametrize(
    ("path", "more"),
    [("simulatePay", {}), ("updateStatus", {"targetStatus": 400}), ("updateTrackNumber", {"trackNumber": "X"})],
)
def test_sandbox_moves_are_for_sandbox_orders_alone(account, path, more):
    order = paid(account)
    assert account.code("POST", f"/shopping/sandbox/{path}", {"orderId": order.order_id, **more}) == 811
    assert account.code("POST", f"/shopping/sandbox/{path}", {"orderId": "1", **more}) == 803
