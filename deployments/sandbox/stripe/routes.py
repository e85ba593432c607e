"""Which call does what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.sandbox.stripe import credit, customers, events, invoices
from deployments.sandbox.stripe.lists import filtered, newest, page
from deployments.sandbox.stripe.store import ApiError, Store

Row = dict[str, Any]
Call = Callable[[Store, str, Row], Row]


def _list(find: Callable[[Store, str, Row], list[Row]]) -> Call:
    return lambda store, thing, given: page(find(store, thing, given), given)


def _invoice(store: Store, thing: str) -> Row:
    return store.get(store.invoices, thing, "invoice")


def _on(act: Callable[[Store, Row], Row]) -> Call:
    return lambda store, thing, given: act(store, _invoice(store, thing))


def _one(rows: str, what: str) -> Call:
    return lambda store, thing, given: store.get(getattr(store, rows), thing, what)


def _invoices(store: Store, thing: str, given: Row) -> list[Row]:
    rows = filtered(newest(store.invoices.values()), given, "customer", "status", "collection_method")
    return [invoices.view(store, row) for row in rows]


def _lines(store: Store, thing: str, given: Row) -> list[Row]:
    return store.lines[_invoice(store, thing)["id"]]  # in their own order, as they stand on the invoice


def _payments(store: Store, thing: str, given: Row) -> list[Row]:
    if given.get("invoice"):
        return newest(store.payments[_invoice(store, given["invoice"])["id"]])
    wanted = (given.get("payment") or {}).get("payment_intent")
    rows = [row for rows in store.payments.values() for row in rows]
    return newest(row for row in rows if wanted in (None, row["payment"]["payment_intent"]))


def _intent(store: Store, thing: str, given: Row) -> Row:
    row = dict(store.get(store.intents, thing, "payment_intent"))
    expand = given.get("expand") or []
    if row["latest_charge"] and any(one.startswith("latest_charge") for one in expand):
        inner = [one.removeprefix("latest_charge.") for one in expand]
        row["latest_charge"] = _shown_charge(store, store.charges[row["latest_charge"]], inner)
    return row


def _charge(store: Store, thing: str, given: Row) -> Row:
    return _shown_charge(store, store.get(store.charges, thing, "charge"), given.get("expand") or [])


def _shown_charge(store: Store, charge: Row, expand: list[str]) -> Row:
    """A charge; the movement it made, and with it the fee, may become known later."""
    shown = dict(charge)
    if store.now() - charge["created"] < store.options.fee_known_after:
        shown["balance_transaction"] = None
    elif "balance_transaction" in expand:
        shown["balance_transaction"] = store.movements[charge["balance_transaction"]]
    return shown


def _events(store: Store, thing: str, given: Row) -> list[Row]:
    types = given.get("types") or [one for one in [given.get("type")] if one]
    return [row for row in filtered(newest(store.events), given) if not types or row["type"] in types]


def _event(store: Store, thing: str, given: Row) -> Row:
    return store.get({row["id"]: row for row in store.events}, thing, "event")


def _money(rows: str, *names: str) -> Callable[[Store, str, Row], list[Row]]:
    return lambda store, thing, given: filtered(newest(getattr(store, rows).values()), given, *names)


CALLS: dict[str, Call] = {
    "GET /v1/account": lambda store, thing, given: {"id": store.options.account_id, "object": "account"},
    "GET /v1/balance_transactions": _list(_money("movements", "source", "type")),
    "GET /v1/balance_transactions/{id}": _one("movements", "balance transaction"),
    "POST /v1/billing_portal/sessions": lambda store, thing, given: customers.portal(store, given),
    "GET /v1/charges/{id}": _charge,
    "GET /v1/credit_notes": _list(_money("notes", "invoice", "customer")),
    "GET /v1/credit_notes/preview": lambda store, thing, given: credit.preview(store, given),
    "GET /v1/credit_notes/{id}": _one("notes", "credit note"),
    "POST /v1/credit_notes": lambda store, thing, given: credit.create(store, given),
    "GET /v1/customers": _list(lambda store, thing, given: customers.listed(store, given)),
    "GET /v1/customers/{id}": _one("customers", "customer"),
    "POST /v1/customers": lambda store, thing, given: customers.create(store, given),
    "POST /v1/customers/{id}": lambda store, thing, given: customers.update(
        store, store.get(store.customers, thing, "customer"), given
    ),
    "GET /v1/disputes": _list(_money("disputes", "charge", "payment_intent")),
    "GET /v1/disputes/{id}": _one("disputes", "dispute"),
    "GET /v1/events": _list(_events),
    "GET /v1/events/{id}": _event,
    "GET /v1/invoice_payments": _list(_payments),
    "GET /v1/invoices": _list(_invoices),
    "GET /v1/invoices/{id}": _on(invoices.view),
    "GET /v1/invoices/{id}/lines": _list(_lines),
    "POST /v1/invoices": lambda store, thing, given: invoices.create(store, given),
    "POST /v1/invoices/{id}/add_lines": lambda store, thing, given: invoices.add_lines(
        store, _invoice(store, thing), given
    ),
    "POST /v1/invoices/{id}/finalize": _on(invoices.finalize),
    "POST /v1/invoices/{id}/mark_uncollectible": _on(invoices.mark_uncollectible),
    "POST /v1/invoices/{id}/pay": _on(invoices.pay),
    "POST /v1/invoices/{id}/send": _on(invoices.send),
    "POST /v1/invoices/{id}/void": _on(invoices.void),
    "DELETE /v1/invoices/{id}": _on(invoices.delete),
    "GET /v1/payment_intents/{id}": _intent,
    "GET /v1/refunds": _list(_money("refunds", "charge", "payment_intent")),
    "GET /v1/refunds/{id}": _one("refunds", "refund"),
    "GET /v1/webhook_endpoints": _list(lambda store, thing, given: events.endpoints(store)),
    "POST /v1/refunds": lambda store, thing, given: credit.create_refund(store, given),
}


def answer(store: Store, operation: str, path: str, given: Row) -> Row:
    """Do one call.

    Raises:
        ApiError: Stripe's own no.
    """
    if operation not in CALLS:
        raise ApiError(404, "invalid_request_error", f"Unrecognized request URL ({operation})")
    thing = path.split("/")[3] if path.count("/") >= 3 else ""
    row = CALLS[operation](store, thing, given)
    if row["object"] == "list":
        row["url"] = path  # where the SDK asks for the next page
    return row
