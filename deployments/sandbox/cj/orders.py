"""Making an order: what CJ demands of it, and what it answers, true or not."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.cj.book import Book, Line, Order
from deployments.sandbox.cj.catalogue import Catalogue
from deployments.sandbox.cj.countries import EU, known_country
from deployments.sandbox.cj.envelope import EMPTY_PARAM, Refusal, usd
from deployments.sandbox.cj.fields import Fields, body, inner, param_error
from deployments.sandbox.cj.freight import Freight
from deployments.sandbox.cj.invention import Variant
from deployments.sandbox.cj.life import BALANCE_LOW, Life
from deployments.sandbox.cj.options import BUSY_WITH_ORDER, BUSY_WITHOUT_ORDER, EMPTY_WITH_ORDER, CjOptions
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

CREATION_FAILED, NUMBER_TAKEN = 1603000, 1603003

#: Text fields: the longest text, and whether it must be there.
TEXTS: dict[str, tuple[int, bool]] = {
    "orderNumber": (50, True),
    "shippingCountryCode": (20, True),
    "shippingCountry": (50, True),
    "shippingProvince": (50, True),
    "shippingCity": (50, True),
    "shippingAddress": (200, True),
    "shippingAddress2": (200, False),
    "shippingCustomerName": (50, True),
    "shippingZip": (20, False),
    "shippingPhone": (20, False),
    "shippingCounty": (50, False),
    "houseNumber": (20, False),
    "email": (50, False),
    "taxId": (20, False),
    "consigneeID": (20, False),
    "logisticName": (50, True),
    "fromCountryCode": (20, True),
    "storageId": (40, False),
    "platform": (20, False),
    "iossNumber": (10, False),
    "remark": (500, False),
}
NUMBERS: dict[str, tuple[int, ...]] = {
    "payType": (1, 2, 3),
    "shopLogisticsType": (1, 2, 3),
    "iossType": (1, 2, 3),
    "orderFlow": (1, 2),
    "isSandbox": (0, 1),
}
LINE_FIELDS = ("vid", "sku", "quantity", "unitPrice", "storeLineItemId", "podProperties")
ALLOWED = (*TEXTS, *NUMBERS, "shopAmount", "products")


class Orders:
    """The counter where orders are handed in."""

    def __init__(
        self, world: World, options: CjOptions, book: Book, catalogue: Catalogue, freight: Freight, life: Life
    ) -> None:
        self._world, self._options, self._book = world, options, book
        self._catalogue, self._freight, self._life = catalogue, freight, life

    def create(self, request: Request) -> dict[str, Any]:
        """`createOrderV2`: an order number is good for one order."""
        fields = body(request, ALLOWED)
        texts = {
            name: fields.text(name, limit) if required else fields.maybe_text(name, limit)
            for name, (limit, required) in TEXTS.items()
        }
        numbers = {name: fields.whole(name, among=among) for name, among in NUMBERS.items()}
        fields.cents("shopAmount")
        lines = self._lines(fields)
        self._check_address(texts, numbers)
        if self._book.taken(texts["orderNumber"], for_ever=self._options.numbers_stay_taken):
            raise Refusal(NUMBER_TAKEN, "Order number already exists")
        lie = self._options.create_lies.pop(0) if self._options.create_lies else ""
        if lie == BUSY_WITHOUT_ORDER:
            raise Refusal(CREATION_FAILED, "Create order fail, system busy, please try again later")
        order = self._order(texts, lines, is_sandbox=numbers["isSandbox"] == 1)
        self._start(order, numbers["payType"] or 1)
        if lie == BUSY_WITH_ORDER:
            raise Refusal(CREATION_FAILED, "Create order fail, system busy, please try again later")
        return {} if lie == EMPTY_WITH_ORDER else self._answer(order, numbers["payType"] or 1)

    def _lines(self, fields: Fields) -> list[tuple[Variant, int, str]]:
        lines = []
        for row in fields.rows("products"):
            line = inner(row, LINE_FIELDS, "products")
            vid, sku = line.maybe_text("vid"), line.maybe_text("sku")
            if not vid and not sku:
                raise Refusal(EMPTY_PARAM, "vid must not be empty")
            variant = self._catalogue.variant(vid) if vid else self._catalogue.variant_by_sku(sku)
            if sku and variant.sku != sku:
                raise param_error("sku")
            line.cents("unitPrice")
            lines.append((variant, line.required_whole("quantity", low=1), line.maybe_text("storeLineItemId", 125)))
        return lines

    def _check_address(self, texts: dict[str, str], numbers: dict[str, int | None]) -> None:
        country = known_country(texts["shippingCountryCode"])
        known_country(texts["fromCountryCode"])
        if numbers["shopLogisticsType"] == 1 and not texts["storageId"]:
            raise Refusal(EMPTY_PARAM, "storageId must not be empty")
        ioss = numbers["iossType"]
        if country in EU and (ioss is None or (ioss == 2 and not texts["iossNumber"])):
            raise Refusal(CREATION_FAILED, 'Create order fail, {"code":1603004,"message":"IOSS number is missing"}')
        if country == "BR" and not texts["taxId"]:
            raise Refusal(CREATION_FAILED, 'Create order fail, {"code":1603005,"message":"taxId is missing"}')

    def _order(self, texts: dict[str, str], lines: list[tuple[Variant, int, str]], *, is_sandbox: bool) -> Order:
        start, end = texts["fromCountryCode"], texts["shippingCountryCode"]
        basket = [(variant.vid, quantity) for variant, quantity, _ in lines]
        quote = self._freight.quote(texts["logisticName"], start, end, basket)
        now, number = self._world.clock.now(), self._world.new_number()
        rows = tuple(
            Line(
                vid=variant.vid,
                sku=variant.sku,
                quantity=quantity,
                price_cents=self._catalogue.price_cents(variant.vid),
                line_item_id=f"{now:%y%m%d}{number:010d}{place:03d}",
                store_line_item_id=ours,
            )
            for place, (variant, quantity, ours) in enumerate(lines, 1)
        )
        order = Order(
            number=texts["orderNumber"],
            order_id=f"{now:%y%m%d}{number:013d}",
            code=f"SD{now:%y%m%d}{number:011d}",
            shipment_id=f"SD{now:%y%m%d}9{number:010d}",
            status="CREATED",
            lines=rows,
            address={
                "customer": texts["shippingCustomerName"],
                "country": texts["shippingCountry"],
                "country_code": end,
                "province": texts["shippingProvince"],
                "city": texts["shippingCity"],
                "county": texts["shippingCounty"],
                "line1": texts["shippingAddress"],
                "line2": texts["shippingAddress2"],
                "zip": texts["shippingZip"],
                "phone": texts["shippingPhone"],
                "house_number": texts["houseNumber"],
                "email": texts["email"],
                "tax_id": texts["taxId"],
            },
            logistic_name=quote.carrier.name,
            from_country=start,
            goods_cents=sum(line.price_cents * line.quantity for line in rows),
            postage_cents=quote.cents,
            surcharge_cents=self._options.order_surcharge_cents,
            grams=sum(variant.grams * quantity for variant, quantity, _ in lines),
            is_sandbox=is_sandbox,
            created=now,
            logistics_miss=any(self._catalogue.units(vid, start) < quantity for vid, quantity in basket),
            remark=texts["remark"],
            history=[(now, "CREATED")],
        )
        self._book.orders.append(order)
        return order

    def _start(self, order: Order, pay_type: int) -> None:
        """Where an order begins. Accounts differ, so the options decide."""
        state = {1: self._options.page_payment_state, 2: "UNPAID", 3: self._options.create_only_state}[pay_type]
        if order.is_sandbox:
            state = "PENDING" if pay_type == 2 else self._options.sandbox_start
        if state != "CREATED":
            order.status = "UNPAID"
            order.history.append((order.created, "UNPAID"))
        if state == "PENDING":
            self._life.paid(order)
        elif pay_type == 2 and not order.is_sandbox:
            self._pay_now(order)

    def _pay_now(self, order: Order) -> None:
        """`payType` 2 deducts the balance in the same request; if it cannot, the order stays unpaid."""
        try:
            self._life.pay(order)
        except Refusal as refusal:
            if self._options.short_balance_refuses and refusal.code == BALANCE_LOW:
                self._book.orders.remove(order)
                raise

    def _answer(self, order: Order, pay_type: int) -> dict[str, Any]:
        """The creation's answer; with drift, every third one leaves out what it should tell."""
        vague = self._options.drift and int(order.order_id) % 3 == 0
        intercepts = [{"code": 1001, "message": "Insufficient inventory"}] if order.logistics_miss else []
        money: dict[str, Any] = {
            "orderAmount": order.amount_cents,
            "productAmount": order.goods_cents,
            "postageAmount": order.postage_cents,
            "actualPayment": order.amount_cents,
            "productOriginalAmount": order.goods_cents,
            "postageOriginalAmount": order.postage_cents,
            "orderOriginalAmount": order.amount_cents,
            "productDiscountAmount": 0,
            "postageDiscountAmount": 0,
            "totalDiscountAmount": 0,
            "iossAmount": 0,
            "iossTaxHandlingFee": 0,
        }
        return {
            "orderNumber": order.number,
            "orderId": order.code if self._options.answer_with_code else order.order_id,
            "shipmentOrderId": "" if vague else order.shipment_id,
            "orderStatus": "" if vague else order.status,
            **{name: "" if vague else usd(cents) for name, cents in money.items()},
            "cjPayUrl": f"{self._world.base_url}/pay/{order.order_id}" if pay_type == 1 else None,
            "logisticsMiss": order.logistics_miss,
            "interceptOrderReasons": intercepts,
            "productInfoList": [
                {
                    "variantId": line.vid,
                    "quantity": line.quantity,
                    "lineItemId": line.line_item_id,
                    "storeLineItemId": line.store_line_item_id,
                    "isGroup": False,
                    "subOrderProducts": [],
                }
                for line in order.lines
            ],
        }
