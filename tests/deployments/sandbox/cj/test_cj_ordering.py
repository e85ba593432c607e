"""Orders: made once, confirmed, paid or deleted, and what CJ says about it."""

from __future__ import annotations

import pytest

from deployments.sandbox.cj import (
    BUSY_WITH_ORDER,
    BUSY_WITHOUT_ORDER,
    EMPTY_WITH_ORDER,
    ERROR_WITH_EFFECT,
    SUCCESS_WITHOUT_EFFECT,
)
from deployments.sandbox.faults import Fault

CREATE = "/shopping/order/createOrderV2"


def confirm(account, order_id):
    return account.call("PATCH", "/shopping/order/confirmOrder", {"orderId": order_id})


def pay(account, order_id):
    return account.call("POST", "/shopping/pay/payBalance", {"orderId": order_id})


def unpaid(account, number="HS-42", **changes):
    order_id = account.create(number, **changes)["orderId"]
    assert confirm(account, order_id)["data"] == order_id
    return account.cj.order(order_id)


def test_an_order_is_created_unconfirmed_and_told_to_the_cent(account):
    account.cj.options.drift = False
    data = account.create()
    order = account.cj.order("HS-42")
    price = account.oddity("plain").variants[0].price_cents
    assert data["orderId"] == order.order_id
    assert len(order.order_id) == 19
    assert order.order_id.isdecimal()
    assert data["orderAmount"] == pytest.approx((price + order.postage_cents) / 100)
    assert (order.status, order.goods_cents, order.amount_cents) == ("CREATED", price, price + order.postage_cents)
    assert (order.vid, order.is_sandbox, order.paid_cents) == (account.oddity("plain").variants[0].vid, False, 0)


def test_the_order_costs_what_the_quote_said_whatever_its_total_said(account):
    basket = [{"vid": account.oddity("plain").variants[0].vid, "quantity": 1}]
    asked = {"startCountryCode": "CN", "endCountryCode": "US", "products": basket}
    rows = account.data("POST", "/logistic/freightCalculate", asked)
    for n, row in enumerate(rows):
        account.create(f"HS-{n}", logisticName=row["logisticName"])
        parts = row["logisticPrice"] + row["taxesFee"] + row["clearanceOperationFee"]
        assert account.detail(f"HS-{n}")["postageAmount"] == pytest.approx(parts)


def test_an_order_number_is_good_for_one_order(account):
    account.create()
    assert account.code("POST", CREATE, account.order_body(shippingCity="Elsewhere")) == 1603003
    assert len(account.cj.orders) == 1
    assert account.detail("HS-42")["shippingCity"] == "Testville"


@pytest.mark.parametrize(("for_ever", "code"), [(False, 200), (True, 1603003)])
def test_whether_a_number_outlives_its_order_is_a_switch(open_account, for_ever, code):
    account = open_account(numbers_stay_taken=for_ever)
    order_id = account.create()["orderId"]
    account.data("DELETE", "/shopping/order/deleteOrder", orderId=order_id)
    assert account.call("POST", CREATE, account.order_body())["code"] == code


def test_detail_is_found_by_our_number_and_by_cj_id_and_absence_is_1600300(account):
    order_id = account.create()["orderId"]
    by_id, by_number = account.detail(order_id), account.detail("HS-42")
    assert by_id == by_number
    assert (by_id["orderNum"], by_id["orderStatus"], by_id["cjOrderId"]) == ("HS-42", "CREATED", None)
    assert account.code("GET", "/shopping/order/getOrderDetail", orderId="HS-43") == 1600300
    assert account.code("GET", "/shopping/order/getOrderDetail") == 16900403


def test_a_batch_leaves_out_what_it_does_not_know(account):
    for n in range(3):
        account.create(f"HS-{n}")
    rows = account.data("POST", "/shopping/order/getOrderDetailBatch", {"orderIds": ["HS-0", "HS-9", "HS-2", "HS-0"]})
    assert [row["orderNum"] for row in rows] == ["HS-0", "HS-2"]
    too_many = {"orderIds": [str(n) for n in range(101)]}
    assert account.code("POST", "/shopping/order/getOrderDetailBatch", too_many) == 1600300


