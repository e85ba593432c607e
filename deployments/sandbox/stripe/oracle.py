"""The SDK's own annotations as a judge of replies: each object, and each part inside it, is of the shape they say."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from functools import cache
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
#: What is wrong with a value, behind its own path; None where it suits.
Judge = Callable[[Any], str | None]
#: Fields that the annotations demand, and that Stripe itself sends only when asked to expand them.
EXPANDED_ONLY = frozenset({"payments", "confirmation_secret", "deleted", "refunds", "threshold_reason"})


class OracleError(AssertionError):
    """A reply of the sandbox's is not of the SDK's shape: a fault of the sandbox itself."""


def check_reply(row: Any) -> None:
    """Hold a reply, and every object inside it, against the annotations of its class.

    Raises:
        OracleError: a field is missing, null, of another type, or a word that the SDK does not list.
    """
    for complaint in _walk(row):
        raise OracleError(complaint)


def _walk(row: Any) -> Iterator[str]:
    """Objects that name their own class are judged by it, wherever they stand."""
    if isinstance(row, dict):
        kind = CLASSES.get(str(row.get("object")))
        if kind is not None and not row.get("deleted") and (wrong := _complaint(kind, row)):
            yield f"{row['object']}{wrong}"
        row = list(row.values())
    for value in row:
        if isinstance(value, dict | list):
            yield from _walk(value)


def _complaint(kind: type, row: dict[str, Any]) -> str | None:
    for name, judge in _judges(kind):
        if wrong := judge(row.get(name)):
            return f".{name}{wrong}"
    return None


@cache
def _judges(kind: type) -> tuple[tuple[str, Judge], ...]:
    """A class's fields, each with its judge."""
    hints = getattr(kind, "__annotations__", {}).items()
    return tuple((name, _judge(hint)) for name, hint in hints if name != "OBJECT_NAME" and name not in EXPANDED_ONLY)


@cache
def _judge(hint: Any) -> Judge:
    """The judge of a field, made once: a reply has hundreds of them."""
    members = typing.get_args(hint) if typing.get_origin(hint) in UNIONS else (hint,)
    listed = any(typing.get_origin(one) is typing.Literal for one in members)
    # The text beside listed words is for words to come.
    judges = [_suits(kind) for kind in members if kind is not type(None) and not (kind is str and listed)]
    missing = None if type(None) in members else " is missing"

    def judge(value: Any) -> str | None:
        if value is None:
            return missing
        wrongs = (one(value) for one in judges)
        first = next(wrongs, None)
        return first if first is None or all(wrongs) else None

    return judge


def _suits(kind: Any) -> Judge:
    """Whether a value is of one kind."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        words = typing.get_args(kind)
        return lambda value: None if value in words else f" is {value!r}"
    if origin is list:
        return _each(_judge(typing.get_args(kind)[0]))
    if kind in (int, str, bool):
        return lambda value: None if type(value) is kind else f" is {value!r}"
    if origin is ListObject:
        return lambda value: None if isinstance(value, dict) and value.get("object") == "list" else " is no list object"
    if isinstance(kind, type) and issubclass(kind, StripeObject) and _is_part(kind):
        return lambda value: _complaint(kind, value) if isinstance(value, dict) else f" is {value!r}"
    return lambda value: None


def _each(judge: Judge) -> Judge:
    def of_list(value: Any) -> str | None:
        if not isinstance(value, list):
            return " is no list"
        return next((f"[{at}]{wrong}" for at, one in enumerate(value) if (wrong := judge(one))), None)

    return of_list


def _is_part(kind: type) -> bool:
    """Whether a class is a part of another one, with no name of its own; the others are judged by `_walk`."""
    return "." in kind.__qualname__
