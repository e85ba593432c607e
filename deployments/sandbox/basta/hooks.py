"""Action hooks: what Basta tells by itself, signed, in either of its two spellings, and the log of what it told."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.sandbox.basta.house import House
    from deployments.sandbox.basta.rows import Bid, Item, Sale
    from deployments.sandbox.world import Delivery

TRIES = 4


@dataclass
class Sending:
    """One event on its way to one subscriber; what became of it is read from what the couriers noted."""

    id: str
    key: str
    name: str
    action: str
    subscription: dict[str, Any]
    body: str
    at: datetime
    deliveries: list[Delivery]

    @property
    def tried(self) -> list[int]:
        """The HTTP status of each try, 0 for no answer."""
        return [status for delivery in self.deliveries for status in delivery.tried]

    @property
    def status(self) -> str:
        """PENDING, SUCCESS, RETRY (it will be sent again) or FAILED: 5xx and silence are tried again, a no is not."""
        tried = self.tried
        if any(200 <= status < 300 for status in tried):
            return "SUCCESS"
        if not self.deliveries or any(0 < status < 500 for status in tried):
            return "FAILED"
        if not tried:
            return "PENDING"
        return "RETRY" if len(tried) < sum(delivery.tries_left for delivery in self.deliveries) else "FAILED"


def sign(body: bytes, secret: str, at: int) -> str:
    """The `x-basta-signature` header."""
    key = secret.removeprefix("whsec_").encode()
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _send(house: House, action: str, enum: str, data: dict[str, Any]) -> None:
    number = house.world.new_number()
    event = {"idempotencyKey": f"hook-{number}", "actionType": action, "data": data}
    body = json.dumps(event)
    for place, subscription in enumerate(house.subscriptions):
        if subscription["action"] == enum:
            at = house.world.clock.now()
            one = Sending(f"log-{number}-{place}", f"hook-{number}", action, enum, subscription, body, at, [])
            house.sendings.append(one)
            post(house, one)


def post(house: House, sending: Sending) -> None:
    """Give an event to the couriers, once more perhaps, always with its own key."""
    body = sending.body.encode()
    signature = sign(body, house.options.webhook_secret, int(house.world.clock.now().timestamp()))
    own = {one["key"]: one["value"] for one in sending.subscription.get("headers") or ()}
    headers = {"content-type": "application/json", "x-basta-signature": signature, **own}
    label = f"{sending.name} {sending.id}"
    known = list(sending.deliveries)
    house.world.post("basta", sending.subscription["url"], headers, body, label, TRIES)
    waiting = [one for one in house.world.deliveries if one.source == "basta" and one.label == label]
    sending.deliveries += [one for one in waiting if all(one is not other for other in known)]


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
        {"itemId": item.id, "itemStatus": _spelt(house, item.status), "saleState": _state(item)} for item in items
    ]
    _send(house, "ItemsStatusChanged", "ITEMS_STATUS_CHANGED", {"saleId": sale.id, "itemStatusChanges": changes})


def bid_made(house: House, sale: Sale, item: Item, bid: Bid) -> None:
    """Somebody bid."""
    reactions = item.bids[item.bids.index(bid) + 1 :] if bid in item.bids else []
    data = {
        "bidId": bid.id,
        "saleId": sale.id,
        "itemId": item.id,
        "userId": bid.user_id,
        "amount": bid.amount,
        "maxAmount": bid.max_amount,
        "bidDate": bid.at.isoformat(),
        "bidType": "",
        "saleState": _state(item),
        "reactiveBids": [
            {"bidId": one.id, "userId": one.user_id, "amount": one.amount, "maxAmount": one.max_amount}
            for one in reactions
        ],
    }
    _send(house, "BidOnItem", "BID_ON_ITEM", data)


def bid_cancelled(house: House, sale: Sale, item: Item, bid: Bid) -> None:
    """A bid was taken back."""
    data = {"bidId": bid.id, "saleId": sale.id, "itemId": item.id, "userId": bid.user_id, "saleState": _state(item)}
    _send(house, "CancelBidOnItem", "CANCEL_BID_ON_ITEM", data)


def _state(item: Item) -> dict[str, Any]:
    leaders = [bid.user_id for bid in item.bids]
    return {
        "newLeader": item.leader or "",
        "prevLeader": next((one for one in reversed(leaders) if one != item.leader), item.leader or ""),
        "currentBid": item.current or 0,
        "currentMaxBid": item.top_max,
    }
