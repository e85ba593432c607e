"""CJ's books: orders by every name they have, and the purse they are paid from. All money in cents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

#: The number that stands for a status.
STEPS = {
    "CREATED": 100,
    "IN_CART": 100,
    "UNPAID": 200,
    "PENDING": 300,
    "UNSHIPPED": 300,
    "PROCESSING": 400,
    "SHIPPED": 500,
    "DELIVERED": 600,
    "CANCELLED": 700,
}
UNCONFIRMED = ("CREATED", "IN_CART")
UNPAID = (*UNCONFIRMED, "UNPAID")


@dataclass(frozen=True)
class Line:
    """A variant in an order, at the price of the day."""

    vid: str
    sku: str
    quantity: int
    price_cents: int
    line_item_id: str
    store_line_item_id: str


@dataclass(eq=False)
class Order:
    """One order, with what came of it. `paid_cents` is what left the balance for it and did not come back."""

    number: str
    order_id: str
    code: str
    shipment_id: str
    status: str
    lines: tuple[Line, ...]
    address: dict[str, str]
    logistic_name: str
    from_country: str
    goods_cents: int
    postage_cents: int
    grams: int
    is_sandbox: bool
    created: datetime
    surcharge_cents: int = 0
    paid_cents: int = 0
    logistics_miss: bool = False
    confirming: bool = False
    remark: str = ""
    updated: datetime | None = None
    paid: datetime | None = None
    shipped: datetime | None = None
    delivered: datetime | None = None
    track_number: str = ""
    parcel_status: int = 0
    pay_id: str = ""
    paid_by_hand: bool = False
    history: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def amount_cents(self) -> int:
        """Goods, postage and whatever CJ adds."""
        return self.goods_cents + self.postage_cents + self.surcharge_cents

    @property
    def vid(self) -> str:
        """The variant of the first line."""
        return self.lines[0].vid

    @property
    def is_unpaid(self) -> bool:
        """No payment happened yet."""
        return self.status in UNPAID

    @property
    def step(self) -> int:
        """The status as a number."""
        return STEPS[self.status]


class Book:
    """Orders, those that were deleted kept apart."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.deleted: list[Order] = []

    def find(self, number_or_id: str) -> Order | None:
        """An order by our number or CJ's id; the latest where a number was used again."""
        for order in reversed(self.orders):
            if number_or_id in (order.number, order.order_id):
                return order
        return None

    def by_id(self, order_id: str) -> Order | None:
        """An order by CJ's id alone."""
        return next((order for order in self.orders if order.order_id == order_id), None)

    def by_code(self, code: str) -> Order | None:
        """An order by its `SD` code."""
        return next((order for order in self.orders if order.code == code), None)

    def by_shipment(self, shipment_id: str) -> Order | None:
        """An order by its parent shipment."""
        return next((order for order in self.orders if order.shipment_id == shipment_id), None)

    def taken(self, number: str, *, for_ever: bool) -> bool:
        """Whether an order number can be used no more.

        CJ does not say whether it outlives a deletion or a cancellation; `for_ever` says that it does.
        """
        if for_ever:
            return any(order.number == number for order in (*self.orders, *self.deleted))
        return any(order.number == number and order.status != "CANCELLED" for order in self.orders)

    def delete(self, order: Order) -> None:
        """Take an order out of every list."""
        self.orders.remove(order)
        self.deleted.append(order)


@dataclass(frozen=True)
class Payment:
    """One movement of the balance: negative when it pays for an order."""

    at: datetime
    cents: int
    kind: str  # opening, pay, refund, top_up, set
    order_id: str
    number: str
    balance_cents: int


class Purse:
    """The balance, and every movement of it."""

    def __init__(self, opening_cents: int, at: datetime) -> None:
        self.balance_cents = opening_cents
        self.payments: list[Payment] = [Payment(at, opening_cents, "opening", "", "", opening_cents)]

    def move(self, at: datetime, cents: int, kind: str, order: Order | None = None) -> None:
        """Change the balance and remember it."""
        self.balance_cents += cents
        order_id, number = (order.order_id, order.number) if order else ("", "")
        self.payments.append(Payment(at, cents, kind, order_id, number, self.balance_cents))

    def sum_of(self, kind: str) -> int:
        """All movements of a kind."""
        return sum(payment.cents for payment in self.payments if payment.kind == kind)
