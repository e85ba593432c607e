"""Action hooks: what Basta tells by itself, signed, in either of its two spellings."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.sandbox.basta.house import House
    from deployments.sandbox.basta.rows import Bid, Item, Sale

TRIES = 4


def sign(body: bytes, secret: str, at: int) -> str:
    """The `x-basta-signature` header."""
    key = secret.removeprefix("whsec_").encode()
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _send(house: House, action: str, enum: str, data: dict[str, Any]) -> None:
    number = house.world.new_number()
    event = {"idempotencyKey": f"hook-{number}", "actionType": action, "data": data}
    body = json.dumps(event).encode()
    header = sign(body, house.options.webhook_secret, int(house.world.clock.now().timestamp()))
    for subscription in house.subscriptions:
        if subscription["action"] == enum:
            headers = {"content-type": "application/json", "x-basta-signature": header}
            house.world.post("basta", subscription["url"], headers, body, f"{action} {number}", TRIES)


def _spelt(house: House, status: str) -> str:
    """The schema's word, or the documentation's: a receiver meets both."""
    if house.world.random.random() < 0.5:
        return status
    return {"OPENED": "OPEN"}.get(status, status.removeprefix("ITEM_"))


def sale_changed(house: House, sale: Sale) -> None:
    """A sale has a new status."""
    data = {"saleId": sale.id, "saleStatus": _spelt(house, sale.status)}
    _send(house, "SaleStatusChanged", "SALE_STATUS_CHANGED", data)


def items_changed(house: House, sale: Sale, items: list[Item]) -> None:
    """Lots have a new status."""
    changes = [
        {
            "itemId": item.id,
            "itemStatus": _spelt(house, item.status),
            "saleState": {
                "newLeader": item.leader or "",
                "prevLeader": item.leader or "",
                "currentBid": item.current or 0,
                "currentMaxBid": item.top_max,
            },
        }
        for item in items
    ]
    _send(house, "ItemsStatusChanged", "ITEMS_STATUS_CHANGED", {"saleId": sale.id, "itemStatusChanges": changes})


def bid_made(house: House, sale: Sale, item: Item, bid: Bid) -> None:
    """Somebody bid."""
    data = {
        "bidId": bid.id,
        "saleId": sale.id,
        "itemId": item.id,
        "userId": bid.user_id,
        "amount": bid.amount,
        "maxAmount": bid.max_amount,
        "bidDate": bid.at.isoformat(),
        "bidType": "",
        "saleState": {"newLeader": item.leader, "currentBid": item.current, "currentMaxBid": item.top_max},
        "reactiveBids": [],
    }
    _send(house, "BidOnItem", "BID_ON_ITEM", data)
