"""What Basta tells by itself: action hooks, signed over time and raw body."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.clients import signing
from tasks.clients.signing import Verdict, inner, maybe_word, strict, timed, word

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
    return timed(raw, secret.removeprefix("whsec_"), at)


def judge(raw: bytes, header: str, secret: str, now: datetime) -> Verdict:
    """Whether Basta sent this within five minutes of now, either way; an empty secret lets nothing in."""
    return signing.judge(raw, header, secret.removeprefix("whsec_"), now, signature, TOLERANCE_SECONDS)


def normal(status: Any) -> str | None:
    """One spelling of a status: samples say OPEN and CLOSING, the schema ITEM_OPEN and OPENED."""
    if not status:
        return None
    word = str(status).removeprefix("ITEM_")
    return {"OPENED": "OPEN"}.get(word, word)


def parse(raw: bytes) -> Told:
    """A genuine body.

    Raises:
        ValueError, RecursionError: no JSON object with an idempotency key, or its ids are none.
    """
    body = strict(raw)
    data = inner(body.get("data"))
    changes = data.get("itemStatusChanges") or []
    if not isinstance(changes, list):
        raise ValueError("Basta's changes are no list")
    rows = [inner(one) for one in changes]
    items = [row.get("itemId") for row in rows] or [data.get("itemId")]
    status = data.get("saleStatus") or (rows[0].get("itemStatus") if rows else None)
    return Told(
        event_id=word(body.get("idempotencyKey")),
        action=word(body.get("actionType") or "Unknown"),
        sale_id=maybe_word(data.get("saleId")),
        item_ids=tuple(word(one) for one in items if one),
        status=normal(maybe_word(status)),
    )
