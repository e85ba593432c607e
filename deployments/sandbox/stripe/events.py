"""Events: kept for listing, and sent to the endpoint, signed."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from typing import Any

from deployments.sandbox.stripe.store import API_VERSION, Store

TRIES = 4


def sign(body: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header."""
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def emit(store: Store, kind: str, thing: dict[str, Any]) -> None:
    """Something happened."""
    event = store.new(
        "event", "evt", type=kind, api_version=API_VERSION, data={"object": copy.deepcopy(thing)}, pending_webhooks=1
    )
    event.pop("metadata", None)
    store.events.append(event)
    body = json.dumps(event).encode()
    signature = sign(body, store.options.webhook_secret, store.now())
    headers = {"content-type": "application/json", "stripe-signature": signature}
    store.world.post("stripe", store.options.webhook_url, headers, body, f"{kind} {event['id']}", TRIES)
