"""What CJ tells us, as we speak of it: cents, aware times, ids as texts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen; made only at the door."""

    model_config = ConfigDict(frozen=True)


class Found(Model):
    """A product as a search shows it. The price is a range over variants: never price from it."""

    pid: str
    name: str
    price_low_cents: int | None
    price_high_cents: int | None
    stock: int | None  # None: the search did not tell
    image_url: str | None
    on_sale: bool = True


class SearchPage(Model):
    """One page of a search."""

    found: tuple[Found, ...]
    total: int


class Stock(Model):
    """Units of one variant in one country: at CJ's own warehouse, and at the supplier's."""

    country: str
    total: int
    cj: int
    factory: int


class Variant(Model):
    """What can be bought. `stock` is None where CJ told none."""

    vid: str
    sku: str | None
    name: str | None
    key: str | None
    price_cents: int | None
    weight_grams: int | None
    image_url: str | None
    stock: tuple[Stock, ...] | None

    def units(self, country: str) -> int:
        """Units in one country; none where CJ told none."""
        return sum(one.total for one in self.stock or () if one.country == country)


class Product(Model):
    """A product with its variants; the description is plain text."""

    pid: str
    name: str
    sku: str | None
    description: str
    options: str | None
    images: tuple[str, ...]
    variants: tuple[Variant, ...]
    on_sale: bool


class Freight(Model):
    """One way to send a parcel; `name` is copied into the order to the letter."""

    name: str
    cost_cents: int
    days_low: int | None
    days_high: int | None


class OrderStatus(StrEnum):
    """CJ's words; UNKNOWN for one that is new to us."""

    CREATED = "CREATED"
    IN_CART = "IN_CART"
    UNPAID = "UNPAID"
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    UNSHIPPED = "UNSHIPPED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_unpaid(self) -> bool:
        """No money has moved for it."""
        return self in (OrderStatus.CREATED, OrderStatus.IN_CART, OrderStatus.UNPAID)

    @property
    def is_paid(self) -> bool:
        """Money has moved for it. A cancelled order and an unknown word are neither paid nor unpaid."""
        return not self.is_unpaid and self not in (OrderStatus.CANCELLED, OrderStatus.UNKNOWN)


class Order(Model):
    """An order as its detail shows it. An amount is None while CJ has not worked it out."""

    order_id: str
    number: str | None
    code: str | None
    status: OrderStatus
    raw_status: str
    amount_cents: int | None
    goods_cents: int | None
    postage_cents: int | None
    logistic_name: str | None
    tracking_number: str | None
    tracking_url: str | None
    is_sandbox: bool
    paid_at: datetime | None


class NewOrder(Model):
    """An order to be made: one variant, one address, our own number."""

    number: str
    vid: str
    quantity: int = 1
    logistic_name: str
    from_country: str
    country: str
    country_name: str
    province: str
    city: str
    line1: str
    line2: str = ""
    zip_code: str
    name: str
    phone: str


class Created(Model):
    """The answer to a new order; the detail is the truth about it."""

    order_id: str
    amount_cents: int | None


class Balance(Model):
    """CJ's purse."""

    amount_cents: int
    frozen_cents: int


class Quota(Model):
    """One endpoint's allowance, in calls; `used` is None where CJ does not tell."""

    endpoint: str
    limit: int
    used: int | None
    kind: str  # total, year, quarter, month, day, hour


class Account(Model):
    """The account's settings. `open_id` signs CJ's webhooks: it is never logged."""

    open_id: str
    qps: int | None
    quotas: tuple[Quota, ...]
    callbacks: dict[str, tuple[str, ...]]

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [("qps", self.qps), ("quotas", self.quotas)]


class Track(Model):
    """Where a parcel is, in the carrier's words."""

    tracking_number: str
    status: str | None
    delivered: bool


class Usage(Model):
    """What one call cost: `allowed` is how many more CJ allows, when its answer told the points left.

    A call that costs no points is `free`: no number of points limits it. `refused`: the allowance was used up, by
    CJ's own word. `spent` are the endpoints for which the points that are left are too few.
    """

    endpoint: str
    allowed: int | None = None
    free: bool = False
    refused: bool = False
    spent: tuple[str, ...] = ()
