"""What Basta tells by itself: action hooks, signed over time and raw body."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

TOLERANCE_SECONDS = 300


class Told(BaseModel):
    """An event, reduced to what a later look needs: the sale is read again before anything is believed."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    action: str
    sale_id: str | None
    item_ids: tuple[str, ...]
    status: str | None


def signature(raw: bytes, secret: str, at: int) -> str:
    """The hex HMAC-SHA256 over "<t>.<body>", keyed by the secret without its prefix."""
    key = secret.removeprefix("whsec_").encode()
    return hmac.new(key, f"{at}.".encode() + raw, hashlib.sha256).hexdigest()


def verify(raw: bytes, header: str, secret: str, now: datetime) -> bool:
    """Whether Basta sent this within five minutes of now, either way; an empty secret lets nothing in."""
    parts = dict(part.strip().split("=", 1) for part in header.split(",") if "=" in part)
    if not secret or not parts.get("t", "").isascii() or not parts.get("t", "").isdigit():
        return False
    at = int(parts["t"])
    if abs(now.timestamp() - at) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(signature(raw, secret, at).encode(), parts.get("v1", "").encode("utf-8", "replace"))


def normal(status: Any) -> str | None:
    """One spelling of a status: samples say OPEN and CLOSING, the schema ITEM_OPEN and OPENED."""
    if not status:
        return None
    word = str(status).removeprefix("ITEM_")
    return {"OPENED": "OPEN"}.get(word, word)


def parse(raw: bytes) -> Told:
    """A verified body.

    Raises:
        ValueError: no JSON object with an idempotency key.
    """
    body: Any = json.loads(raw)
    if not isinstance(body, dict) or not body.get("idempotencyKey"):
        raise ValueError("Basta's event has no idempotency key")
    data: dict[str, Any] = body["data"] if isinstance(body.get("data"), dict) else {}
    changes = [one for one in data.get("itemStatusChanges") or () if isinstance(one, dict)]
    items = [one.get("itemId") for one in changes] or [data.get("itemId")]
    status = data.get("saleStatus") or (changes[0].get("itemStatus") if changes else None)
    return Told(
        event_id=str(body["idempotencyKey"]),
        action=str(body.get("actionType") or "Unknown"),
        sale_id=str(data["saleId"]) if data.get("saleId") else None,
        item_ids=tuple(str(one) for one in items if one),
        status=normal(status),
    )
