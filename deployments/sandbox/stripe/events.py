"""Events: kept for listing, and sent to the endpoint, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from deployments.sandbox.stripe.store import API_VERSION, Store, copied

TRIES = 4


def sign(body: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header."""
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def endpoints(store: Store) -> list[dict[str, Any]]:
    """The endpoint, as the dashboard made it."""
    options = store.options
    if not options.webhook_url:
        return []
    return [
        {
            "id": "we_sandbox",
            "object": "webhook_endpoint",
            "api_version": options.webhook_api_version,
            "application": None,
            "created": store.now(),
            "description": None,
            "enabled_events": list(options.webhook_events),
            "livemode": False,
            "metadata": {},
            "status": options.webhook_status,
            "url": options.webhook_url,
        }
    ]


def _is_wanted(store: Store, kind: str) -> bool:
    wanted = store.options.webhook_events
    return store.options.webhook_status == "enabled" and ("*" in wanted or kind in wanted)


def emit(store: Store, kind: str, thing: dict[str, Any]) -> None:
    """Something happened."""
    event = store.new(
        "event", "evt", type=kind, api_version=API_VERSION, data={"object": copied(thing)}, pending_webhooks=1
    )
    event.pop("metadata", None)
    store.events.append(event)
    body = json.dumps(event).encode()
    signature = sign(body, store.options.webhook_secret, store.now())
    headers = {"content-type": "application/json", "stripe-signature": signature}
    if _is_wanted(store, kind):
        store.world.post("stripe", store.options.webhook_url, headers, body, f"{kind} {event['id']}", TRIES)
