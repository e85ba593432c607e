"""What the sandbox's Basta remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass
class Bid:
    """One bid, ours or the engine's reaction."""

    id: str
    user_id: str
    amount: int
    max_amount: int
    at: datetime
    sequence: int


@dataclass
class Item:
    """One lot of a sale."""

    id: str
    sale_id: str
    number: int
    external_id: str | None
    title: str
    description: str
    starting_bid: int
    reserve: int
    opens: datetime | None
    closes: datetime | None
    countdown_ms: int
    status: str = "ITEM_NOT_OPEN"
    closing_end: datetime | None = None
    bids: list[Bid] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    leader: str | None = None
    current: int | None = None
    top_max: int = 0
    bid_types: list[str] = field(default_factory=lambda: ["MAX"])
    reserve_lost: bool = False  # a forced close loses the result
    plan: tuple[str | None, str] | None = None  # (winner, hammer) that a test or the demo steers to

    @property
    def reserve_status(self) -> str:
        """NO_RESERVE, MET or NOT_MET."""
        if self.reserve_lost:
            return "NOT_MET"
        if not self.reserve:
            return "NO_RESERVE"
        return "MET" if self.current is not None and self.current >= self.reserve else "NOT_MET"

    @property
    def end(self) -> datetime | None:
        """When bidding is over, for now."""
        if self.closing_end:
            return self.closing_end
        return self.closes + timedelta(milliseconds=self.countdown_ms) if self.closes else None


@dataclass
class Sale:
    """One auction."""

    id: str
    external_id: str | None
    title: str | None
    description: str | None
    rules: list[dict[str, int]]
    countdown_ms: int
    is_test: bool
    created: datetime
    status: str = "UNPUBLISHED"
    items: list[Item] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    reserve_method: str = "STANDARD"
    registration_required: bool = False

    def step(self, current: int) -> int:
        """The increment at this bid; above the table the last one goes on."""
        for rule in self.rules:
            if rule["lowRange"] <= current < rule["highRange"]:
                return rule["step"]
        return self.rules[-1]["step"] if self.rules else 100

    def next_ask(self, item: Item) -> int:
        """The lowest amount that is accepted now."""
        return self.next_asks(item, 1)[0]

    def next_asks(self, item: Item, number: int) -> list[int]:
        """The lowest amounts that are accepted in turn."""
        asks: list[int] = []
        at = item.current
        for _ in range(number):
            step = 0 if at is None else self.step(at)
            at = item.starting_bid if at is None else at // step * step + step
            asks.append(at)
        return asks


@dataclass
class Registration:
    """A bidder's leave to bid in a sale, with how the bidder stood to its policies then."""

    id: str
    sale_id: str
    user_id: str
    type: str
    identifier: str | None
    status: str
    created: datetime
    results: list[dict[str, Any]]
    reason: str | None = None


@dataclass
class Order:
    """A winner's order; no money moves here."""

    id: str
    sale_id: str
    user_id: str
    title: str
    lines: list[dict[str, Any]]
    created: datetime
    modified: datetime
    status: str = "DRAFT"
    shipping: dict[str, Any] | None = None
    billing: dict[str, Any] | None = None
    invoice: dict[str, Any] | None = None
    payment_id: str | None = None
