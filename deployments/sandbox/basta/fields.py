"""What all root fields share: the house, and finding things in it."""

from __future__ import annotations

from datetime import datetime

from graphql import GraphQLError

from deployments.sandbox.basta.house import House
from deployments.sandbox.basta.rows import Item, Order, Sale


class Fields:
    """One method a root field, named and called as the field is. A refusal is a GraphQL error under HTTP 200."""

    def __init__(self, house: House) -> None:
        self.house = house

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

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}-{self.house.world.new_number()}"


def moment(text: str | None) -> datetime | None:
    """A time as it travels."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
