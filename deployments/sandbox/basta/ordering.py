"""Orders, and the invoices and payments that are told to Basta. No money moves here."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import views
from deployments.sandbox.basta.fields import Fields
from deployments.sandbox.basta.rows import Order

CLOSED_ORDER = ("PAID", "CANCELLED")
Row = dict[str, Any]


class OrderFields(Fields):
    """Root fields about orders."""

    def userOrders(self, accountId: str, userID: str, first: int = 20, after: str | None = None, **_: Any) -> Row:
        rows = [row for row in self.house.orders.values() if row.user_id == userID]
        return views.page([views.order(self.house, row) for row in rows], first, after)

    def orders(self, accountId: str, first: int = 20, after: str | None = None, **_: Any) -> Row:
        return views.page([views.order(self.house, row) for row in self.house.orders.values()], first, after)

    def createOrder(self, accountId: str, input: Row) -> Row:
        now = self.house.world.clock.now()
        row = Order(
            id=self._new_id("order"),
            sale_id=self._sale(input["saleId"]).id,
            user_id=input["userId"],
            title=input["title"],
            lines=[],
            created=now,
            modified=now,
            shipping=input.get("shippingAddress"),
            billing=input.get("billingAddress"),
        )
        for one in input.get("orderLines") or ():
            self._add_line(row, one)
        self.house.orders[row.id] = row
        return views.order(self.house, row)

    def createOrderLine(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        line = self._add_line(self._touched(row), input)
        return views.order_line(self.house, line)

    def updateOrderLine(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        line = self._line(row, input["id"])
        line.update({name: input[name] for name in ("amount", "description", "fees") if input.get(name) is not None})
        self._touched(row)
        return views.order_line(self.house, line)

    def deleteOrderLine(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        line = self._line(row, input["orderLineId"])
        row.lines.remove(line)
        self._touched(row)
        return views.order_line(self.house, line)

    def updateOrder(self, accountId: str, input: Row) -> Row:
        row = self._touched(self._order(input["id"]))
        row.title = input.get("title") or row.title
        row.shipping = input.get("shippingAddress") or row.shipping
        row.billing = input.get("billingAddress") or row.billing
        return views.order(self.house, row)

    def publishPaymentOrder(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        if row.status != "DRAFT":
            raise GraphQLError("order is already published")
        self._touched(row).status = "OPEN"
        return views.order(self.house, row)

    def createInvoice(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        if row.status in ("DRAFT", *CLOSED_ORDER) or row.invoice:
            raise GraphQLError("FAILED_PRECONDITION: the order cannot be invoiced")
        row.invoice = {"invoiceId": f"inv-{row.id}", "externalID": input["externalID"], "url": input["url"]}
        row.invoice["dueDate"] = input["dueDate"]
        self._touched(row).status = "INVOICE_ISSUED"
        return row.invoice

    def createPayment(self, accountId: str, input: Row) -> Row:
        row = self._order(input["orderId"])
        if row.payment_id or row.status in CLOSED_ORDER:
            raise GraphQLError("FAILED_PRECONDITION: the order cannot be paid")
        row.payment_id = f"pay-{row.id}"
        self._touched(row).status = "PAID"
        return {"paymentId": row.payment_id}

    def cancelPaymentOrder(self, accountId: str, input: Row) -> Row:
        row = self._touched(self._order(input["orderId"]))
        row.status = "CANCELLED"
        return views.order(self.house, row)

    def _add_line(self, row: Order, given: Row) -> Row:
        if any(line["itemId"] == given["itemId"] for line in row.lines):
            raise GraphQLError("order line already exists")
        line = {
            "id": self._new_id("line"),
            "itemId": given["itemId"],
            "amount": given["amount"],
            "description": given["description"],
            "fees": given.get("fees") or [],
        }
        row.lines.append(line)
        return line

    def _line(self, row: Order, line_id: str) -> Row:
        for line in row.lines:
            if line["id"] == line_id:
                return line
        raise GraphQLError("order line not found")

    def _touched(self, row: Order) -> Order:
        row.modified = self.house.world.clock.now()
        return row
