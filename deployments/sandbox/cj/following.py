"""Reading orders and parcels, and moving them on: detail, batch, list, confirm, delete, track."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from deployments.sandbox.cj.book import STEPS, UNCONFIRMED, Book, Order
from deployments.sandbox.cj.envelope import EMPTY_PARAM, PARAM_ERROR, Refusal, usd
from deployments.sandbox.cj.fields import Query, body, param_error
from deployments.sandbox.cj.life import Life
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.cj.webhooks import PARCEL, stamp
from deployments.sandbox.wire import Request

CONFIRM_FAILED, DELETE_FAILED = 1603001, 1603002


def not_found() -> Refusal:
    """CJ has no code of its own for an order that is not there: it is a parameter error."""
    return Refusal(PARAM_ERROR, "Order not found")


class Following:
    """What can be asked of an order that exists."""

    def __init__(self, options: CjOptions, book: Book, life: Life) -> None:
        self._options, self._book, self._life = options, book, life

    def detail(self, request: Request) -> dict[str, Any]:
        """`getOrderDetail`, by our number or CJ's id."""
        query = Query(request, ("orderId",), many=("features",))
        query.features(("LOGISTICS_TIMELINESS",))
        order = self._book.find(query.text("orderId"))
        if order is None:
            raise not_found()
        return self._shown(order)

    def batch(self, request: Request) -> list[dict[str, Any]]:
        """`getOrderDetailBatch`: at most 100, unknown ones left out silently."""
        ids = body(request, ("orderIds",)).texts("orderIds")
        found = {order.order_id: order for order in map(self._book.find, ids) if order}
        return [self._shown(order) for order in found.values()]

    def page(self, request: Request) -> dict[str, Any]:
        """`order/list`, which oddly shows cancelled orders when no status is asked for."""
        query = Query(request, ("pageNum", "pageSize", "shipmentOrderId", "status"), many=("orderIds",))
        page = query.whole("pageNum", low=1) or 1
        size = query.whole("pageSize", low=1, high=100) or 20
        status = query.maybe_text("status", 200) or "CANCELLED"
        if status not in STEPS and status != "OTHER":
            raise param_error("status")
        ids, shipment = query.many("orderIds"), query.maybe_text("shipmentOrderId", 100)
        rows = [
            order
            for order in reversed(self._book.orders)
            if order.status == status
            and (not ids or order.order_id in ids)
            and (not shipment or order.shipment_id == shipment)
        ]
        shown = [self._shown(order) for order in rows[(page - 1) * size : page * size]]
        for one in shown:
            del one["productList"]
        return {"pageNum": page, "pageSize": size, "total": len(rows), "list": shown}

    def confirm(self, request: Request) -> str:
        """`confirmOrder`: only an unconfirmed order, and only once."""
        order = self._known(body(request, ("orderId",)).text("orderId"))
        if order.confirming:
            raise Refusal(CONFIRM_FAILED, "Confirm order fail, the order is being confirmed")
        if order.status not in UNCONFIRMED:
            raise Refusal(CONFIRM_FAILED, f"Confirm order fail, order status is {order.status}")
        self._life.confirm(order)
        return order.order_id

    def delete(self, request: Request) -> str:
        """`deleteOrder`: only before it is confirmed."""
        order = self._known(Query(request, ("orderId",)).text("orderId"))
        if order.confirming or order.status not in UNCONFIRMED:
            raise Refusal(DELETE_FAILED, f"Delete order fail, order status is {order.status}")
        self._life.delete(order)
        return order.order_id

    def track(self, request: Request) -> list[dict[str, Any]]:
        """`trackInfo`: an array, of the parcels that CJ knows."""
        numbers = Query(request, (), many=("trackNumber",)).many("trackNumber")
        if not numbers:
            raise Refusal(EMPTY_PARAM, "trackNumber must not be empty")
        parcels = {order.track_number: order for order in self._book.orders if order.track_number}
        return [_parcel(parcels[number]) for number in dict.fromkeys(numbers) if number in parcels]

    def _known(self, order_id: str) -> Order:
        order = self._book.by_id(order_id)
        if order is None:
            raise not_found()
        return order

    def _shown(self, order: Order) -> dict[str, Any]:
        confirmed = order.status not in UNCONFIRMED
        where = order.address
        return {
            "orderId": order.order_id,
            "orderNum": order.number,
            "platformOrderId": None,
            "cjOrderId": order.order_id if confirmed else None,
            "cjOrderCode": order.code,
            "orderStatus": order.status,
            "orderAmount": usd(order.amount_cents),
            "productAmount": usd(order.goods_cents),
            "postageAmount": usd(order.postage_cents),
            "orderWeight": order.grams,
            "logisticName": order.logistic_name,
            "trackNumber": order.track_number or None,
            "trackingUrl": None,
            "trackingProvider": None,
            "fromCountryCode": order.from_country,
            "shippingCountryCode": where["country_code"],
            "shippingCountry": where["country"],
            "shippingProvince": where["province"],
            "shippingCity": where["city"],
            "shippingCounty": where["county"] or None,
            "shippingAddress": where["line1"],
            "shippingAddress2": where["line2"] or None,
            "shippingZip": where["zip"] or None,
            "shippingPhone": where["phone"] or None,
            "shippingCustomerName": where["customer"],
            "remark": order.remark,
            "createDate": stamp(order.created),
            "paymentDate": stamp(order.paid),
            "outWarehouseTime": stamp(order.shipped),
            "isComplete": 1 if order.status == "DELIVERED" else 0,
            "isSandbox": 1 if order.is_sandbox else 0,
            "disputeId": None,
            "storageId": None,
            "storageName": None,
            "productList": [
                {
                    "vid": line.vid,
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "sellPrice": usd(line.price_cents),
                    "lineItemId": line.line_item_id,
                    "storeLineItemId": line.store_line_item_id,
                }
                for line in order.lines
            ],
        }


def _parcel(order: Order) -> dict[str, Any]:
    due = order.delivered or ((order.shipped or order.created) + timedelta(days=9))
    return {
        "trackingNumber": order.track_number,
        "logisticName": order.logistic_name,
        "trackingFrom": order.from_country,
        "trackingTo": order.address["country_code"],
        "deliveryDay": "9",
        "deliveryTime": stamp(due),
        "trackingStatus": "Delivered" if order.parcel_status == 12 else _on_the_way(order),
        "lastMileCarrier": "CJPacket",
        "lastTrackNumber": f"9{order.order_id[:14]}",
    }


def _on_the_way(order: Order) -> str:
    return PARCEL.get(order.parcel_status, "In transit") if order.parcel_status > 5 else "In transit"
