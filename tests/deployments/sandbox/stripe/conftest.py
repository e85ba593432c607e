"""A Stripe account to call through the real SDK, on a clock that stands still until it is moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe

from deployments.sandbox.people import Person
from deployments.sandbox.stripe import Stripe
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import Clock, World

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Line(stripe.HTTPClient):
    """The SDK's way into the world, without a socket."""

    name = "line"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def request(self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None) -> Any:
        parts = urlsplit(url)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        low = {name.lower(): value for name, value in (headers or {}).items()}
        sent = self.world.dispatch("stripe", Request(method.upper(), parts.path, query, low, body))
        if sent.reply is None:
            raise stripe.APIConnectionError("no answer")
        return sent.reply.body, sent.reply.status, sent.reply.headers

    def close(self) -> None:
        """Nothing is open."""


class Account:
    """An account with its caller."""

    def __init__(self) -> None:
        stripe.enable_telemetry = False
        self.world = World(seed=1, clock=Clock(START, speed=0))
        self.bank = Stripe(self.world)
        self.world.add(self.bank)
        self.store = self.bank.store
        client = stripe.StripeClient(
            "sk_test_sandbox", http_client=Line(self.world), base_addresses={"api": "http://127.0.0.1:1"}
        )
        self.v1: Any = client.v1

    def raw(self, method: str, path: str, *pairs: tuple[str, str], key: str = "") -> Reply:
        """One call as it is, with whatever parameters."""
        body = "&".join(f"{name}={value}" for name, value in pairs).encode() if method == "POST" else b""
        headers = {"authorization": "Bearer sk_test_sandbox", **({"idempotency-key": key} if key else {})}
        query = () if method == "POST" else pairs
        reply = self.world.dispatch("stripe", Request(method, path, query, headers, body)).reply
        assert reply is not None
        return reply

    def refusal(self, method: str, path: str, *pairs: tuple[str, str]) -> tuple[int, str, str]:
        """Status, code and parameter of a call that must be refused."""
        reply = self.raw(method, path, *pairs)
        error = json.loads(reply.body)["error"]
        return reply.status, error.get("code", ""), error.get("param", "")

    def customer(self, manner: str = "good", name: str = "ada") -> str:
        """A person's customer id."""
        self.world.people.add(Person(name, name.title(), f"{name}@people.invalid", manner))
        known = self.v1.customers.list({"email": f"{name}@people.invalid"}).data
        return str(known[0].id if known else self.v1.customers.create({"email": f"{name}@people.invalid"}).id)

    def draft(self, customer: str, *cents: int) -> Any:
        """A draft with lines of these amounts."""
        invoice = self.v1.invoices.create({"customer": customer, "metadata": {"invoice_ref": "s:ada:0"}})
        lines = [{"amount": one, "metadata": {"lot_id": str(at)}} for at, one in enumerate(cents)]
        return self.v1.invoices.add_lines(invoice.id, {"lines": lines})

    def open(self, customer: str, *cents: int) -> Any:
        """A finalized invoice."""
        return self.v1.invoices.finalize_invoice(self.draft(customer, *cents).id)

    def paid(self, *cents: int) -> Any:
        """An invoice paid by card."""
        return self.v1.invoices.pay(self.open(self.customer(), *cents).id, {"off_session": True})

    def credit(self, invoice: Any, line: int, **more: Any) -> Any:
        """Credit one line whole."""
        one = invoice.lines.data[line]
        lines = [{"type": "invoice_line_item", "invoice_line_item": one.id, "amount": one.amount}]
        return self.v1.credit_notes.create({"invoice": invoice.id, "lines": lines, **more})

    def intent(self, invoice: Any) -> str:
        """The payment intent that paid an invoice."""
        return str(self.v1.invoice_payments.list({"invoice": invoice.id}).data[0].payment.payment_intent)

    def happened(self) -> list[str]:
        """Every event's type, the oldest first."""
        return [event["type"] for event in self.store.events]

    def pass_time(self, seconds: float) -> None:
        """Let the sandbox's time pass, and everything happen that falls due."""
        self.world.clock.advance(seconds)
        self.world.run_due()


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def open_account() -> Callable[[], Account]:
    return Account
