"""What CJ tells by itself: signed with the account's openId over the raw body."""

from __future__ import annotations

import base64
import hashlib
import hmac

from pydantic import BaseModel, ConfigDict

from tasks.clients.cj.models import OrderStatus
from tasks.clients.cj.reading import order_status
from tasks.clients.signing import Verdict, inner, maybe_word, strict, word

PARCEL_DELIVERED = 12


class Told(BaseModel):
    """A message, reduced to what a later look needs: the order is read again before anything is believed."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    type: str
    order_number: str | None
    order_id: str | None
    status: OrderStatus | None


def signature(raw: bytes, open_id: str) -> str:
    """Base64 of HMAC-SHA256, keyed by the decimal openId."""
    return base64.b64encode(hmac.new(open_id.encode(), raw, hashlib.sha256).digest()).decode()


def judge(raw: bytes, sign: str, open_id: str) -> Verdict:
    """Whether CJ sent this; without an openId, nothing is from CJ. It signs no time: its ids keep replays out."""
    if not open_id:
        return Verdict.CLOSED
    if not sign:
        return Verdict.UNSIGNED
    good = hmac.compare_digest(signature(raw, open_id).encode(), sign.encode("utf-8", "replace"))
    return Verdict.GENUINE if good else Verdict.WRONG


def parse(raw: bytes) -> Told:
    """A genuine body. Ids come as numbers or texts.

    Raises:
        ValueError, RecursionError: no JSON object with a message id, or its ids are none.
    """
    body = strict(raw)
    params = inner(body.get("params"))
    numbers = params.get("storeOrderNumbers") or []
    if not isinstance(numbers, list):
        raise ValueError("CJ's order numbers are no list")
    raw_status = params.get("orderStatus")
    return Told(
        message_id=word(body.get("messageId")),
        type=word(body.get("type") or "UNKNOWN"),
        order_number=maybe_word(params.get("orderNumber") or next(iter(numbers), None)),
        order_id=maybe_word(params.get("cjOrderId") or params.get("orderId")),
        status=order_status(word(raw_status)) if raw_status else None,
    )
