"""What CJ tells by itself: signed with the account's openId over the raw body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.clients.cj.models import OrderStatus
from tasks.clients.cj.parsing import loads
from tasks.clients.cj.reading import order_status

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


def verify(raw: bytes, sign: str, open_id: str) -> bool:
    """Whether CJ sent this; without an openId, nothing is from CJ."""
    if not open_id or not sign:
        return False
    return hmac.compare_digest(signature(raw, open_id).encode(), sign.encode("utf-8", "replace"))


def parse(raw: bytes) -> Told:
    """A verified body. Ids come as numbers or texts.

    Raises:
        ValueError: no JSON object with a message id.
    """
    body: Any = loads(raw)
    if not isinstance(body, dict) or not body.get("messageId"):
        raise ValueError("CJ's message has no id")
    params = body.get("params") or {}
    if not isinstance(params, dict):
        params = {}
    order_id = params.get("cjOrderId") or params.get("orderId")
    number = params.get("orderNumber") or next(iter(params.get("storeOrderNumbers") or ()), None)
    raw_status = params.get("orderStatus")
    return Told(
        message_id=str(body["messageId"]),
        type=str(body.get("type") or "UNKNOWN"),
        order_number=str(number) if number else None,
        order_id=str(order_id) if order_id else None,
        status=order_status(raw_status) if raw_status else None,
    )
