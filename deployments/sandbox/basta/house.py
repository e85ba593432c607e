"""The auction house itself: sales that open and close by the clock, and bidders who fight for lots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deployments.sandbox.basta import bidding, hooks, members
from deployments.sandbox.basta.hooks import Sending
from deployments.sandbox.basta.members import Member
from deployments.sandbox.basta.rows import Item, Order, Registration, Sale
from deployments.sandbox.world import World

ROUNDS = 4


@dataclass
class BastaOptions:
    """How the house behaves; all of it can be changed while it runs."""

    account_id: str = "sandbox-account"
    api_key: str = "sandbox-key"
    webhook_secret: str = "whsec_sandbox"
    status_lag_seconds: float = 0.2
    image_lag_seconds: float = 0.2
    unique_external_ids: bool = False
    bidding: bool = True
    bidders_per_lot: int = 3
    fees: list[dict[str, Any]] | None = None
    revision: str = "B"


class House:
    """Sales, orders, bidders, policies and subscriptions of one account."""

    def __init__(self, world: World, options: BastaOptions) -> None:
        self.world, self.options = world, options
        self.sales: dict[str, Sale] = {}
        self.orders: dict[str, Order] = {}
        self.policies: list[dict[str, Any]] = []
        self.uploads: dict[str, tuple[Item, dict[str, Any]]] = {}
        self.members: dict[str, Member] = {}
        self.registrations: dict[str, Registration] = {}
        self.subscriptions: list[dict[str, Any]] = []
        self.sendings: list[Sending] = []
        self.plans: list[dict[str, Any]] = []

    @property
    def items(self) -> list[Item]:
        """Every lot of every sale."""
        return [item for sale in self.sales.values() for item in sale.items]

    def item(self, item_id: str) -> Item | None:
        """A lot by its id."""
        return next((item for item in self.items if item.id == item_id), None)

    def plan_lot(
        self,
        *,
        winner: str | None,
        hammer: str,
        external_id: str | None = None,
        item_number: int | None = None,
        sale_title: str | None = None,
    ) -> None:
        """Steer a lot: who wins it, and above or below the reserve ("no_bid" for nobody). The fight is a real one."""
        plan = {"winner": winner, "hammer": hammer, "external_id": external_id}
        self.plans.append({**plan, "item_number": item_number, "sale_title": sale_title})

    def publish(self, sale: Sale) -> None:
        """Show a sale, and let the clock take it from here."""
        sale.status = "PUBLISHED"
        hooks.sale_changed(self, sale)
        for item in sale.items:
            self._schedule(sale, item)

    def _schedule(self, sale: Sale, item: Item) -> None:
        opens = item.opens or self.world.clock.now()
        self._later(opens, lambda: self._open(sale, item), f"open {item.id}")
        if item.closes:
            self._later(item.closes, lambda: self._closing(sale, item), f"closing {item.id}")

    def _later(self, when: datetime, do: Callable[[], None], label: str) -> None:
        self.world.at(when + timedelta(seconds=self.options.status_lag_seconds), do, label)

    def register(
        self,
        sale: Sale,
        user_id: str,
        status: str | None = None,
        *,
        kind: str = "ONLINE",
        identifier: str | None = None,
    ) -> Registration:
        """Register a bidder. Where the sale has policies they decide, unless the caller says the status."""
        results = members.policy_results(self, sale, user_id)
        by_policy = "ACCEPTED" if results and all(one["passed"] for one in results) else "PENDING"
        row = Registration(
            id=f"reg-{self.world.new_number()}",
            sale_id=sale.id,
            user_id=user_id,
            type=kind,
            identifier=identifier,
            status=status or by_policy,
            created=self.world.clock.now(),
            results=results,
        )
        self.registrations[row.id] = row
        return row

    def open_now(self, sale: Sale, item: Item) -> None:
        """Open a lot before its time."""
        self._open(sale, item)

    def _open(self, sale: Sale, item: Item) -> None:
        if item not in sale.items or item.status != "ITEM_NOT_OPEN":
            return
        item.status = "ITEM_OPEN"
        if sale.status == "PUBLISHED":
            sale.status = "OPENED"
            hooks.sale_changed(self, sale)
        hooks.items_changed(self, sale, [item])
        if self.options.bidding:
            self._invite(sale, item)

    def _closing(self, sale: Sale, item: Item) -> None:
        if item not in sale.items or item.status not in ("ITEM_OPEN", "ITEM_NOT_OPEN"):
            return
        item.status = "ITEM_CLOSING"
        if sale.status in ("PUBLISHED", "OPENED"):
            sale.status = "CLOSING"
            hooks.sale_changed(self, sale)
        hooks.items_changed(self, sale, [item])
        end = item.end
        assert end is not None
        item.closing_end = end
        self._await_end(sale, item)

    def _await_end(self, sale: Sale, item: Item) -> None:
        """When the countdown is over a lot is processed for a moment, and closed; a late bid moves the end."""
        end = item.end
        assert end is not None

        def over() -> None:
            if item not in sale.items or item.status != "ITEM_CLOSING":
                return
            if item.end and item.end > self.world.clock.now():
                self._await_end(sale, item)
                return
            item.status = "ITEM_PROCESSING"
            self.world.after(self.options.status_lag_seconds, lambda: self._close(sale, item), f"close {item.id}")

        self.world.at(end, over, f"end of {item.id}")

    def _close(self, sale: Sale, item: Item) -> None:
        if item not in sale.items or item.status != "ITEM_PROCESSING":
            return
        item.status = "ITEM_CLOSED"
        hooks.items_changed(self, sale, [item])
        self.close_if_done(sale)

    def close_if_done(self, sale: Sale) -> None:
        """A sale closes with its last lot, after a moment of processing."""
        if sale.status == "UNPUBLISHED" or not all(item.status == "ITEM_CLOSED" for item in sale.items):
            return
        sale.status = "PROCESSING"

        def closed() -> None:
            sale.status = "CLOSED"
            hooks.sale_changed(self, sale)

        self.world.after(self.options.status_lag_seconds, closed, f"close {sale.id}")

    def _invite(self, sale: Sale, item: Item) -> None:
        """Let some persons bid against each other until the lot closes."""
        winner, hammer = self._plan_of(sale, item)
        if hammer == "no_bid":
            return
        everybody = [person for person in self.world.people.all() if person.user_id != winner]
        people = [person for person in everybody if members.passes(self, sale, person.user_id)]
        rivals = self.world.random.sample(people, min(self.options.bidders_per_lot, len(people)))
        winner = winner or (rivals.pop().user_id if rivals else None)
        if winner is None or item.closes is None:
            return
        self._admit(sale, [*(rival.user_id for rival in rivals), winner])
        time = (item.closes - self.world.clock.now()).total_seconds()
        goal = self._goal(sale, item, hammer)
        for turn in range(ROUNDS):
            for place, rival in enumerate(rivals):
                when = time * (turn * len(rivals) + place + 1) / (ROUNDS * max(len(rivals), 1) + 2)
                share = goal * (turn * len(rivals) + place + 1) // (ROUNDS * max(len(rivals), 1) + 1)
                self.world.after(when, self._bid(sale, item, rival.user_id, share), f"bid on {item.id}")
        self.world.after(time * 0.1, self._bid(sale, item, winner, goal), f"bid on {item.id}")
        self.world.after(time * 0.9, self._last_bid(sale, item, winner, goal), f"last bid on {item.id}")

    def _admit(self, sale: Sale, user_ids: list[str]) -> None:
        """Whoever is to bid is registered. A steered winner is let in by hand, whatever the policies say."""
        for user_id in user_ids:
            if members.registration(self, sale, user_id) is None:
                self.register(sale, user_id, "ACCEPTED")

    def _plan_of(self, sale: Sale, item: Item) -> tuple[str | None, str]:
        for plan in self.plans:
            named = plan["external_id"] == item.external_id and plan["external_id"] is not None
            placed = (
                plan["item_number"] == item.number and (plan["sale_title"] or "").lower() in (sale.title or "").lower()
            )
            if named or (plan["external_id"] is None and placed):
                return plan["winner"], plan["hammer"]
        return None, "above_reserve"

    def _goal(self, sale: Sale, item: Item, hammer: str) -> int:
        """What the winner is ready to pay."""
        if hammer == "below_reserve":
            low = max(item.starting_bid, item.reserve * 3 // 4)
            step = sale.step(low)
            return min(low // step * step, item.reserve - step)
        high = item.reserve + item.reserve * self.world.random.randint(5, 45) // 100
        step = sale.step(high)
        return -(-high // step) * step

    def _bid(self, sale: Sale, item: Item, user_id: str, ceiling: int) -> Callable[[], None]:
        def do() -> None:
            ask = sale.next_ask(item)
            step = sale.step(max(ceiling, ask))
            amount = ceiling // step * step
            if amount < ask or item.leader == user_id:
                return
            try:
                bid = bidding.place(self.world, sale, item, user_id, amount, "MAX")
            except bidding.BidRefused:
                return
            hooks.bid_made(self, sale, item, bid)

        return do

    def _last_bid(self, sale: Sale, item: Item, user_id: str, goal: int) -> Callable[[], None]:
        """The steered winner sees that it leads, and at the goal: a rival's ceiling is pushed up by normal bids."""

        def do() -> None:
            if item.leader != user_id or (item.current or 0) < goal:
                amount = max(goal, sale.next_ask(item))
                step = sale.step(amount)
                amount = -(-amount // step) * step
                try:
                    if item.leader == user_id and self.world.people.all():
                        rival = next(one for one in self.world.people.all() if one.user_id != user_id)
                        below = max(amount - sale.step(amount - 1), sale.next_ask(item))
                        bidding.place(self.world, sale, item, rival.user_id, below, "NORMAL")
                    if item.leader != user_id:
                        bidding.place(self.world, sale, item, user_id, max(amount, sale.next_ask(item)), "NORMAL")
                except bidding.BidRefused:
                    return

        return do
