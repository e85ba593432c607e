"""Stripe: invoices, payments, credit notes, refunds and disputes, each reply judged by the SDK's own annotations."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.people import Person
from deployments.sandbox.stripe import credit, invoices, oracle
from deployments.sandbox.stripe.form import nested
from deployments.sandbox.stripe.store import ApiError, Store, StripeOptions, invalid
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

_ID = re.compile(r"/(?:cus|in|pi|ch|txn|cn|re|dp|evt)_\w+")
CARD_MANNERS = ("good", "declined", "recovers", "good_later", "secure")
Row = dict[str, Any]


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

    def operation(self, request: Request) -> str:
        """Method and path, with {id} for ids."""
        return f"{request.method} {_ID.sub('/{id}', request.path)}"

    def throttled(self) -> Reply:
        """Too many requests."""
        error = {"type": "rate_limit_error", "code": "rate_limit", "message": "Too many requests"}
        return Reply.of({"error": error}, 429)

    def broken(self) -> Reply:
        """An error inside."""
        return Reply.of({"error": {"type": "api_error", "message": "Something went wrong"}}, 500)

    def forget_keys(self) -> None:
        """As after a day: no idempotency key is known any more."""
        self._keys.clear()

    def handle(self, request: Request) -> Reply:
        """Answer one call."""
        if request.path.startswith("/pay/"):
            return self._hosted_page(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith(("sk_test", "rk_test")):
            return Reply.of({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}, 401)
        operation = self.operation(request)
        pairs = request.form() if request.method == "POST" else list(request.query)
        given = nested(pairs)
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        fingerprint = hashlib.sha256(f"{operation}{request.path}{sorted(pairs)}".encode()).hexdigest()
        if (stored := self._keys.get(key)) and self._alive(stored):
            if stored.request != fingerprint:
                message = "Keys for idempotent requests can only be used with the same parameters"
                return Reply.of({"error": {"type": "idempotency_error", "message": message}}, 400)
            return Reply.of(stored.body, stored.status, {"idempotent-replayed": "true"})
        status, body = self._answer(operation, request.path, given)
        kept = status < 400 or status == 402 or status >= 500
        if key and kept:
            self._keys[key] = _Stored(fingerprint, status, body, self.store.now())
        return Reply.of(body, status, {"request-id": f"req_{self.world.new_number():08d}"})

    def _alive(self, stored: _Stored) -> bool:
        return self.store.now() - stored.at < self.options.key_life_seconds

    def _answer(self, operation: str, path: str, given: Row) -> tuple[int, Row]:
        try:
            if unknown := oracle.unknown_params(operation, given):
                raise invalid(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
            row = copy.deepcopy(self._do(operation, path, given))
        except ApiError as error:
            return error.status, {"error": error.error}
        oracle.check_reply(row)
        return 200, row

    def _do(self, operation: str, path: str, given: Row) -> Row:
        store = self.store
        thing = path.split("/")[3] if path.count("/") >= 3 else ""
        calls: dict[str, Callable[[], Row]] = {
            "GET /v1/account": self._account,
            "GET /v1/customers": lambda: self._list(self._customers(given), given),
            "POST /v1/customers": lambda: self._create_customer(given),
            "GET /v1/customers/{id}": lambda: store.get(store.customers, thing, "customer"),
            "POST /v1/invoices": lambda: invoices.create(store, given),
            "GET /v1/invoices": lambda: self._list(self._invoices(given), given),
            "GET /v1/invoices/{id}": lambda: invoices.view(store, self._invoice(thing)),
            "GET /v1/invoices/{id}/lines": lambda: self._list(store.lines[self._invoice(thing)["id"]], given),
            "POST /v1/invoices/{id}/add_lines": lambda: invoices.add_lines(store, self._invoice(thing), given),
            "POST /v1/invoices/{id}/finalize": lambda: invoices.finalize(store, self._invoice(thing)),
            "POST /v1/invoices/{id}/pay": lambda: invoices.pay(store, self._invoice(thing)),
            "POST /v1/invoices/{id}/void": lambda: invoices.void(store, self._invoice(thing)),
            "GET /v1/invoice_payments": lambda: self._list(self._payments(given), given),
            "GET /v1/payment_intents/{id}": lambda: self._intent(thing, given),
            "GET /v1/credit_notes": lambda: self._list(self._by(store.notes, given, "invoice"), given),
            "GET /v1/credit_notes/preview": lambda: credit.preview(store, given),
            "POST /v1/credit_notes": lambda: credit.create(store, given),
            "GET /v1/refunds": lambda: self._list(self._by(store.refunds, given, "payment_intent"), given),
            "GET /v1/refunds/{id}": lambda: store.get(store.refunds, thing, "refund"),
            "GET /v1/disputes": lambda: self._list(self._by(store.disputes, given, "payment_intent"), given),
            "GET /v1/events": lambda: self._list(self._events(given), given),
        }
        if operation not in calls:
            raise ApiError(404, "invalid_request_error", f"Unrecognized request URL ({operation})")
        return calls[operation]()

    def _list(self, rows: list[Row], given: Row) -> Row:
        """A page: `limit` rows after `starting_after`."""
        limit = int(given.get("limit", 10))
        if not 1 <= limit <= 100:
            raise invalid("limit is from 1 to 100", param="limit")
        ids = [row["id"] for row in rows]
        start = ids.index(given["starting_after"]) + 1 if given.get("starting_after") in ids else 0
        shown = rows[start : start + limit]
        return {"object": "list", "data": shown, "has_more": start + limit < len(rows), "url": "/v1/list"}

    def _account(self) -> Row:
        return {"id": self.options.account_id, "object": "account"}

    def _customers(self, given: Row) -> list[Row]:
        email = given.get("email")
        if email and (person := self.world.people.by_email(email)) and self.options.customers_on_file:
            self._on_file(person)
        return [row for row in self.store.customers.values() if not email or row["email"] == email]

    def _on_file(self, person: Person) -> None:
        """People with a card on file were customers before."""
        known = any(row["email"] == person.email for row in self.store.customers.values())
        if not known and person.manner in CARD_MANNERS:
            self._new_customer(person.email, person.name, {"basta_user_id": person.user_id}, card=True)

    def _create_customer(self, given: Row) -> Row:
        person = self.world.people.by_email(given.get("email") or "")
        card = person is not None and person.manner in CARD_MANNERS
        return self._new_customer(given.get("email"), given.get("name"), given.get("metadata") or {}, card=card)

    def _new_customer(self, email: str | None, name: str | None, metadata: Row, *, card: bool) -> Row:
        row = self.store.new(
            "customer", "cus", email=email, name=name, balance=0, shipping=None, address=None, discount=None
        )
        row["metadata"] = dict(metadata)
        row["invoice_settings"] = {**row["invoice_settings"]}
        row["invoice_settings"]["default_payment_method"] = f"pm_{row['id']}" if card else None
        self.store.customers[row["id"]] = row
        return row

    def _invoice(self, invoice_id: str) -> Row:
        return self.store.get(self.store.invoices, invoice_id, "invoice")

    def _invoices(self, given: Row) -> list[Row]:
        rows = [invoices.view(self.store, row) for row in reversed(self.store.invoices.values())]
        for name in ("customer", "status", "collection_method"):
            if given.get(name):
                rows = [row for row in rows if row[name] == given[name]]
        return rows

    def _payments(self, given: Row) -> list[Row]:
        if given.get("invoice"):
            return self.store.payments[self._invoice(given["invoice"])["id"]]
        wanted = (given.get("payment") or {}).get("payment_intent")
        rows = [row for rows in self.store.payments.values() for row in rows]
        return [row for row in rows if row["payment"]["payment_intent"] == wanted]

    def _intent(self, intent_id: str, given: Row) -> Row:
        row = dict(self.store.get(self.store.intents, intent_id, "payment_intent"))
        expand = given.get("expand") or []
        charge_id = row.get("latest_charge")
        if charge_id and any(one.startswith("latest_charge") for one in expand):
            row["latest_charge"] = charge = dict(self.store.charges[charge_id])
            late = self.store.now() - charge["created"] < self.options.fee_known_after
            if late:
                charge["balance_transaction"] = None
            elif "latest_charge.balance_transaction" in expand:
                charge["balance_transaction"] = self.store.movements[charge["balance_transaction"]]
        return row

    def _by(self, rows: dict[str, Row], given: Row, name: str) -> list[Row]:
        return [row for row in rows.values() if name not in given or row[name] == given[name]]

    def _events(self, given: Row) -> list[Row]:
        since = int((given.get("created") or {}).get("gte") or 0)
        types = given.get("types") or []
        rows = [row for row in reversed(self.store.events) if row["created"] >= since]
        return [row for row in rows if not types or row["type"] in types]

    def _hosted_page(self, request: Request) -> Reply:
        invoice = self.store.invoices.get(request.path.split("/")[2])
        if invoice is None:
            return Reply(404, b"no such invoice")
        if request.method == "POST":
            invoices.pay_by_hand(self.store, invoice)
        words = {"invoice": invoice["number"], "status": invoice["status"], "due": invoice["amount_remaining"]}
        page = f"<h1>Invoice</h1><pre>{json.dumps(words)}</pre><form method=post><button>Pay</button></form>"
        return Reply(200, page.encode(), {"content-type": "text/html; charset=utf-8"})

    # What a person, a bank or a test does from outside.

    def pay_by_hand(self, invoice_id: str) -> bool:
        """The buyer pays on the hosted page."""
        return invoices.pay_by_hand(self.store, self._invoice(invoice_id))

    def void_by_hand(self, invoice_id: str) -> None:
        """Somebody voids it in the dashboard."""
        invoices.void(self.store, self._invoice(invoice_id))

    def refund_by_hand(self, invoice_id: str, cents: int) -> Row:
        """Somebody refunds in the dashboard: a bare refund, with no link to a line."""
        payment = self.store.payments[invoice_id][0]
        charge = self.store.charges[self.store.intents[payment["payment"]["payment_intent"]]["latest_charge"]]
        return credit.refund(self.store, charge, cents, {})

    def fail_refund(self, refund_id: str) -> None:
        """A refund fails after all."""
        credit.fail(self.store, self.store.get(self.store.refunds, refund_id, "refund"))

    def open_dispute(self, invoice_id: str) -> Row:
        """The buyer's bank disputes the payment."""
        payment = self.store.payments[invoice_id][0]
        charge = self.store.charges[self.store.intents[payment["payment"]["payment_intent"]]["latest_charge"]]
        return credit.open_dispute(self.store, charge)

    def close_dispute(self, dispute_id: str, won: bool) -> None:
        """The dispute is decided."""
        credit.close_dispute(self.store, self.store.get(self.store.disputes, dispute_id, "dispute"), won=won)


__all__ = ["Stripe", "StripeOptions"]
