"""What becomes of an order: confirmed, paid, packed, shipped, delivered, or cancelled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from deployments.sandbox.cj.book import Book, Order, Purse
from deployments.sandbox.cj.catalogue import Catalogue
from deployments.sandbox.cj.envelope import Refusal
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.cj.webhooks import Webhooks
from deployments.sandbox.world import World

PAYMENT_FAILED, STOCK_FAILED, BALANCE_LOW, BALANCE_BLOCKED = 1603101, 1603102, 1604000, 1604001


class Life:
    """Moves orders, and tells of every move."""

    def __init__(
        self, world: World, options: CjOptions, book: Book, purse: Purse, catalogue: Catalogue, webhooks: Webhooks
    ) -> None:
        self._world, self._options, self._book = world, options, book
        self._purse, self._catalogue, self._webhooks = purse, catalogue, webhooks

    def confirm(self, order: Order) -> None:
        """CREATED or IN_CART becomes UNPAID, at once or after the lag."""
        if self._options.confirm_lag_seconds <= 0:
            self._move(order, "UNPAID")
            return
        order.confirming = True
        self._world.after(
            self._options.confirm_lag_seconds, lambda: self._confirmed(order), f"cj confirms {order.number}"
        )

    def pay(self, order: Order) -> None:
        """Take the money for an UNPAID order and set it going.

        Raises:
            Refusal: 1604000 balance short, 1604001 balance blocked, 1603101 not payable, 1603102 no stock.
        """
        if order.status != "UNPAID":
            raise Refusal(PAYMENT_FAILED, f"Payment failed, order status is {order.status}")
        if order.is_sandbox:
            raise Refusal(PAYMENT_FAILED, "Payment failed, sandbox order")
        if order.logistics_miss:
            raise Refusal(PAYMENT_FAILED, "Payment failed, logistics miss")
        if self._options.balance_blocked:
            raise Refusal(BALANCE_BLOCKED, "Balance payment is not allowed")
        for line in order.lines:
            if self._catalogue.units(line.vid, order.from_country) < line.quantity:
                raise Refusal(STOCK_FAILED, "Stock deduction failed")
        if self._purse.balance_cents < order.amount_cents:
            raise Refusal(BALANCE_LOW, "Balance is insufficient")
        self._purse.move(self._world.clock.now(), -order.amount_cents, "pay", order)
        order.paid_cents = order.amount_cents
        for line in order.lines:
            left = self._catalogue.units(line.vid, order.from_country) - line.quantity
            self._catalogue.set_units(line.vid, order.from_country, left)
        self.paid(order)

    def paid(self, order: Order) -> None:
        """An order is paid, with or without money: it goes its way."""
        order.paid = self._world.clock.now()
        self._move(order, self._options.handling_states[0])
        if not order.is_sandbox or self._options.sandbox_orders_live:
            self._plan(order)

    def set_status(self, order: Order, status: str) -> None:
        """One step of a sandbox order, by order."""
        match status:
            case "SHIPPED":
                self.ship(order)
            case "DELIVERED":
                self.deliver(order)
            case "CANCELLED":
                self.cancel(order)
            case _:
                self._move(order, status)

    def ship(self, order: Order) -> None:
        """Hand the parcel to the carrier; it gets its number here at the latest."""
        order.shipped = self._world.clock.now()
        order.track_number = order.track_number or f"CJP{self._world.new_number():010d}YQ"
        order.parcel_status = 1
        self._move(order, "SHIPPED")
        self._webhooks.parcel(order)

    def deliver(self, order: Order) -> None:
        """The parcel is there."""
        order.delivered = self._world.clock.now()
        order.parcel_status = 12
        self._webhooks.parcel(order)
        self._move(order, "DELIVERED")

    def cancel(self, order: Order) -> None:
        """Close an order; what was paid goes back to the balance, what was taken goes back on the shelf."""
        if order.paid_cents:
            self._purse.move(self._world.clock.now(), order.paid_cents, "refund", order)
            order.paid_cents = 0
            if not order.shipped:
                for line in order.lines:
                    back = self._catalogue.units(line.vid, order.from_country) + line.quantity
                    self._catalogue.set_units(line.vid, order.from_country, back)
        self._move(order, "CANCELLED")

    def delete(self, order: Order) -> None:
        """Forget an unconfirmed order."""
        self._book.delete(order)
        self._webhooks.order(order, "DELETE")

    def into_cart(self, order: Order) -> None:
        """CREATED becomes IN_CART."""
        self._move(order, "IN_CART")

    def _confirmed(self, order: Order) -> None:
        order.confirming = False
        if order.status in ("CREATED", "IN_CART") and order in self._book.orders:
            self._move(order, "UNPAID")

    def _plan(self, order: Order) -> None:
        """What will happen by itself; whoever moves the order by hand in between is not overruled."""
        ship, deliver = self._options.ship_after_seconds, self._options.deliver_after_seconds
        states = self._options.handling_states
        if ship is None:
            return
        for place, state in enumerate(states[1:], 1):
            self._later(ship * place / len(states), order, (states[place - 1],), partial(self._move, order, state))
        self._later(ship, order, states, partial(self.ship, order))
        if deliver is not None:
            self._later((ship + deliver) / 2, order, ("SHIPPED",), partial(self._on_the_way, order))
            self._later(deliver, order, ("SHIPPED",), partial(self.deliver, order))

    def _later(self, seconds: float, order: Order, when: tuple[str, ...], do: Callable[[], None]) -> None:
        def happen() -> None:
            if order.status in when:
                do()

        self._world.after(seconds, happen, f"cj moves {order.number}")

    def _on_the_way(self, order: Order) -> None:
        order.parcel_status = 5
        self._webhooks.parcel(order)

    def _move(self, order: Order, status: str) -> None:
        order.status = status
        order.updated = self._world.clock.now()
        order.history.append((order.updated, status))
        self._webhooks.order(order)
