"""What Stripe tells by itself: snapshot events, signed over time and raw body."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

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
    "invoice.overpaid",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "credit_note.created",
    "credit_note.voided",
    "charge.dispute.created",
    "charge.dispute.closed",
    "customer.updated",
)


def signature(raw: bytes, secret: str, at: int) -> str:
    """The hex HMAC-SHA256 over "<t>.<body>"."""
    return hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()


def verify(raw: bytes, header: str, secret: str, now: datetime) -> bool:
    """Whether Stripe sent this within five minutes of now, either way.

    The SDK accepts times in the future and skips the check for tolerance 0; this does neither. Several `v1`
    stand in the header while a secret is being changed. An empty secret lets nothing in.
    """
    pairs = [part.strip().split("=", 1) for part in header.split(",") if "=" in part]
    times = [value for name, value in pairs if name == "t"]
    if not secret or len(times) != 1 or not (times[0].isascii() and times[0].isdigit()):
        return False
    at = int(times[0])
    if abs(now.timestamp() - at) > TOLERANCE_SECONDS:
        return False
    expected = signature(raw, secret, at).encode()
    given = [value.encode("utf-8", "replace") for name, value in pairs if name == "v1"]
    return any([hmac.compare_digest(expected, one) for one in given])


def parse(raw: bytes) -> Event:
    """A verified body.

    Raises:
        ValueError: no JSON object of a snapshot event.
    """
    body: Any = json.loads(raw)
    if not isinstance(body, dict) or body.get("object") != "event" or not body.get("id"):
        raise ValueError("this is no snapshot event of Stripe's")
    return models.event(body)
