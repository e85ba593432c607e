"""What Basta tells us, as we speak of it: cents, aware times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen; made only at the door."""

    model_config = ConfigDict(frozen=True)


class Image(Model):
    """A picture of a lot."""

    id: str
    url: str
    order: int
    external_id: str | None


class Sale(Model):
    """An auction. `status` is the schema's word."""

    id: str
    external_id: str | None
    title: str | None
    status: str

    @property
    def is_published(self) -> bool:
        """Whether bidders see it, or saw it."""
        return self.status != "UNPUBLISHED"

    @property
    def is_closed(self) -> bool:
        """Whether every lot is closed."""
        return self.status == "CLOSED"


class Item(Model):
    """One lot in a sale."""

    id: str
    external_id: str | None
    title: str | None
    description: str | None
    item_number: int
    status: str
    reserve_cents: int | None
    starting_bid_cents: int | None
    current_bid_cents: int | None
    leader_id: str | None
    reserve_status: str | None
    total_bids: int
    opens_at: datetime | None
    closing_start: datetime | None
    closing_end: datetime | None
    images: tuple[Image, ...]

    @property
    def is_closed(self) -> bool:
        """Whether bidding is over."""
        return self.status == "ITEM_CLOSED"

    @property
    def is_won(self) -> bool:
        """Closed, led, bid for, and the reserve known to be met or none. The leader alone proves nothing."""
        return (
            self.is_closed
            and bool(self.leader_id)
            and bool(self.current_bid_cents)
            and self.reserve_status in ("MET", "NO_RESERVE")
        )

    @property
    def is_unsold(self) -> bool:
        """Closed without a bid, or below the reserve. Neither won nor unsold: read it again."""
        if not self.is_closed:
            return False
        return self.reserve_status == "NOT_MET" or (
            self.reserve_status in ("MET", "NO_RESERVE") and not (self.leader_id and self.current_bid_cents)
        )


class NewSale(Model):
    """A sale to be made."""

    external_id: str
    title: str
    description: str
    countdown_ms: int
    increments: tuple[tuple[int, int, int], ...]  # low, high, step, in cents
    is_test: bool


class NewItem(Model):
    """A lot to be made; its dates are set when it is published."""

    external_id: str
    title: str
    description: str
    item_number: int
    reserve_cents: int
    starting_bid_cents: int
    opens_at: datetime
    closes_at: datetime


class Upload(Model):
    """Where to put a picture, just before it is put there."""

    image_id: str
    upload_url: str
    image_url: str
    headers: dict[str, str]


class Policy(Model):
    """A condition for registering."""

    id: str
    code: str
    rule: str


class Address(Model):
    """A postal address, complete or not."""

    name: str = ""
    phone: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


class User(Model):
    """A bidder's profile."""

    user_id: str
    name: str
    email: str
    shipping: Address | None


class OrderLine(Model):
    """One lot in an order."""

    item_id: str | None
    amount_cents: int


class Order(Model):
    """What a winner owes, as Basta shows it; no money moves there."""

    id: str
    sale_id: str
    user_id: str
    status: str
    invoice_id: str | None
    payment_id: str | None
    shipping: Address | None
    lines: tuple[OrderLine, ...]


class NewLine(Model):
    """One lot of a new order, with its fees."""

    item_id: str
    amount_cents: int
    description: str
    fees: tuple[tuple[str, int], ...] = ()


class Fee(Model):
    """A rule of the buyer's premium: basis points for PERCENTAGE, cents for AMOUNT."""

    name: str
    kind: str
    value: int
    lower_cents: int
    upper_cents: int | None


def moment(value: Any) -> datetime | None:
    """An RFC 3339 time, in UTC; None for nothing."""
    if not value:
        return None
    parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def rfc3339(at: datetime) -> str:
    """A time as Basta wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def address(row: dict[str, Any] | None) -> Address | None:
    """Null, {} and an empty first line all mean that there is none."""
    if not row or not (row.get("line1") or "").strip():
        return None
    return Address(
        name=row.get("name") or "",
        phone=row.get("phone") or "",
        line1=row["line1"],
        line2=row.get("line2") or "",
        city=row.get("city") or "",
        state=row.get("state") or "",
        postal_code=row.get("postalCode") or "",
        country=row.get("country") or "",
    )


def sale(row: dict[str, Any]) -> Sale:
    """A sale from its fields."""
    return Sale(id=row["id"], external_id=row.get("externalId"), title=row.get("title"), status=row["status"])


def item(row: dict[str, Any]) -> Item:
    """A lot from its fields."""
    dates = row.get("dates") or {}
    return Item(
        id=row["id"],
        external_id=row.get("externalId"),
        title=row.get("title"),
        description=row.get("description"),
        item_number=row["itemNumber"],
        status=row["status"],
        reserve_cents=row.get("reserve"),
        starting_bid_cents=row.get("startingBid"),
        current_bid_cents=row.get("currentBid"),
        leader_id=row.get("leaderId") or None,
        reserve_status=row.get("reserveStatus"),
        total_bids=row.get("totalBids") or 0,
        opens_at=moment(dates.get("openDate")),
        closing_start=moment(dates.get("closingStart")),
        closing_end=moment(dates.get("closingEnd")),
        images=tuple(
            Image(id=one["id"], url=one["url"], order=one["order"], external_id=one.get("externalId"))
            for one in row.get("images") or ()
        ),
    )


def order(row: dict[str, Any]) -> Order:
    """An order from its fields."""
    return Order(
        id=row["id"],
        sale_id=row["saleId"],
        user_id=row["userId"],
        status=row["status"],
        invoice_id=row.get("invoiceId"),
        payment_id=row.get("paymentId"),
        shipping=address(row.get("shippingAddress")),
        lines=tuple(
            OrderLine(item_id=(line.get("item") or {}).get("id"), amount_cents=line["amount"])
            for line in row.get("orderLines") or ()
        ),
    )


def user(row: dict[str, Any]) -> User:
    """A profile; the shipping address, else the first SHIPPING one of the list."""
    listed = (one for one in row.get("addressesV2") or () if one.get("addressType") == "SHIPPING")
    shipping = address(row.get("shippingAddress")) or next((found for one in listed if (found := address(one))), None)
    return User(user_id=row["userId"], name=row.get("name") or "", email=row.get("email") or "", shipping=shipping)
