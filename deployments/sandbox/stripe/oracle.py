"""The SDK's own annotations as a judge: what a reply must have, and what a request may have."""

from __future__ import annotations

import types
import typing
from functools import lru_cache
from typing import Any

import stripe
import stripe.params

CLASSES: dict[str, type] = {
    "account": stripe.Account,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "credit_note": stripe.CreditNote,
    "credit_note_line_item": stripe.CreditNoteLineItem,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "refund": stripe.Refund,
}

PARAMS: dict[str, str] = {
    "POST /v1/customers": "CustomerCreateParams",
    "GET /v1/customers": "CustomerListParams",
    "POST /v1/invoices": "InvoiceCreateParams",
    "GET /v1/invoices": "InvoiceListParams",
    "POST /v1/invoices/{id}/add_lines": "InvoiceAddLinesParams",
    "POST /v1/invoices/{id}/finalize": "InvoiceFinalizeInvoiceParams",
    "POST /v1/invoices/{id}/pay": "InvoicePayParams",
    "POST /v1/invoices/{id}/void": "InvoiceVoidInvoiceParams",
    "GET /v1/invoice_payments": "InvoicePaymentListParams",
    "POST /v1/credit_notes": "CreditNoteCreateParams",
    "GET /v1/credit_notes/preview": "CreditNotePreviewParams",
    "GET /v1/credit_notes": "CreditNoteListParams",
    "GET /v1/refunds": "RefundListParams",
    "POST /v1/refunds": "RefundCreateParams",
    "GET /v1/disputes": "DisputeListParams",
    "GET /v1/events": "EventListParams",
}


class OracleError(AssertionError):
    """A reply of the sandbox's is not of the SDK's shape: a fault of the sandbox itself."""


@lru_cache(maxsize=64)
def _fields(kind: str) -> dict[str, tuple[bool, tuple[type, ...]]]:
    """Field -> (may it be missing, the plain types it may have; () for "whatever")."""
    found: dict[str, tuple[bool, tuple[type, ...]]] = {}
    for name, annotation in CLASSES[kind].__annotations__.items():
        if name == "OBJECT_NAME":
            continue
        is_union = isinstance(annotation, types.UnionType) or str(annotation).startswith(
            ("typing.Union", "typing.Optional")
        )
        optional = is_union and type(None) in typing.get_args(annotation)
        plain: tuple[type, ...] = (annotation,) if annotation in (int, str, bool) else ()
        found[name] = (optional, plain)
    return found


#: Fields that the annotations demand, and that Stripe itself sends only when asked to expand them.
EXPANDED_ONLY = frozenset({"payments", "confirmation_secret", "deleted", "refunds", "threshold_reason"})


def check_reply(row: Any) -> None:
    """Hold a reply, and every object inside it, against the annotations of its class.

    Raises:
        OracleError: a field is missing, null, or of another type.
    """
    if isinstance(row, list):
        for one in row:
            check_reply(one)
        return
    if not isinstance(row, dict):
        return
    kind = row.get("object")
    if kind in CLASSES:
        for name, (optional, plain) in _fields(kind).items():
            if optional or name in EXPANDED_ONLY:
                continue
            if row.get(name) is None:
                raise OracleError(f"{kind}.{name} is missing")
            if plain and type(row[name]) not in plain:
                raise OracleError(f"{kind}.{name} is {row[name]!r}")
    for value in row.values():
        check_reply(value)


@lru_cache(maxsize=64)
def _allowed(operation: str) -> frozenset[str] | None:
    name = PARAMS.get(operation)
    if name is None:
        return None
    return frozenset(getattr(stripe.params, name).__annotations__)


def unknown_params(operation: str, given: dict[str, Any]) -> list[str]:
    """Top-level parameters that Stripe does not know for this call."""
    allowed = _allowed(operation)
    return [] if allowed is None else sorted(set(given) - allowed - {"expand"})
