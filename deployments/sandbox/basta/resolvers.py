"""What each root field does. A refusal is a GraphQL error under HTTP 200, as at Basta."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import bidding, hooks, views
from deployments.sandbox.basta.house import House
from deployments.sandbox.basta.rows import Item, Order, Sale

CLOSED_ORDER = ("PAID", "CANCELLED")


class Resolvers:
    """One method a root field, named as the field is."""

    def __init__(self, house: House) -> None:
        self.house = house

    # ---------------------------------------------------------------- queries

    def account(self, accountId: str) -> dict[str, Any]:
        fees = self.house.options.fees
        details = None if fees is None else {"paymentProviderAccountId": "x", "status": "ENABLED", "accountFees": fees}
        now = views.iso(self.house.world.clock.now())
        return {
            "id": accountId,
            "name": "Sandbox",
            "email": "ops@sandbox.invalid",
            "created": now,
            "paymentDetails": details,
        }

    def sales(self, accountId: str, first: int = 20, after: str | None = None, filter: Any = None) -> dict[str, Any]:
        rows = [
            row
            for row in self.house.sales.values()
            if not filter or (row.status in filter["statuses"] and filter.get("showTestSales") in (None, row.is_test))
        ]
        return views.page([views.sale(self.house, row) for row in rows], first, after)

    def sale(self, accountId: str, id: str, saleIdType: str = "ID") -> dict[str, Any]:
        if saleIdType == "EXTERNAL_ID":
            found = [row for row in self.house.sales.values() if row.external_id == id]
            if not found:
                raise GraphQLError("sale not found")
            return views.sale(self.house, found[0])
        return views.sale(self.house, self._sale(id))

    def saleItem(self, accountId: str, saleId: str, itemId: str) -> dict[str, Any] | None:
        row = self.house.item(itemId)
        return views.item(self.house, row) if row and row.sale_id == saleId else None

    def saleRegistrationPolicies(self, accountId: str, first: int = 20, after: str | None = None, **_: Any) -> Any:
        return views.page(self.house.policies, first, after)

    def userOrders(self, accountId: str, userID: str, first: int = 20, after: str | None = None, **_: Any) -> Any:
        rows = [row for row in self.house.orders.values() if row.user_id == userID]
        return views.page([views.order(self.house, row) for row in rows], first, after)

    def orders(self, accountId: str, first: int = 20, after: str | None = None, **_: Any) -> Any:
        return views.page([views.order(self.house, row) for row in self.house.orders.values()], first, after)

    def actionHookSubscriptions(self, accountId: str) -> list[dict[str, Any]]:
        return [{**one, "accountId": accountId, "headers": []} for one in self.house.subscriptions]

    # -------------------------------------------------------------- mutations

    def createSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        external = input.get("externalId")
        self._unique([row.external_id for row in self.house.sales.values()], external)
        row = Sale(
            id=f"sale-{self.house.world.new_number()}",
            external_id=external,
            title=input.get("title"),
            description=input.get("description"),
            rules=(input.get("bidIncrementTable") or {"rules": []})["rules"],
            countdown_ms=input.get("closingTimeCountdown") or 120_000,
            is_test=bool(input.get("isTestSale")),
            created=self.house.world.clock.now(),
        )
        _check_rules(row.rules)
        self.house.sales[row.id] = row
        return views.sale(self.house, row)

    def publishSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._sale(input["saleId"])
        if row.status != "UNPUBLISHED":
            raise GraphQLError("sale is already published")
        self.house.publish(row)
        return views.sale(self.house, row)

    def createItemForSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        sale = self._sale(input["saleId"])
        self._unique([one.external_id for one in self.house.items], input.get("externalId"))
        row = Item(
            id=f"item-{self.house.world.new_number()}",
            sale_id=sale.id,
            number=input.get("ItemNumber") or len(sale.items) + 1,
            external_id=input.get("externalId"),
            title=input.get("title") or "",
            description=input.get("description") or "",
            starting_bid=input.get("startingBid") or 0,
            reserve=input.get("reserve") or 0,
            opens=_moment(input.get("openDate")),
            closes=_moment(input.get("closingDate")),
            countdown_ms=input.get("closingTimeCountdown") or sale.countdown_ms,
        )
        sale.items.append(row)
        return views.item(self.house, row)

    def updateItemForSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._item(input["saleId"], input["itemId"])
        row.title, row.description = input.get("title") or "", input.get("description") or ""
        row.starting_bid, row.reserve = input.get("startingBid") or 0, input.get("reserve") or 0
        row.opens, row.closes = _moment(input.get("openDate")), _moment(input.get("closingDate"))
        row.external_id = input.get("externalId")
        return views.item(self.house, row)

    def removeItemFromSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        sale = self._sale(input["saleId"])
        sale.items.remove(self._item(input["saleId"], input["itemId"]))
        return views.sale(self.house, sale)

    def createUploadUrl(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._item(input["saleId"], input["itemId"])
        token = f"img-{self.house.world.new_number()}"
        image = {
            "id": token,
            "url": f"{self.house.world.base_url}/basta/images/{token}",
            "order": input["order"],
            "externalId": input.get("externalId"),
            "contentType": input["contentType"],
        }
        self.house.uploads[token] = (row, image)
        base = self.house.world.base_url
        return {
            "imageId": token,
            "uploadUrl": f"{base}/basta/upload/{token}",
            "imageUrl": image["url"],
            "headers": [{"key": "Host", "value": base.split("//")[-1]}, {"key": "x-upload", "value": token}],
            "order": input["order"],
            "externalId": input.get("externalId"),
        }

    def createSaleRegistrationPolicy(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = {"id": f"pol-{self.house.world.new_number()}", **input}
        self.house.policies.append(row)
        return row

    def attachSaleRegistrationPolicies(self, accountId: str, input: dict[str, Any]) -> list[dict[str, Any]]:
        sale = self._sale(input["saleId"])
        known = {one["id"]: one for one in self.house.policies}
        if missing := [one for one in input["policyIds"] if one not in known]:
            raise GraphQLError(f"policy {missing[0]} not found")
        sale.policies = list(dict.fromkeys([*sale.policies, *input["policyIds"]]))
        return [known[one] for one in sale.policies]

    def createOrder(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        number = self.house.world.new_number()
        lines = [
            {"id": f"line-{number}-{at}", "itemId": one["itemId"], "amount": one["amount"],
             "description": one["description"], "fees": one.get("fees") or []}
            for at, one in enumerate(input.get("orderLines") or ())
        ]  # fmt: skip
        if len({line["itemId"] for line in lines}) < len(lines):
            raise GraphQLError("order line already exists")
        row = Order(
            id=f"order-{number}",
            sale_id=self._sale(input["saleId"]).id,
            user_id=input["userId"],
            title=input["title"],
            lines=lines,
            created=self.house.world.clock.now(),
        )
        self.house.orders[row.id] = row
        return views.order(self.house, row)

    def publishPaymentOrder(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._order(input["orderId"])
        if row.status != "DRAFT":
            raise GraphQLError("order is already published")
        row.status = "OPEN"
        return views.order(self.house, row)

    def createInvoice(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._order(input["orderId"])
        if row.status in ("DRAFT", *CLOSED_ORDER) or row.invoice:
            raise GraphQLError("FAILED_PRECONDITION: the order cannot be invoiced")
        row.invoice = {"invoiceId": f"inv-{row.id}", "externalID": input["externalID"], "url": input["url"]}
        row.invoice["dueDate"] = input["dueDate"]
        row.status = "INVOICE_ISSUED"
        return row.invoice

    def createPayment(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._order(input["orderId"])
        if row.payment_id or row.status in CLOSED_ORDER:
            raise GraphQLError("FAILED_PRECONDITION: the order cannot be paid")
        row.payment_id, row.status = f"pay-{row.id}", "PAID"
        return {"paymentId": row.payment_id}

    def cancelPaymentOrder(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._order(input["orderId"])
        row.status = "CANCELLED"
        return views.order(self.house, row)

    def updateUser(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        return views.user(self.house, input["userId"])

    def bidOnBehalf(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        sale = self._sale(input["saleId"])
        row = self._item(input["saleId"], input["itemId"])
        try:
            bid = bidding.place(self.house.world, sale, row, input["userId"], input["amount"], input["type"])
        except bidding.BidRefused as error:
            raise GraphQLError(str(error)) from error
        hooks.bid_made(self.house, sale, row, bid)
        return {
            "bidId": bid.id,
            "saleId": sale.id,
            "itemId": row.id,
            "amount": bid.amount,
            "maxAmount": bid.max_amount,
            "userId": bid.user_id,
            "date": views.iso(bid.at),
            "bidSequenceNumber": bid.sequence,
            "bidderIdentifier": bid.user_id,
        }

    def addActionHookSubscription(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = {"id": f"hook-{self.house.world.new_number()}", "action": input["action"], "url": input["url"]}
        self.house.subscriptions.append(row)
        return {**row, "accountId": accountId, "headers": []}

    def forceStartClosingSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._sale(input["saleId"])
        for item in row.items:
            item.closes = self.house.world.clock.now()
            self.house._closing(row, item)
        return views.sale(self.house, row)

    def forceCloseSale(self, accountId: str, input: dict[str, Any]) -> dict[str, Any]:
        row = self._sale(input["saleId"])
        for item in row.items:  # as measured: the result is lost
            item.status, item.leader, item.reserve_lost = "ITEM_CLOSED", None, True
        self.house.close_if_done(row)
        return views.sale(self.house, row)

    def _sale(self, sale_id: str) -> Sale:
        if sale_id not in self.house.sales:
            raise GraphQLError("sale not found")
        return self.house.sales[sale_id]

    def _item(self, sale_id: str, item_id: str) -> Item:
        row = self.house.item(item_id)
        if row is None or row.sale_id != sale_id:
            raise GraphQLError("item not found")
        return row

    def _order(self, order_id: str) -> Order:
        if order_id not in self.house.orders:
            raise GraphQLError("order not found")
        return self.house.orders[order_id]

    def _unique(self, known: list[str | None], external: str | None) -> None:
        if self.house.options.unique_external_ids and external in known and external is not None:
            raise GraphQLError("external id already exists")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _check_rules(rules: list[dict[str, int]]) -> None:
    """The first starts at 0, each goes on where the one before ended, and steps divide their ranges."""
    at = 0
    for rule in rules:
        low, high, step = rule["lowRange"], rule["highRange"], rule["step"]
        if low != at or low % step or high % step or high <= low:
            raise GraphQLError("invalid bid increment table")
        at = high
