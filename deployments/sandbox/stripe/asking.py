"""The SDK's params as a judge of requests: every key, at every depth, and every word where a list of words is given."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import stripe.params
import stripe.params.billing_portal
from stripe import RequestOptions

PARAMS: dict[str, str] = {
    "GET /v1/account": "AccountRetrieveCurrentParams",
    "POST /v1/billing_portal/sessions": "billing_portal.SessionCreateParams",
    "GET /v1/balance_transactions": "BalanceTransactionListParams",
    "GET /v1/balance_transactions/{id}": "BalanceTransactionRetrieveParams",
    "GET /v1/charges/{id}": "ChargeRetrieveParams",
    "GET /v1/credit_notes": "CreditNoteListParams",
    "GET /v1/credit_notes/preview": "CreditNotePreviewParams",
    "GET /v1/credit_notes/{id}": "CreditNoteRetrieveParams",
    "POST /v1/credit_notes": "CreditNoteCreateParams",
    "GET /v1/customers": "CustomerListParams",
    "GET /v1/customers/{id}": "CustomerRetrieveParams",
    "POST /v1/customers": "CustomerCreateParams",
    "POST /v1/customers/{id}": "CustomerUpdateParams",
    "GET /v1/disputes": "DisputeListParams",
    "GET /v1/disputes/{id}": "DisputeRetrieveParams",
    "GET /v1/events": "EventListParams",
    "GET /v1/events/{id}": "EventRetrieveParams",
    "GET /v1/invoice_payments": "InvoicePaymentListParams",
    "GET /v1/invoices": "InvoiceListParams",
    "GET /v1/invoices/{id}": "InvoiceRetrieveParams",
    "GET /v1/invoices/{id}/lines": "InvoiceLineItemListParams",
    "POST /v1/invoices": "InvoiceCreateParams",
    "POST /v1/invoices/{id}/add_lines": "InvoiceAddLinesParams",
    "POST /v1/invoices/{id}/finalize": "InvoiceFinalizeInvoiceParams",
    "POST /v1/invoices/{id}/mark_uncollectible": "InvoiceMarkUncollectibleParams",
    "POST /v1/invoices/{id}/pay": "InvoicePayParams",
    "POST /v1/invoices/{id}/send": "InvoiceSendInvoiceParams",
    "POST /v1/invoices/{id}/void": "InvoiceVoidInvoiceParams",
    "DELETE /v1/invoices/{id}": "InvoiceDeleteParams",
    "GET /v1/payment_intents/{id}": "PaymentIntentRetrieveParams",
    "GET /v1/refunds": "RefundListParams",
    "GET /v1/refunds/{id}": "RefundRetrieveParams",
    "POST /v1/refunds": "RefundCreateParams",
    "GET /v1/webhook_endpoints": "WebhookEndpointListParams",
}
#: Options of a call, which the SDK's annotations list among its params: Stripe knows none of them in a body.
NOT_IN_A_BODY = frozenset(RequestOptions.__annotations__)
UNIONS = (typing.Union, types.UnionType)
_INTEGER = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Objection:
    """What is wrong with a request, as Stripe's 400 says it."""

    code: str
    param: str
    message: str


@lru_cache(maxsize=256)
def _fields(params: Any) -> dict[str, Any]:
    """The params' own annotations, resolved; the options beside them name types that exist for checkers alone."""
    own = {name: hint for name, hint in params.__annotations__.items() if name not in NOT_IN_A_BODY}
    shell = type(params.__name__, (), {"__annotations__": own, "__module__": params.__module__})
    return typing.get_type_hints(shell)


@lru_cache(maxsize=64)
def params_of(operation: str) -> Any:
    """The SDK's params of a call.

    Raises:
        KeyError: a call that the sandbox does not know.
    """
    found: Any = stripe.params
    for part in PARAMS[operation].split("."):
        found = getattr(found, part)
    return found


def objection(operation: str, given: dict[str, Any]) -> Objection | None:
    """The first thing in a request that Stripe would not take, or None."""
    return next(_check(params_of(operation), given, ""), None)


def _check(params: Any, given: dict[str, Any], path: str) -> Iterator[Objection]:
    fields = _fields(params)
    for name, value in given.items():
        here = f"{path}[{name}]" if path else name
        if name not in fields:
            yield Objection("parameter_unknown", here, f"Received unknown parameter: {here}")
        else:
            yield from _value(fields[name], value, here)
    for name in sorted(params.__required_keys__ & set(fields) - set(given)):
        here = f"{path}[{name}]" if path else name
        yield Objection("parameter_missing", here, f"Missing required param: {here}.")


def _value(hint: Any, value: Any, path: str) -> Iterator[Objection]:
    """A value must suit one of the types that its annotation joins; else the deepest objection is told."""
    found: list[Objection] = []
    for kind in _kinds(hint):
        against = list(_suits(kind, value, path))
        if not against:
            return
        found.append(against[0])
    yield max(found, key=lambda one: len(one.param))


def _kinds(hint: Any) -> list[Any]:
    """The members of a union. A list of words beside plain text means the words: the text is for words to come."""
    members = list(typing.get_args(hint)) if typing.get_origin(hint) in UNIONS else [hint]
    words = [one for one in members if typing.get_origin(one) is typing.Literal and typing.get_args(one) != ("",)]
    return [one for one in members if not (one is str and words)]


def _suits(kind: Any, value: Any, path: str) -> Iterator[Objection]:
    origin = typing.get_origin(kind)
    wrong = Objection("parameter_invalid", path, f"Invalid {path}: {value!r}")
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            yield wrong
    elif origin is list:
        if not isinstance(value, list):
            yield wrong
            return
        (member,) = typing.get_args(kind)
        for at, one in enumerate(value):
            yield from _value(member, one, f"{path}[{at}]")
    elif hasattr(kind, "__required_keys__"):  # a TypedDict, of whichever typing module
        if isinstance(value, dict):
            yield from _check(kind, value, path)
        else:
            yield wrong
    elif kind in (int, bool, str, Decimal):
        if not isinstance(value, str) or not _reads_as(kind, value):
            yield wrong
    elif not isinstance(value, dict | list) or not all(isinstance(one, str) for one in _members(value)):
        yield wrong  # what is left are free pairs: metadata


def _members(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _reads_as(kind: Any, text: str) -> bool:
    if kind is int:
        return _INTEGER.fullmatch(text) is not None
    if kind is bool:
        return text in ("true", "false")
    return True
