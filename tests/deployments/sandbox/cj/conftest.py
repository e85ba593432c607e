"""A CJ account to call, on a clock that stands still until it is moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deployments.sandbox.cj import Cj, CjOptions
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import Clock, World

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HOOK = "http://127.0.0.1:9/webhooks/cj"


class Account:
    """A caller with a token; every call goes through the world's door."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_interval_seconds", 0)
        self.world = World(seed=1, clock=Clock(START, speed=0))
        self.world.base_url = "http://127.0.0.1:8000"
        self.cj = Cj(self.world, CjOptions(**options))
        self.world.add(self.cj)
        self.token = ""

    def raw(self, method: str, path: str, *, body: bytes = b"", query: Any = (), **headers: str) -> Reply | None:
        """One call as it is."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.world.dispatch("cj", Request(method, path, tuple(query), given, body)).reply

    def call(self, method: str, path: str, json_body: Any = None, **query: Any) -> dict[str, Any]:
        """One call with a token; the envelope that came."""
        reply = self.send(method, path, json_body, **query)
        assert reply is not None
        envelope: dict[str, Any] = json.loads(reply.body)
        return envelope

    def send(self, method: str, path: str, json_body: Any = None, **query: Any) -> Reply | None:
        """One call with a token; the whole reply, or None where none came."""
        if not self.token:
            self.login()
        pairs = [
            (name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])
        ]
        body = b"" if json_body is None else json.dumps(json_body).encode()
        return self.raw(
            method, path, body=body, query=pairs, cj_access_token=self.token, content_type="application/json"
        )

    def data(self, method: str, path: str, json_body: Any = None, **query: Any) -> Any:
        """The data of a call that must succeed."""
        envelope = self.call(method, path, json_body, **query)
        assert envelope.get("code", 200) == 200, envelope
        return envelope["data"]

    def code(self, method: str, path: str, json_body: Any = None, **query: Any) -> int:
        """The code of a call that must be refused with null data."""
        envelope = self.call(method, path, json_body, **query)
        assert envelope["result"] is False
        assert envelope["data"] is None
        return int(envelope["code"])

    def login(self, key: str = "any") -> dict[str, Any]:
        """Log in and keep the token."""
        body = json.dumps({"apiKey": key}).encode()
        reply = self.raw("POST", "/authentication/getAccessToken", body=body, content_type="application/json")
        assert reply is not None
        envelope: dict[str, Any] = json.loads(reply.body)
        if envelope["data"]:
            self.token = envelope["data"]["accessToken"]
        return envelope

    def pass_time(self, seconds: float) -> None:
        """Let the sandbox's time pass, and everything happen that falls due."""
        self.world.clock.advance(seconds)
        self.world.run_due()

    def oddity(self, oddity: str, keyword: str = "desk lamp") -> Any:
        """A product with this oddity."""
        return next(p for p in self.cj.catalogue.products if p.oddity == oddity and p.kind.keyword == keyword)

    def order_body(self, number: str = "HS-42", **changes: Any) -> dict[str, Any]:
        """A complete order of one plain desk lamp to the US."""
        return {
            "orderNumber": number,
            "shippingCountryCode": "US",
            "shippingCountry": "United States",
            "shippingProvince": "Ohio",
            "shippingCity": "Testville",
            "shippingAddress": "1 Sample Street",
            "shippingCustomerName": "Ada Example",
            "shippingZip": "43004",
            "shippingPhone": "+15555550100",
            "logisticName": "CJPacket Ordinary",
            "fromCountryCode": "CN",
            "payType": 3,
            "products": [
                {"vid": self.oddity("plain").variants[0].vid, "quantity": 1, "storeLineItemId": f"{number}-1"}
            ],
            **changes,
        }

    def create(self, number: str = "HS-42", **changes: Any) -> Any:
        """Make an order; the creation's data."""
        return self.data("POST", "/shopping/order/createOrderV2", self.order_body(number, **changes))

    def detail(self, number_or_id: str) -> Any:
        """An order's detail."""
        return self.data("GET", "/shopping/order/getOrderDetail", orderId=number_or_id)

    def told(self) -> list[dict[str, Any]]:
        """The webhooks sent so far, as they were written."""
        return [json.loads(delivery.body) for delivery in self.world.deliveries]


@pytest.fixture
def open_account() -> Callable[..., Account]:
    """Open an account with these options."""
    return Account


@pytest.fixture
def account() -> Account:
    """An account with the usual options, and no pace."""
    return Account()
