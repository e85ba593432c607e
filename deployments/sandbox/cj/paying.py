"""Paying: from the balance, by the cart, or, for test orders, by pretending."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.cj.book import Book, Order, Purse
from deployments.sandbox.cj.envelope import EMPTY_PARAM, Refusal, usd
from deployments.sandbox.cj.fields import Query, body, param_error
from deployments.sandbox.cj.life import PAYMENT_FAILED, Life
from deployments.sandbox.cj.options import ERROR_WITH_EFFECT, SUCCESS_WITHOUT_EFFECT, CjOptions
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

ORDER_UNKNOWN = 1603100
NO_ORDER, NOT_SANDBOX, UNPAID_OR_CLOSED, NOT_SAVED = 803, 811, 819, 821
#: Where a sandbox order may be moved, and from where.
TARGETS = {400: "PROCESSING", 500: "SHIPPED", 600: "DELIVERED", 700: "CANCELLED"}


class Paying:
    """The cash desk."""

    def __init__(self, world: World, options: CjOptions, book: Book, purse: Purse, life: Life) -> None:
        self._world, self._options, self._book = world, options, book
        self._purse, self._life = purse, life

    def pay_balance(self, request: Request) -> dict[str, Any] | None:
        """`payBalance`, by CJ's numeric id alone. Its answer may lie when the options say so."""
        order = self._book.by_id(body(request, ("orderId",)).text("orderId"))
        if order is None:
            raise Refusal(ORDER_UNKNOWN, "Order not found")
        return self._pay(order)

    def pay_balance_v2(self, request: Request) -> dict[str, Any] | None:
        """`payBalanceV2`, by the parent shipment."""
        fields = body(request, ("shipmentOrderId", "payId"))
        order = self._book.by_shipment(fields.text("shipmentOrderId"))
        pay_id = fields.maybe_text("payId")
        if order is None or (pay_id and pay_id != order.pay_id):
            raise Refusal(ORDER_UNKNOWN, "Order not found")
        return self._pay(order)

    def balance(self, request: Request) -> dict[str, Any]:
        """`getBalance`; two of its three sums may be null."""
        Query(request, ())
        other = None if self._options.drift else 0
        return {"amount": usd(self._purse.balance_cents), "noWithdrawalAmount": other, "freezeAmount": other}

    def add_cart(self, request: Request) -> dict[str, Any]:
        """`addCart`, by SD codes."""
        orders = self._coded(request)
        for order in orders:
            if order.status == "CREATED" and not order.confirming:
                self._life.into_cart(order)
        taken = [order.code for order in orders if order.status == "IN_CART"]
        return {
            "successCount": len(taken),
            "addSuccessOrders": taken,
            "unInterceptAddressCount": 0,
            "interceptOrders": [],
        }

    def confirm_cart(self, request: Request) -> dict[str, Any]:
        """`addCartConfirm`: what is in the cart becomes UNPAID; what is not, is not submitted."""
        orders = [order for order in self._coded(request) if order.status == "IN_CART" and not order.confirming]
        for order in orders:
            self._life.confirm(order)
        return {
            "successCount": len(orders),
            "submitSuccess": bool(orders),
            "shipmentsId": orders[0].shipment_id if orders else None,
            "result": 1 if orders else 0,
            "interceptOrders": [],
        }

    def parent_order(self, request: Request) -> dict[str, Any]:
        """`saveGenerateParentOrder`: a payment id for a shipment."""
        order = self._book.by_shipment(body(request, ("shipmentOrderId",)).text("shipmentOrderId"))
        if order is None:
            raise Refusal(ORDER_UNKNOWN, "Order not found")
        good = order.status == "UNPAID"
        if good and not order.pay_id:
            order.pay_id = f"PAY{self._world.new_number():012d}"
        return {
            "payId": order.pay_id or None,
            "payExpireTime": None,
            "orderMoney": usd(order.amount_cents),
            "submitSuccess": good,
            "successOrders": [order.code] if good else [],
            "unMatchOrderCodes": [],
            "interceptOrders": [],
            "paymentInformation": {
                "actualPayment": usd(order.amount_cents),
                "payableAmount": usd(order.amount_cents),
                "freight": usd(order.postage_cents),
                "orderProductAmount": usd(order.goods_cents),
                "canDeduct": True,
                "iossAmount": 0,
                "serviceFee": 0,
            },
        }

    def simulate_pay(self, request: Request) -> bool:
        """`simulatePay`: an unpaid sandbox order is paid, without money."""
        fields = body(request, ("orderId", "shipmentOrderId"))
        order_id, shipment = fields.maybe_text("orderId"), fields.maybe_text("shipmentOrderId")
        if not order_id and not shipment:
            raise Refusal(EMPTY_PARAM, "orderId must not be empty")
        found = self._book.by_id(order_id) if order_id else self._book.by_shipment(shipment)
        order = _sandboxed(found)
        if order.status != "UNPAID":
            raise Refusal(UNPAID_OR_CLOSED, f"order status is {order.status}")
        self._life.paid(order)
        return True

    def update_status(self, request: Request) -> bool:
        """`updateStatus`: strictly one step forward."""
        fields = body(request, ("orderId", "targetStatus"))
        order = _sandboxed(self._book.by_id(fields.text("orderId")))
        target = fields.required_whole("targetStatus")
        if target not in TARGETS:
            raise param_error("targetStatus")
        if order.is_unpaid or order.status == "CANCELLED":
            raise Refusal(UNPAID_OR_CLOSED, f"order status is {order.status}")
        if target != order.step + 100:
            raise Refusal(NOT_SAVED, f"cannot go from {order.step} to {target}")
        self._life.set_status(order, TARGETS[target])
        return True

    def update_track_number(self, request: Request) -> bool:
        """`updateTrackNumber`: of a paid order that is not closed."""
        fields = body(request, ("orderId", "trackNumber"))
        order = _sandboxed(self._book.by_id(fields.text("orderId")))
        number = fields.text("trackNumber", 64)
        if order.is_unpaid or order.status == "CANCELLED":
            raise Refusal(UNPAID_OR_CLOSED, f"order status is {order.status}")
        order.track_number = number
        return True

    def _pay(self, order: Order) -> dict[str, Any] | None:
        lies = self._options.pay_lies
        if lies and order.status == "UNPAID" and not order.is_sandbox:
            lie = lies.pop(0)
            if lie == SUCCESS_WITHOUT_EFFECT:
                return self._nothing(order)
            self._life.pay(order)
            if lie == ERROR_WITH_EFFECT:
                raise Refusal(PAYMENT_FAILED, "Payment failed")
        else:
            self._life.pay(order)
        return self._nothing(order)

    def _nothing(self, order: Order) -> dict[str, Any] | None:
        """A success that says nothing is null, or an empty object."""
        return {} if self._options.drift and int(order.order_id) % 2 else None

    def _coded(self, request: Request) -> list[Order]:
        codes = body(request, ("cjOrderIdList",)).texts("cjOrderIdList")
        return [order for order in map(self._book.by_code, codes) if order]


def _sandboxed(order: Order | None) -> Order:
    if order is None:
        raise Refusal(NO_ORDER, "order does not exist")
    if not order.is_sandbox:
        raise Refusal(NOT_SANDBOX, "not a sandbox order")
    return order
