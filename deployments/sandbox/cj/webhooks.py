"""What CJ tells by itself: registered once, signed with the account's own number."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from deployments.sandbox.cj.book import Order
from deployments.sandbox.cj.envelope import PARAM_ERROR, Refusal, usd
from deployments.sandbox.cj.fields import body, inner, param_error
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

NOT_A_URL, NOT_HTTPS, NO_ANSWER, ALREADY_SET = 1606000, 1606001, 1607001, 1607003
REQUIRED = ("product", "stock", "order", "logistics")
OPTIONAL = ("makeup", "privateOrder")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: What a parcel's numbers mean.
PARCEL = {1: "Shipped", 5: "Line haul", 10: "Out for delivery", 12: "Delivered"}


class Webhooks:
    """The outgoing side."""

    def __init__(self, world: World, options: CjOptions) -> None:
        self._world, self._options = world, options
        self.topics: dict[str, list[str]] = {}

    def register(self, request: Request) -> bool:
        """`webhook/set`. Each address is tried at once, unsigned, and must answer 200; a held clock waits for nobody.

        The real CJ takes public HTTPS alone. Here plain HTTP on loopback is let through as well: it is where the
        receiver of a sandbox lives.
        """
        fields = body(request, (*REQUIRED, *OPTIONAL))
        for name in REQUIRED:
            if name not in fields.values:
                raise Refusal(PARAM_ERROR, f"Param error, {name}")
        chosen: dict[str, list[str]] = {}
        for name, value in fields.values.items():
            topic = inner(value, ("type", "callbackUrls"), name)
            kind = topic.text("type", 20)
            if kind == "CANCEL":
                chosen[name] = []
                continue
            if kind != "ENABLE":
                raise param_error(f"{name}.type")
            urls = topic.texts("callbackUrls")
            if len(urls) != 1:
                raise param_error(f"{name}.callbackUrls")
            _check_url(urls[0])
            if self._options.refuse_same_webhook and self.topics.get(name) == urls:
                raise Refusal(ALREADY_SET, "The callback url is already set")
            chosen[name] = urls
        for url in dict.fromkeys(url for urls in chosen.values() for url in urls):
            if self._world.knock is None:
                self._world.post("cj", url, {"content-type": "application/json"}, b"{}", "probe", 1)
            elif self._world.knock(url, b"{}") != 200:
                raise Refusal(NO_ANSWER, "The callback url did not answer 200 within 3 seconds")
        self.topics.update(chosen)
        return True

    def suspend(self, topic: str) -> None:
        """As CJ does when too few messages were taken: the topic is off until somebody sets it again."""
        self.topics[topic] = []

    def callbacks(self) -> dict[str, Any]:
        """The topics as `setting/get` shows them; `urls` here, `callbackUrls` when writing."""
        return {
            name: {"type": "ENABLE" if self.topics.get(name) else "CANCEL", "urls": self.topics.get(name, [])}
            for name in REQUIRED
        }

    def order(self, order: Order, kind: str = "UPDATE") -> None:
        """Tell what became of an order. Its id goes unquoted, as in the older samples."""
        params = {
            "orderNumber": order.number,
            "cjOrderId": int(order.order_id),
            "orderStatus": order.status,
            "logisticName": order.logistic_name,
            "trackNumber": order.track_number or None,
            "trackingUrl": None,
            "createDate": stamp(order.created),
            "updateDate": stamp(order.updated or order.created),
            "payDate": stamp(order.paid),
            "deliveryDate": stamp(order.shipped),
            "completeDate": stamp(order.delivered),
            "orderItems": [
                {
                    "vid": line.vid,
                    "quantity": line.quantity,
                    "sellPrice": usd(line.price_cents),
                    "lineItemId": line.line_item_id,
                    "storeLineItemId": line.store_line_item_id,
                }
                for line in order.lines
            ],
        }
        self._tell("order", "ORDER", kind, params, order, {})

    def parcel(self, order: Order) -> None:
        """Tell where a parcel is; the events are JSON inside a string."""
        now = stamp(self._world.clock.now())
        words = PARCEL.get(order.parcel_status, "In transit")
        event = {
            "status": order.parcel_status,
            "activity": f" {words}",
            "location": f" {order.address['city'].upper()}" if order.parcel_status == 12 else " SHENZHEN",
            "eventTime": now,
            "statusDesc": words,
        }
        params = {
            "orderId": int(order.order_id),
            "logisticName": order.logistic_name,
            "trackingNumber": order.track_number,
            "trackingUrl": None,
            "trackingStatus": order.parcel_status,
            "logisticsTrackEvents": json.dumps([event]),
            "storeOrderNumbers": [order.number],
        }
        self._tell("logistics", "LOGISTIC", "UPDATE", params, order, {"openId": self._options.open_id})

    def _tell(
        self, topic: str, kind: str, message: str, params: dict[str, Any], order: Order, more: dict[str, Any]
    ) -> None:
        if not self._options.webhooks_on or (order.is_sandbox and not self._options.sandbox_events):
            return
        number = self._world.new_number()
        told = {"messageId": f"{number:032x}", "type": kind, "messageType": message, **more, "params": params}
        default = [] if topic in self.topics else [self._options.webhook_url]
        for url in self.topics.get(topic, default):
            if url:
                said = json.dumps(told, ensure_ascii=False).encode()
                self._send(url, said, f"{kind} {order.number} {order.status}")

    def _send(self, url: str, said: bytes, label: str, tries: int = 4) -> None:
        headers = {"content-type": "application/json", "sign": sign(self._options.open_id, said)}
        self._world.post("cj", url, headers, said, label, tries)


def sign(open_id: int, said: bytes) -> str:
    """Base64 of the HMAC-SHA256 of the raw body, keyed by the decimal openId; the padding stays."""
    return base64.b64encode(hmac.new(str(open_id).encode(), said, hashlib.sha256).digest()).decode()


def stamp(moment: datetime | None) -> str | None:
    """UTC without saying so, as order detail has it."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else None


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Refusal(NOT_A_URL, "The callback url is invalid") from None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise Refusal(NOT_A_URL, "The callback url is invalid")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Refusal(NOT_HTTPS, "The callback url must be https")
