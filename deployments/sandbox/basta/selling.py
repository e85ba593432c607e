"""Root fields about sales, their lots, and the lots' pictures."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import hooks, views
from deployments.sandbox.basta.fields import Fields, moment
from deployments.sandbox.basta.rows import Item, Sale

Row = dict[str, Any]


class SaleFields(Fields):
    """Root fields about what is sold."""

    def sales(self, accountId: str, first: int = 20, after: str | None = None, filter: Any = None) -> Row:
        rows = [
            row
            for row in self.house.sales.values()
            if not filter or (row.status in filter["statuses"] and filter.get("showTestSales") in (None, row.is_test))
        ]
        return views.page([views.sale(self.house, row) for row in rows], first, after)

    def sale(self, accountId: str, id: str, saleIdType: str = "ID") -> Row:
        if saleIdType == "EXTERNAL_ID":
            found = [row for row in self.house.sales.values() if row.external_id == id]
            if not found:
                raise GraphQLError("sale not found")
            return views.sale(self.house, found[0])
        return views.sale(self.house, self._sale(id))

    def saleItem(self, accountId: str, saleId: str, itemId: str) -> Row | None:
        row = self.house.item(itemId)
        return views.item(self.house, row) if row and row.sale_id == saleId else None

    def saleItemByExternalId(self, accountId: str, externalId: str) -> Row:
        for row in self.house.items:
            if row.external_id == externalId:
                return views.item(self.house, row)
        raise GraphQLError("item not found")

    def createSale(self, accountId: str, input: Row) -> Row:
        external = input.get("externalId")
        self._unique([row.external_id for row in self.house.sales.values()], external)
        row = Sale(
            id=self._new_id("sale"),
            external_id=external,
            title=input.get("title"),
            description=input.get("description"),
            rules=(input.get("bidIncrementTable") or {"rules": []})["rules"],
            countdown_ms=input.get("closingTimeCountdown") or 120_000,
            is_test=bool(input.get("isTestSale")),
            created=self.house.world.clock.now(),
            reserve_method=input.get("reserveAutoBidMethod") or "STANDARD",
            registration_required=bool((input.get("bidRestrictions") or {}).get("acceptedRegistrationRequired")),
        )
        _check_rules(row.rules)
        self.house.sales[row.id] = row
        return views.sale(self.house, row)

    def publishSale(self, accountId: str, input: Row) -> Row:
        row = self._sale(input["saleId"])
        if row.status != "UNPUBLISHED":
            raise GraphQLError("sale is already published")
        self.house.publish(row)
        return views.sale(self.house, row)

    def forceOpenSale(self, accountId: str, input: Row) -> Row:
        row = self._sale(input["saleId"])
        for item in row.items:
            item.opens = self.house.world.clock.now()
            self.house.open_now(row, item)
        return views.sale(self.house, row)

    def forceStartClosingSale(self, accountId: str, input: Row) -> Row:
        row = self._sale(input["saleId"])
        for item in row.items:
            item.closes = self.house.world.clock.now()
            self.house._closing(row, item)
        return views.sale(self.house, row)

    def forceCloseSale(self, accountId: str, input: Row) -> Row:
        row = self._sale(input["saleId"])
        for item in row.items:  # as measured: the result is lost
            item.status, item.leader, item.reserve_lost = "ITEM_CLOSED", None, True
        hooks.items_changed(self.house, row, row.items)
        self.house.close_if_done(row)
        return views.sale(self.house, row)

    def createItemForSale(self, accountId: str, input: Row) -> Row:
        sale = self._sale(input["saleId"])
        self._unique([one.external_id for one in self.house.items], input.get("externalId"))
        row = Item(
            id=self._new_id("item"),
            sale_id=sale.id,
            number=input.get("ItemNumber") or len(sale.items) + 1,
            external_id=input.get("externalId"),
            title=input.get("title") or "",
            description=input.get("description") or "",
            starting_bid=input.get("startingBid") or 0,
            reserve=input.get("reserve") or 0,
            opens=moment(input.get("openDate")),
            closes=moment(input.get("closingDate")),
            countdown_ms=input.get("closingTimeCountdown") or sale.countdown_ms,
            bid_types=input.get("allowedBidTypes") or ["MAX"],
        )
        sale.items.append(row)
        return views.item(self.house, row)

    def updateItemForSale(self, accountId: str, input: Row) -> Row:
        """A full replacement: what is left out is lost."""
        row = self._item(input["saleId"], input["itemId"])
        row.title, row.description = input.get("title") or "", input.get("description") or ""
        row.starting_bid, row.reserve = input.get("startingBid") or 0, input.get("reserve") or 0
        row.opens, row.closes = moment(input.get("openDate")), moment(input.get("closingDate"))
        row.external_id = input.get("externalId")
        row.bid_types = input.get("allowedBidTypes") or ["MAX"]
        return views.item(self.house, row)

    def removeItemFromSale(self, accountId: str, input: Row) -> Row:
        sale = self._sale(input["saleId"])
        sale.items.remove(self._item(input["saleId"], input["itemId"]))
        return views.sale(self.house, sale)

    def addMessageNotificationToItem(self, accountId: str, input: Row) -> Row:
        """Taken, and shown nowhere: messages are for live sales."""
        return views.item(self.house, self._item(input["saleId"], input["itemId"]))

    def createUploadUrl(self, accountId: str, input: Row) -> Row:
        row = self._item(input["saleId"], input["itemId"])
        token, base = self._new_id("img"), self.house.world.base_url
        image = {
            "id": token,
            "url": f"{base}/basta/images/{token}",
            "order": input["order"],
            "externalId": input.get("externalId"),
            "contentType": input["contentType"],
        }
        self.house.uploads[token] = (row, image)
        return {
            "imageId": token,
            "uploadUrl": f"{base}/basta/upload/{token}",
            "imageUrl": image["url"],
            "headers": [{"key": "Host", "value": base.split("//")[-1]}, {"key": "x-upload", "value": token}],
            "order": input["order"],
            "externalId": input.get("externalId"),
        }


def _check_rules(rules: list[dict[str, int]]) -> None:
    """The first starts at 0, each goes on where the one before ended, and steps divide their ranges."""
    at = 0
    for rule in rules:
        low, high, step = rule["lowRange"], rule["highRange"], rule["step"]
        if step <= 0 or low != at or low % step or high % step or high <= low:
            raise GraphQLError("invalid bid increment table")
        at = high