def test_the_list_shows_cancelled_orders_unless_a_status_is_given(account):
    account.create("HS-1")
    account.create("HS-2")
    account.cj.cancel_order("HS-2")
    assert [row["orderNum"] for row in account.data("GET", "/shopping/order/list")["list"]] == ["HS-2"]
    created = account.data("GET", "/shopping/order/list", status="CREATED", pageSize=100)
    assert [row["orderNum"] for row in created["list"]] == ["HS-1"]
    assert "productList" not in created["list"][0]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderNumber": ""}, 16900403),
        ({"orderNumber": "x" * 51}, 1600300),
        ({"orderNumber": 42}, 1600300),
        ({"shippingProvince": None}, 16900403),
        ({"shippingCountryCode": "XX"}, 1605002),
        ({"logisticName": "Pigeon"}, 1605000),
        ({"logisticName": "USPS+"}, 1605001),
        ({"payType": "3"}, 1600300),
        ({"payType": 4}, 1600300),
        ({"isSandbox": True}, 1600300),
        ({"products": []}, 16900403),
        ({"products": [{"vid": "1", "quantity": 1}]}, 1602000),
        ({"shippingEmail": "ada@example.test"}, 1600300),
        ({"shopLogisticsType": 1}, 16900403),
        ({"shippingCountryCode": "DE", "shippingCountry": "Germany"}, 1603000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_faulty_order_is_refused_with_its_code_and_not_kept(account, changes, code):
    assert account.code("POST", CREATE, account.order_body() | changes) == code
    assert account.cj.orders == []


def test_an_order_to_the_union_passes_with_an_ioss_type(account):
    account.create(shippingCountryCode="DE", shippingCountry="Germany", iossType=3, iossNumber="CJ-IOSS")
    assert account.detail("HS-42")["shippingCountryCode"] == "DE"


def test_vid_and_sku_must_name_the_same_variant_and_an_off_sale_one_is_refused(account):
    one, other = account.oddity("plain").variants[:2]
    wrong = [{"vid": one.vid, "sku": other.sku, "quantity": 1}]
    assert account.code("POST", CREATE, account.order_body(products=wrong)) == 1600300
    account.create("HS-1", products=[{"sku": other.sku, "quantity": 2}])
    assert account.cj.order("HS-1").vid == other.vid
    account.cj.delist(one.vid)
    assert account.code("POST", CREATE, account.order_body("HS-2")) == 1602003


def test_an_order_without_stock_is_made_without_a_shipment_and_cannot_be_paid(account):
    variant = account.oddity("plain").variants[0]
    account.cj.set_stock(variant.vid, "CN", 0)
    data = account.create()
    assert data["logisticsMiss"] is True
    assert data["interceptOrderReasons"]
    confirm(account, data["orderId"])
    assert pay(account, data["orderId"])["code"] == 1603101
    assert account.cj.purse.balance_cents == 100_000


def test_drift_makes_every_third_creation_vague(account):
    answers = [account.create(f"HS-{n}") for n in range(3)]
    assert sorted(answer["orderStatus"] for answer in answers) == ["", "CREATED", "CREATED"]
    assert [answer["orderAmount"] == "" for answer in answers].count(True) == 1
    assert all(answer["orderId"] for answer in answers)


def test_an_order_may_be_dearer_than_its_parts(open_account):
    account = open_account(order_surcharge_cents=77)
    order = unpaid(account)
    assert order.amount_cents == order.goods_cents + order.postage_cents + 77
    pay(account, order.order_id)
    assert account.cj.purse.sum_of("pay") == -order.amount_cents


@pytest.mark.parametrize(
    ("lie", "code", "kept"),
    [(BUSY_WITHOUT_ORDER, 1603000, 0), (BUSY_WITH_ORDER, 1603000, 1), (EMPTY_WITH_ORDER, 200, 1)],
)
def test_a_creation_may_lie_once(account, lie, code, kept):
    account.cj.options.create_lies.append(lie)
    said = account.call("POST", CREATE, account.order_body())
    assert (said["code"], len(account.cj.orders)) == (code, kept)
    assert not said["data"]
    assert account.call("POST", CREATE, account.order_body())["code"] == (1603003 if kept else 200)


def test_an_order_is_kept_when_its_answer_is_lost(account):
    account.login()
    account.world.faults.plan(Fault("cj", f"POST {CREATE}", "timeout_after"))
    assert account.send("POST", CREATE, account.order_body()) is None
    assert account.detail("HS-42")["orderStatus"] == "CREATED"


@pytest.mark.parametrize(
    ("pay_type", "status", "paid"),
    [(1, "UNPAID", False), (None, "UNPAID", False), (2, "PENDING", True), (3, "CREATED", False)],
)
def test_the_way_of_paying_decides_where_an_order_begins(account, pay_type, status, paid):
    data = account.create(payType=pay_type)
    order = account.cj.order("HS-42")
    assert (order.status, order.paid_cents == order.amount_cents) == (status, paid)
    assert bool(data["cjPayUrl"]) == (pay_type in (1, None))
    assert account.cj.purse.balance_cents == 100_000 - order.paid_cents


@pytest.mark.parametrize("refuses", [False, True])
def test_paying_at_once_with_too_little_leaves_it_unpaid_or_refuses(open_account, refuses):
    account = open_account(balance_cents=100, short_balance_refuses=refuses)
    said = account.call("POST", CREATE, account.order_body(payType=2))
    assert said["code"] == (1604000 if refuses else 200)
    assert [order.status for order in account.cj.orders] == ([] if refuses else ["UNPAID"])
    assert account.cj.purse.balance_cents == 100


def test_confirming_is_done_once_and_by_json_body_alone(account):
    order_id = account.create()["orderId"]
    assert account.code("PATCH", "/shopping/order/confirmOrder", orderId=order_id) == 16900204
    assert confirm(account, "HS-42")["code"] == 1600300
    assert confirm(account, order_id)["data"] == order_id
    assert account.detail("HS-42")["cjOrderId"] == order_id
    assert confirm(account, order_id)["code"] == 1603001


def test_a_confirmation_may_lag_and_says_so(open_account):
    account = open_account(confirm_lag_seconds=30)
    order_id = account.create()["orderId"]
    assert confirm(account, order_id)["code"] == 200
    again = confirm(account, order_id)
    assert (again["code"], "being confirmed" in again["message"]) == (1603001, True)
    assert pay(account, order_id)["code"] == 1603101
    assert account.code("DELETE", "/shopping/order/deleteOrder", orderId=order_id) == 1603002
    assert account.detail("HS-42")["orderStatus"] == "CREATED"
    account.pass_time(30)
    assert account.detail("HS-42")["orderStatus"] == "UNPAID"


def test_paying_takes_the_money_and_the_goods_once(account):
    order = unpaid(account)
    stock = account.cj.catalogue.units(order.vid, "CN")
    assert pay(account, order.order_id)["code"] == 200
    assert (order.status, order.paid_cents) == ("PENDING", order.amount_cents)
    assert account.cj.catalogue.units(order.vid, "CN") == stock - 1
    assert pay(account, order.order_id)["code"] == 1603101
    assert account.data("GET", "/shopping/pay/getBalance")["amount"] == (100_000 - order.amount_cents) / 100
    movements = [(one.kind, one.cents, one.number) for one in account.cj.payments]
    assert movements == [("opening", 100_000, ""), ("pay", -order.amount_cents, "HS-42")]


@pytest.mark.parametrize("name", ["number", "code", "shipment_id"])
def test_only_the_numeric_id_pays(account, name):
    order = unpaid(account)
    assert pay(account, getattr(order, name))["code"] == 1603100
    assert order.status == "UNPAID"


def test_paying_an_unconfirmed_order_fails(account):
    assert pay(account, account.create()["orderId"])["code"] == 1603101


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda cj, order: cj.set_balance(order.amount_cents - 1), 1604000),
        (lambda cj, order: setattr(cj.options, "balance_blocked", True), 1604001),
        (lambda cj, order: cj.set_stock(order.vid, "CN", 0), 1603102),
    ],
    ids=["short", "blocked", "sold out"],
)
def test_a_payment_that_cannot_be_moves_nothing(account, prepare, code):
    order = unpaid(account)
    prepare(account.cj, order)
    before = account.cj.purse.balance_cents
    assert pay(account, order.order_id)["code"] == code
    assert (order.status, order.paid_cents, account.cj.purse.balance_cents) == ("UNPAID", 0, before)


