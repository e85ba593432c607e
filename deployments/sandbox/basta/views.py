"""Rows as GraphQL sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deployments.sandbox.basta import members
from deployments.sandbox.basta.hooks import Sending
from deployments.sandbox.basta.house import House
from deployments.sandbox.basta.rows import Bid, Item, Order, Registration, Sale

PAGE = 50


def iso(at: datetime | None) -> str | None:
    """RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def page(nodes: list[dict[str, Any]], first: int | None, after: str | None) -> dict[str, Any]:
    """A connection: more than 50 is cut to 50; cursors are opaque places."""
    size = min(first or 20, PAGE)
    start = int(after.removeprefix("c")) if after else 0
    shown = nodes[start : start + size]
    end = start + len(shown)
    info = {
        "startCursor": f"c{start}" if shown else "",
        "endCursor": f"c{end}" if shown else "",
        "hasNextPage": end < len(nodes),
        "hasPreviousPage": start > 0,
        "totalRecords": len(nodes),
    }
    return {
        "edges": [{"cursor": f"c{start + at + 1}", "node": node} for at, node in enumerate(shown)],
        "pageInfo": info,
    }


def sale(house: House, row: Sale) -> dict[str, Any]:
    """A sale; its lists are worked out when asked for."""
    opens = [item.opens for item in row.items if item.opens]
    closes = [item.closes for item in row.items if item.closes]
    return {
        "id": row.id,
        "cursor": row.id,
        "type": "ONLINE_TIMED",
        "accountId": house.options.account_id,
        "title": row.title,
        "description": row.description,
        "currency": "USD",
        "status": row.status,
        "items": lambda info, first=20, after=None, filter=None, order=None: page(
            [
                item(house, one)
                for one in sorted(row.items, key=lambda one: one.number)
                if not filter or one.status in filter["statuses"]
            ],
            first,
            after,
        ),
        "incrementTable": {"rules": row.rules},
        "dates": {
            "openDate": iso(min(opens, default=None)),
            "closingDate": iso(max(closes, default=None)),
            "liveDate": None,
        },
        "sequenceNumber": 1,
        "closingMethod": "OVERLAPPING",
        "closingTimeCountdown": row.countdown_ms,
        "images": [],
        "reserveAutoBidMethod": row.reserve_method,
        "isTestSale": row.is_test,
        "hidden": False,
        "bidRestrictions": {
            "acceptedRegistrationRequired": row.registration_required,
            "phoneRegistrationOpen": False,
        },
        "registrations": lambda info, first=20, after=None, filter=None, **_: page(
            [registration(house, one) for one in house.registrations.values() if one.sale_id == row.id], first, after
        ),
        "registrationPolicies": lambda info, first=20, after=None, last=None, before=None: page(
            [one for one in house.policies if one["id"] in row.policies], first, after
        ),
        "orders": lambda info, first=20, after=None, before=None, last=None: page(
            [order(house, one) for one in house.orders.values() if one.sale_id == row.id], first, after
        ),
        "externalId": row.external_id,
        "feeRules": [],
    }


def item(house: House, row: Item) -> dict[str, Any]:
    """A lot."""
    return {
        "__typename": "SaleItem",
        "id": row.id,
        "cursor": row.id,
        "accountId": house.options.account_id,
        "title": row.title,
        "description": row.description,
        "totalBids": len(row.bids),
        "currentBid": row.current,
        "currentMaxBid": row.top_max or None,
        "currency": "USD",
        "leaderId": row.leader,
        "saleId": row.sale_id,
        "bids": lambda info, **_: [bid(house, row, one) for one in row.bids],
        "reserve": row.reserve,
        "startingBid": row.starting_bid,
        "status": row.status,
        "estimates": {"low": None, "high": None},
        "itemNumber": row.number,
        "dates": {"openDate": iso(row.opens), "closingStart": iso(row.closes), "closingEnd": iso(row.end)},
        "allowedBidTypes": row.bid_types,
        "images": list(row.images),
        "hidden": False,
        "nextAsks": lambda info, iterations=1: house.sales[row.sale_id].next_asks(row, iterations),
        "paymentOrders": lambda info: _orders_of(house, row),
        "paymentOrder": lambda info: next(iter(_orders_of(house, row)), None),
        "reserveMet": row.reserve_status != "NOT_MET",
        "reserveStatus": row.reserve_status,
        "itemResult": "NOT_SET",
        "notifications": [],
        "externalId": row.external_id,
        "closingTimeCountdown": row.countdown_ms,
        "feeRules": [],
    }


