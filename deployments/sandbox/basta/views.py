"""Rows as GraphQL sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deployments.sandbox.basta.house import House
from deployments.sandbox.basta.rows import Item, Order, Sale

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
        "reserveAutoBidMethod": "STANDARD",
        "isTestSale": row.is_test,
        "hidden": False,
        "bidRestrictions": {"acceptedRegistrationRequired": False, "phoneRegistrationOpen": False},
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
        "bids": [],
        "reserve": row.reserve,
        "startingBid": row.starting_bid,
        "status": row.status,
        "estimates": {"low": None, "high": None},
        "itemNumber": row.number,
        "dates": {"openDate": iso(row.opens), "closingStart": iso(row.closes), "closingEnd": iso(row.end)},
        "allowedBidTypes": ["MAX", "NORMAL"],
        "images": list(row.images),
        "hidden": False,
        "nextAsks": lambda info, iterations=1: [house.sales[row.sale_id].next_ask(row)],
        "reserveMet": row.reserve_status != "NOT_MET",
        "reserveStatus": row.reserve_status,
        "itemResult": "NOT_SET",
        "notifications": [],
        "externalId": row.external_id,
        "closingTimeCountdown": row.countdown_ms,
        "feeRules": [],
    }


def order(house: House, row: Order) -> dict[str, Any]:
    """A winner's order."""
    lines = [
        {
            "orderLineId": line["id"],
            "amount": line["amount"],
            "description": line["description"],
            "orderLineType": "BidAmount",
            "fees": [
                {"id": f"{line['id']}-{at}", "description": fee["description"], "name": fee["description"],
                 "amount": fee["amount"], "isSystemDefined": False}
                for at, fee in enumerate(line["fees"])
            ],
            "sellerFees": [],
            "item": item(house, found) if (found := house.item(line["itemId"])) else None,
        }
        for line in row.lines
    ]  # fmt: skip
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
        "orderLines": lines,
        "shippingAddress": None,
        "billingAddress": None,
        "status": row.status,
        "created": iso(row.created),
        "modified": iso(row.created),
    }


def user(house: House, user_id: str) -> dict[str, Any]:
    """A bidder's profile; an unknown one comes into being, empty."""
    person = house.world.people.get(user_id)
    where = person.address if person else None
    address = {
        "id": f"adr-{user_id}",
        "name": where.name if where else "",
        "company": "",
        "phone": where.phone if where else "",
        "line1": where.line1 if where else "",
        "line2": where.line2 if where else "",
        "city": where.city if where else "",
        "state": where.state if where else "",
        "postalCode": where.postal_code if where else "",
        "country": where.country if where else "US",
        "isPrimary": True,
        "addressType": "SHIPPING",
        "label": None,
    }
    return {
        "userId": user_id,
        "identityProviderId": user_id,
        "status": "ACTIVE",
        "emailVerified": True,
        "name": person.name if person else "",
        "email": person.email if person else "",
        "addresses": [],
        "addressesV2": [address] if where else [],
        "billingAddress": address,
        "shippingAddress": address,
        "phones": [],
    }