def test_a_topped_up_balance_pays(account):
    order = unpaid(account)
    account.cj.set_balance(0)
    assert pay(account, order.order_id)["code"] == 1604000
    account.cj.top_up(order.amount_cents)
    assert pay(account, order.order_id)["code"] == 200
    ledger = account.cj.ledger
    assert ledger.pop("balance") == sum(ledger.values()) == 0


@pytest.mark.parametrize(
    ("lie", "code", "moved"), [(SUCCESS_WITHOUT_EFFECT, 200, False), (ERROR_WITH_EFFECT, 1603101, True)]
)
def test_a_payment_may_lie_once(account, lie, code, moved):
    order = unpaid(account)
    account.cj.options.pay_lies.append(lie)
    assert pay(account, order.order_id)["code"] == code
    assert (order.paid_cents > 0) == moved == (account.cj.purse.balance_cents < 100_000)
    assert account.cj.options.pay_lies == []


def test_an_empty_success_is_null_or_an_empty_object(account):
    said = [pay(account, unpaid(account, f"HS-{n}").order_id)["data"] for n in range(4)]
    assert None in said
    assert {} in said


def test_only_an_unconfirmed_order_is_deleted(account):
    order_id = account.create()["orderId"]
    assert account.data("DELETE", "/shopping/order/deleteOrder", orderId=order_id) == order_id
    assert account.code("GET", "/shopping/order/getOrderDetail", orderId="HS-42") == 1600300
    assert (account.cj.orders, [order.number for order in account.cj.book.deleted]) == ([], ["HS-42"])
    order = unpaid(account, "HS-43")
    assert account.code("DELETE", "/shopping/order/deleteOrder", orderId=order.order_id) == 1603002