def _orders_of(house: House, row: Item) -> list[dict[str, Any]]:
    held = [one for one in house.orders.values() if any(line["itemId"] == row.id for line in one.lines)]
    return [order(house, one) for one in held if one.status != "CANCELLED"]


def bid(house: House, row: Item, one: Bid) -> dict[str, Any]:
    """A bid; only the last word of the leader wins."""
    leads = row.leader == one.user_id and one.sequence == max(
        bid.sequence for bid in row.bids if bid.user_id == one.user_id
    )
    over = row.status == "ITEM_CLOSED"
    return {
        "bidId": one.id,
        "saleId": row.sale_id,
        "itemId": row.id,
        "sale": lambda info: sale(house, house.sales[row.sale_id]),
        "saleItem": lambda info: item(house, row),
        "amount": one.amount,
        "maxAmount": one.max_amount,
        "userId": one.user_id,
        "user": lambda info: members.profile(house, one.user_id),
        "date": iso(one.at),
        "bidStatus": ("WON" if over else "WINNING") if leads else ("LOST" if over else "LOSING"),
        "bidSequenceNumber": one.sequence,
        "bidderIdentifier": one.user_id,
        "bidOrigin": {"__typename": "OnlineBidOrigin", "type": "ONLINE"},
    }


def order_line(house: House, line: dict[str, Any]) -> dict[str, Any]:
    """One lot of an order."""
    found = house.item(line["itemId"])
    return {
        "orderLineId": line["id"],
        "amount": line["amount"],
        "description": line["description"],
        "orderLineType": "BidAmount",
        "fees": [
            {
                "id": f"{line['id']}-{at}",
                "description": fee["description"],
                "name": fee["description"],
                "amount": fee["amount"],
                "isSystemDefined": False,
            }
            for at, fee in enumerate(line["fees"])
        ],
        "sellerFees": [],
        "item": item(house, found) if found else None,
    }


def order(house: House, row: Order) -> dict[str, Any]:
    """A winner's order."""
    return {
        "id": row.id,
        "orderId": row.id,
        "title": row.title,
        "currency": "USD",
        "saleId": row.sale_id,
        "itemId": "",
        "invoiceId": row.invoice["invoiceId"] if row.invoice else None,
        "invoice": row.invoice,
        "paymentId": row.payment_id,
        "userId": row.user_id,
        "user": lambda info: members.profile(house, row.user_id),
        "orderLines": [order_line(house, line) for line in row.lines],
        "shippingAddress": members.mailing(row.shipping, f"ship-{row.id}") if row.shipping else None,
        "billingAddress": members.mailing(row.billing, f"bill-{row.id}") if row.billing else None,
        "status": row.status,
        "created": iso(row.created),
        "modified": iso(row.modified),
    }


def user(house: House, user_id: str) -> dict[str, Any]:
    """A bidder; the profile is null, as nobody here is known to an identity provider."""
    now = iso(house.world.clock.now())
    return {
        "id": user_id,
        "accountId": house.options.account_id,
        "userId": user_id,
        "created": now,
        "modified": now,
        "profile": None,
        "blocked": False,
    }


def registration(house: House, row: Registration) -> dict[str, Any]:
    """A registration, with how the policies judged."""
    return {
        "id": row.id,
        "sale": lambda info: sale(house, house.sales[row.sale_id]),
        "userId": row.user_id,
        "type": row.type,
        "identifier": row.identifier,
        "status": row.status,
        "rejectedReason": row.reason,
        "createdAt": iso(row.created),
        "userProfile": lambda info: members.profile(house, row.user_id),
        "policyResults": row.results,
    }


def sending(house: House, row: Sending) -> dict[str, Any]:
    """A line of the hooks' log."""
    tried = row.tried
    return {
        "id": row.id,
        "accountId": house.options.account_id,
        "idempotencyKey": row.key,
        "action": row.action,
        "url": row.subscription["url"],
        "headers": row.subscription.get("headers") or [],
        "requestPayload": row.body,
        "response": str(tried[-1]) if tried and tried[-1] else None,
        "status": row.status,
        "error": "no answer" if tried and not tried[-1] else None,
        "retries": max(len(tried) - 1, 0),
        "createdAt": iso(row.at),
        "executedAt": iso(row.at) if tried else None,
        "nextRetryDate": None,
    }
