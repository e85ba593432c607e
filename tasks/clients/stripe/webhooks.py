"""What Stripe tells by itself: snapshot events, signed over time and raw body."""

from __future__ import annotations

from datetime import datetime

from tasks.clients import signing
from tasks.clients.signing import Verdict, inner, maybe_word, strict, word
from tasks.clients.signing import timed as signature
from tasks.clients.stripe import models
from tasks.clients.stripe.models import Event

TOLERANCE_SECONDS = 300

#: What the endpoint in Stripe's dashboard must be told to send.
EVENTS = (
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.finalization_failed",
    "invoice.overdue",
    "invoice.overpaid",
    "invoice_payment.paid",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "credit_note.created",
    "credit_note.voided",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "customer.updated",
)


def judge(raw: bytes, header: str, secret: str, now: datetime) -> Verdict:
    """Whether Stripe sent this within five minutes of now, either way; an empty secret lets nothing in.

    The SDK accepts times in the future and skips the check for tolerance 0; this does neither.
    """
    if not secret.removeprefix("whsec_"):
        return Verdict.CLOSED  # the beginning that everybody's secret has is nobody's
    return signing.judge(raw, header, secret, now, signature, TOLERANCE_SECONDS)


def parse(raw: bytes) -> Event:
    """A genuine body.

    Raises:
        ValueError, RecursionError: no JSON object of a snapshot event, or its ids are none.
    """
    body = strict(raw)
    if body.get("object") != "event" or not body.get("type"):
        raise ValueError("this is no snapshot event of Stripe's")
    word(body.get("id"))
    word(body.get("type"))
    inner(inner(body.get("data")).get("object"))
    event = models.event(body)
    for value in event.model_dump().values():
        maybe_word(value)
    return event


__all__ = ["EVENTS", "judge", "parse", "signature"]