def test_the_cart_leads_to_the_same_payment(account):
    order = account.cj.order(account.create()["orderId"])
    codes = {"cjOrderIdList": [order.code]}
    assert account.data("POST", "/shopping/order/addCart", codes)["addSuccessOrders"] == [order.code]
    assert order.status == "IN_CART"
    done = account.data("POST", "/shopping/order/addCartConfirm", codes)
    assert (done["submitSuccess"], done["shipmentsId"]) == (True, order.shipment_id)
    assert account.data("POST", "/shopping/order/addCartConfirm", codes)["submitSuccess"] is False
    parent = account.call("POST", "/shopping/order/saveGenerateParentOrder", {"shipmentOrderId": order.shipment_id})
    assert "code" not in parent
    wrong = {"shipmentOrderId": order.order_id, "payId": parent["data"]["payId"]}
    assert account.code("POST", "/shopping/pay/payBalanceV2", wrong) == 1603100
    right = wrong | {"shipmentOrderId": order.shipment_id}
    assert account.call("POST", "/shopping/pay/payBalanceV2", right)["code"] == 200
    assert order.status == "PENDING"


def test_the_operator_pays_or_cancels_by_hand(account):
    account.create("HS-1")
    order = account.cj.pay_by_hand("HS-1")
    assert (order.status, account.cj.purse.balance_cents) == ("PENDING", 100_000 - order.amount_cents)
    stock = account.cj.catalogue.units(order.vid, "CN")
    account.cj.cancel_order(order.order_id)
    account.cj.cancel_order(order.order_id)
    assert (order.status, order.paid_cents, account.cj.purse.balance_cents) == ("CANCELLED", 0, 100_000)
    assert account.cj.catalogue.units(order.vid, "CN") == stock + 1
    assert [one.kind for one in account.cj.payments] == ["opening", "pay", "refund"]
    with pytest.raises(ValueError, match="1603101"):
        account.cj.pay_by_hand("HS-1")
