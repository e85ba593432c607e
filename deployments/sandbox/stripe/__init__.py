"""Stripe: invoices, payments, credit notes, refunds and disputes, judged both ways by the SDK's own annotations."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.stripe import asking, credit, customers, invoices, oracle, routes
from deployments.sandbox.stripe.form import nested
from deployments.sandbox.stripe.store import ApiError, Store, StripeOptions, copied, invalid
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

_ID = re.compile(r"/(?:cus|in|pi|ch|txn|cn|re|dp|evt)_\w+")
Row = dict[str, Any]
IN_USE = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "This key is in use just now"}


@dataclass(frozen=True)
class _Stored:
    """A reply kept under an idempotency key."""

    request: str
    status: int
    body: Row
    at: float


class Stripe:
    """The vendor, as the world knows it."""

    name = "stripe"

    def __init__(self, world: World, options: StripeOptions | None = None) -> None:
        self.world = world
        self.options = options or StripeOptions()
        self.store = Store(world, self.options)
        self._keys: dict[str, _Stored] = {}
        self._inside: list[tuple[str, int]] = []
        self._begun = ""

    def operation(self, request: Request) -> str:
        """Method and path, with {id} for ids. Each request is named before it is served: none has begun yet."""
        self._begun = ""
        return _named(request)

    def throttled(self) -> Reply:
        """Too many requests."""
        error = {"type": "rate_limit_error", "code": "rate_limit", "message": "Too many requests"}
        return Reply.of({"error": error}, 429)

    def broken(self) -> Reply:
        """An error inside. Where the request had begun, the error is what its key replays from now on."""
        body = _failure()
        if self._begun in self._keys:
            before = self._keys[self._begun]
            self._keys[self._begun] = _Stored(before.request, 500, body, before.at)
        return Reply.of(body, 500)

    def forget_keys(self) -> None:
        """As after a day: no idempotency key is known any more."""
        self._keys.clear()

    def fail_inside(self, operation: str, status: int = 500, times: int = 1) -> None:
        """Let the next calls of this name fail once they have begun, without effect.

        500 is stored under the request's key, and replayed; 409 (the key is in use just now) is not.
        """
        if status not in (409, 500):
            raise ValueError(f"inside, 409 and 500 happen, not {status}")
        self._inside += [(operation, status)] * times

    def handle(self, request: Request) -> Reply:
        """Answer one call."""
        if request.path.startswith(("/pay/", "/portal/")):
            return self._page(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith(self.options.accepts):
            return Reply.of({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}, 401)
        operation = _named(request)
        pairs = request.form() if request.method == "POST" else list(request.query)
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        fingerprint = hashlib.sha256(f"{operation}{request.path}{sorted(pairs)}".encode()).hexdigest()
        if (stored := self._keys.get(key)) and self._alive(stored):
            if stored.request != fingerprint:
                message = "Keys for idempotent requests can only be used with the same parameters"
                return Reply.of({"error": {"type": "idempotency_error", "message": message}}, 400)
            return Reply.of(stored.body, stored.status, {"idempotent-replayed": "true"})
        status, body = self._answer(operation, request.path, nested(pairs))
        # A success, a decline and a failure inside are kept; what was refused before it began is not.
        kept = status < 400 or status == 402 or status >= 500
        if key and kept:
            self._keys[key] = _Stored(fingerprint, status, body, self.store.now())
            self._begun = key
        return Reply.of(body, status, {"request-id": f"req_{self.world.new_number():08d}"})

    def _alive(self, stored: _Stored) -> bool:
        return self.store.now() - stored.at < self.options.key_life_seconds

    def _answer(self, operation: str, path: str, given: Row) -> tuple[int, Row]:
        try:
            if operation in routes.CALLS and (wrong := asking.objection(operation, given)):
                raise invalid(wrong.message, code=wrong.code, param=wrong.param)
            if status := self._fails_inside(operation):
                return status, _failure() if status == 500 else {"error": IN_USE}
            row = copied(routes.answer(self.store, operation, path, given))
        except ApiError as error:
            oracle.check_reply(error.error)
            return error.status, {"error": copied(error.error)}
        oracle.check_reply(row)
        return 200, row

    def _fails_inside(self, operation: str) -> int:
        for planned in self._inside:
            if planned[0] == operation:
                self._inside.remove(planned)
                return planned[1]
        return 0

    def _page(self, request: Request) -> Reply:
        """What a buyer sees in a browser: the hosted invoice, and the portal with its address form."""
        _, page, thing = request.path.split("/")[:3]
        if page == "portal":
            return self._portal_page(request, thing)
        invoice = self.store.invoices.get(thing)
        if invoice is None:
            return Reply(404, b"no such invoice")
        if request.method == "POST":
            invoices.pay_by_hand(self.store, invoice)
        words = {"invoice": invoice["number"], "status": invoice["status"], "due": invoice["amount_remaining"]}
        return _html("Invoice", words, "<button>Pay</button>")

    def _portal_page(self, request: Request, customer_id: str) -> Reply:
        customer = self.store.customers.get(customer_id)
        if customer is None:
            return Reply(404, b"no such customer")
        if request.method == "POST":
            given = dict(request.form())
            self.give_address(customer_id, given.pop("name", ""), **given)
        return _html("Shipping address", {"shipping": customer["shipping"]}, "<input name=name><input name=line1>")

    # What a person, a bank or a test does from outside.

    def pay_by_hand(self, invoice_id: str, cents: int | None = None) -> bool:
        """The buyer pays on the hosted page, all of it or a part."""
        return invoices.pay_by_hand(self.store, self._invoice(invoice_id), cents)

    def give_address(self, customer_id: str, name: str, **address: str) -> Row:
        """The buyer completes the shipping address in the portal."""
        shipping = {"name": name, "phone": None, "address": {**customers.BLANK, **address}}
        return customers.update(
            self.store, self.store.get(self.store.customers, customer_id, "customer"), {"shipping": shipping}
        )

    def void_by_hand(self, invoice_id: str) -> None:
        """Somebody voids it in the dashboard."""
        invoices.void(self.store, self._invoice(invoice_id))

    def write_off_by_hand(self, invoice_id: str) -> None:
        """Somebody marks it uncollectible in the dashboard; it can still be paid."""
        invoices.mark_uncollectible(self.store, self._invoice(invoice_id))

    def refund_by_hand(self, invoice_id: str, cents: int) -> Row:
        """Somebody refunds in the dashboard: a bare refund, with no link to a line."""
        return credit.refund(self.store, self._charge_of(invoice_id), cents, {})

    def fail_refund(self, refund_id: str) -> None:
        """A refund fails after all."""
        credit.fail(self.store, self.store.get(self.store.refunds, refund_id, "refund"))

    def open_dispute(self, invoice_id: str) -> Row:
        """The buyer's bank disputes the payment."""
        return credit.open_dispute(self.store, self._charge_of(invoice_id))

    def close_dispute(self, dispute_id: str, won: bool) -> None:
        """The dispute is decided."""
        credit.close_dispute(self.store, self.store.get(self.store.disputes, dispute_id, "dispute"), won=won)

    def _invoice(self, invoice_id: str) -> Row:
        return self.store.get(self.store.invoices, invoice_id, "invoice")

    def _charge_of(self, invoice_id: str) -> Row:
        payment = self.store.payments[invoice_id][0]
        return self.store.charges[self.store.intents[payment["payment"]["payment_intent"]]["latest_charge"]]


def _named(request: Request) -> str:
    return f"{request.method} {_ID.sub('/{id}', request.path)}"


def _failure() -> Row:
    return {"error": {"type": "api_error", "message": "Something went wrong"}}


def _html(title: str, words: Row, form: str) -> Reply:
    shown = json.dumps(words).replace("&", "&amp;").replace("<", "&lt;")
    page = f"<!doctype html><h1>{title}</h1><pre>{shown}</pre><form method=post>{form}</form>"
    return Reply(200, page.encode(), {"content-type": "text/html; charset=utf-8"})


__all__ = ["Stripe", "StripeOptions"]
