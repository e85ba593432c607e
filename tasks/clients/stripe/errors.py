"""Stripe's errors as our two kinds, decided once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stripe

from tasks.clients.service import NotLetIn, ServiceError, ServiceRefused, ServiceUnavailable

SERVICE = "Stripe"
NEEDS_ACTION = frozenset({"invoice_payment_intent_requires_action", "authentication_required"})
NO_CARD_WORDS = ("no default payment method", "no payment method", "default_payment_method", "payment source")


class CardDeclined(ServiceRefused):
    """The buyer's bank said no. `decline_code` is the bank's word."""

    decline_code: str | None = None


class ActionRequired(ServiceRefused):
    """The buyer must confirm the payment (3-D Secure): mail the link, never retry blind."""


class NoCard(ServiceRefused):
    """Nothing on file that could be charged."""


class DuplicateInvoice(ServiceRefused):
    """Stripe holds two invoices of one reference: a person must look, nothing is voided by itself."""


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn the SDK's exceptions into ours.

    Raises:
        ServiceUnavailable: 429 (nothing happened), 409, 5xx, no answer. NotLetIn: our key. ServiceRefused: all else.
    """
    try:
        yield
    except stripe.CardError as error:
        raise _card(operation, error) from error
    except stripe.RateLimitError as error:
        raise ServiceUnavailable.not_executed(SERVICE, operation, "too many requests", **_facts(error)) from error
    except stripe.APIConnectionError as error:
        raise ServiceUnavailable(SERVICE, operation, "no answer", **_facts(error)) from error
    except stripe.InvalidRequestError as error:
        kind = NoCard if _is_about_cards(error) else ServiceRefused
        raise kind(SERVICE, operation, _said(error), **_facts(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise NotLetIn(SERVICE, operation, _said(error), **_facts(error)) from error
    except stripe.IdempotencyError as error:
        raise ServiceRefused(SERVICE, operation, _said(error), **_facts(error)) from error
    except stripe.APIError as error:
        raise ServiceUnavailable(SERVICE, operation, "it failed inside, or is busy", **_facts(error)) from error
    except stripe.StripeError as error:
        raise ServiceRefused(SERVICE, operation, _said(error), **_facts(error)) from error


def _card(operation: str, error: stripe.CardError) -> ServiceError:
    if error.code in NEEDS_ACTION:
        return ActionRequired(SERVICE, operation, "the buyer must confirm the payment", **_facts(error))
    declined = CardDeclined(SERVICE, operation, "the card was declined", **_facts(error))
    declined.decline_code = getattr(error.error, "decline_code", None)
    return declined


def _is_about_cards(error: stripe.InvalidRequestError) -> bool:
    said = _said(error).lower()
    return any(words in said for words in NO_CARD_WORDS)


def _said(error: stripe.StripeError) -> str:
    """The message alone: the SDK's text begins with the request id, which has a field of its own."""
    return str(error.user_message or error)


def _facts(error: stripe.StripeError) -> dict[str, Any]:
    code = error.code or getattr(error.error, "code", None)
    return {"status": error.http_status, "code": code, "request_id": error.request_id}
