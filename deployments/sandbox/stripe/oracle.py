"""The SDK's own annotations as a judge of replies: each object, and each part inside it, is of the shape they say."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import stripe
import stripe.billing_portal
from stripe import ListObject, StripeObject

CLASSES: dict[str, type] = {
    "account": stripe.Account,
    "balance_transaction": stripe.BalanceTransaction,
    "billing_portal.session": stripe.billing_portal.Session,
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
    "webhook_endpoint": stripe.WebhookEndpoint,
}
UNIONS = (typing.Union, types.UnionType)
#: Fields that the annotations demand, and that Stripe itself sends only when asked to expand them.
EXPANDED_ONLY = frozenset({"payments", "confirmation_secret", "deleted", "refunds", "threshold_reason"})


class OracleError(AssertionError):
    """A reply of the sandbox's is not of the SDK's shape: a fault of the sandbox itself."""


@lru_cache(maxsize=512)
def _fields(kind: type) -> dict[str, Any]:
    return {
        name: hint
        for name, hint in getattr(kind, "__annotations__", {}).items()
        if name != "OBJECT_NAME" and name not in EXPANDED_ONLY
    }


def check_reply(row: Any) -> None:
    """Hold a reply, and every object inside it, against the annotations of its class.

    Raises:
        OracleError: a field is missing, null, of another type, or a word that the SDK does not list.
    """
    for complaint in _walk(row, str(row.get("object", "reply")) if isinstance(row, dict) else "reply"):
        raise OracleError(complaint)


def _walk(row: Any, path: str) -> Iterator[str]:
    """Objects that name their own class are judged by it, wherever they stand."""
    if isinstance(row, list):
        for at, one in enumerate(row):
            yield from _walk(one, f"{path}[{at}]")
    elif isinstance(row, dict):
        kind = CLASSES.get(str(row.get("object")))
        if kind is not None and not row.get("deleted"):
            yield from _complaints(kind, row, str(row["object"]))
        for name, value in row.items():
            yield from _walk(value, f"{path}.{name}")


def _complaints(kind: type, row: dict[str, Any], path: str) -> Iterator[str]:
    for name, hint in _fields(kind).items():
        yield from _value(hint, row.get(name), f"{path}.{name}")


@lru_cache(maxsize=2048)
def _members(hint: Any) -> tuple[tuple[Any, ...], bool]:
    """What a hint allows, and whether it lists words."""
    members = typing.get_args(hint) if typing.get_origin(hint) in UNIONS else (hint,)
    return members, any(typing.get_origin(one) is typing.Literal for one in members)


def _value(hint: Any, value: Any, path: str) -> Iterator[str]:
    members, listed = _members(hint)
    if value is None:
        if type(None) not in members:
            yield f"{path} is missing"
        return
    found: list[str] = []
    for kind in members:
        if kind is type(None) or (kind is str and listed):  # the text beside listed words is for words to come
            continue
        complaints = list(_suits(kind, value, path))
        if not complaints:
            return
        found += complaints
    yield from found[:1]


def _suits(kind: Any, value: Any, path: str) -> Iterator[str]:
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            yield f"{path} is {value!r}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for at, one in enumerate(value):
            yield from _value(typing.get_args(kind)[0], one, f"{path}[{at}]")
    elif kind in (int, str, bool):
        if type(value) is not kind:
            yield f"{path} is {value!r}"
    elif origin is ListObject:
        if not isinstance(value, dict) or value.get("object") != "list":
            yield f"{path} is no list object"
    elif isinstance(kind, type) and issubclass(kind, StripeObject) and _is_part(kind):
        if not isinstance(value, dict):
            yield f"{path} is {value!r}"
            return
        yield from _complaints(kind, value, path)


def _is_part(kind: type) -> bool:
    """Whether a class is a part of another one, with no name of its own; the others are judged by `_walk`."""
    return "." in kind.__qualname__
