"""CJ Dropshipping's API 2.0, with a memory: the door, the routes, and the hands that move its world."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from deployments.sandbox.cj.auth import Auth
from deployments.sandbox.cj.book import Book, Order, Payment, Purse
from deployments.sandbox.cj.catalogue import AREAS, Catalogue
from deployments.sandbox.cj.countries import ISO
from deployments.sandbox.cj.envelope import Refusal, crashed, refused, success
from deployments.sandbox.cj.fields import Query
from deployments.sandbox.cj.following import Following
from deployments.sandbox.cj.freight import Freight
from deployments.sandbox.cj.life import Life
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.cj.orders import Orders
from deployments.sandbox.cj.paying import Paying
from deployments.sandbox.cj.products import Products
from deployments.sandbox.cj.quota import Gate, Quota
from deployments.sandbox.cj.search import Search
from deployments.sandbox.cj.webhooks import Webhooks
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

NO_ENDPOINT, WRONG_METHOD = 1600101, 16900202
OPEN = ("/authentication/getAccessToken", "/authentication/refreshAccessToken")
Handler = Callable[[Request], Any]


class Cj:
    """One CJ account. Paths are those below `/api2.0/v1`."""

    name = "cj"

    def __init__(self, world: World, options: CjOptions | None = None) -> None:
        self.world, self.options = world, options or CjOptions()
        self.catalogue = Catalogue(self.options)
        self.book = Book()
        self.purse = Purse(self.options.balance_cents, world.clock.now())
        self.auth = Auth(world, self.options)
        self.gate = Gate(self.options)
        self.quota = Quota(world.clock, self.options)
        self.webhooks = Webhooks(world, self.options)
        self.life = Life(world, self.options, self.book, self.purse, self.catalogue, self.webhooks)
        self._arrival: tuple[Request, bool] | None = None
        self._requests = itertools.count(1)
        self.routes = self._routes()

    def _routes(self) -> dict[str, tuple[str, Handler]]:
        search = Search(self.world, self.options, self.catalogue)
        products = Products(self.world, self.options, self.catalogue)
        freight = Freight(self.options, self.catalogue)
        orders = Orders(self.world, self.options, self.book, self.catalogue, freight, self.life)
        following = Following(self.options, self.book, self.life)
        paying = Paying(self.world, self.options, self.book, self.purse, self.life)
        return {
            "/authentication/getAccessToken": ("POST", self.auth.get_access_token),
            "/authentication/refreshAccessToken": ("POST", self.auth.refresh_access_token),
            "/authentication/logout": ("POST", self.auth.logout),
            "/setting/get": ("GET", self._setting),
            "/webhook/set": ("POST", self.webhooks.register),
            "/product/listV2": ("GET", search.list_v2),
            "/product/list": ("GET", search.list_v1),
            "/product/getCategory": ("GET", search.categories),
            "/product/query": ("GET", products.query),
            "/product/variant/query": ("GET", products.variants),
            "/product/variant/queryByVid": ("GET", products.variant),
            "/product/stock/queryByVid": ("GET", products.stock_by_vid),
            "/product/stock/queryBySku": ("GET", products.stock_by_sku),
            "/product/stock/getInventoryByPid": ("GET", products.stock_by_pid),
            "/logistic/freightCalculate": ("POST", freight.calculate),
            "/logistic/trackInfo": ("GET", following.track),
            "/shopping/order/createOrderV2": ("POST", orders.create),
            "/shopping/order/getOrderDetail": ("GET", following.detail),
            "/shopping/order/getOrderDetailBatch": ("POST", following.batch),
            "/shopping/order/list": ("GET", following.page),
            "/shopping/order/confirmOrder": ("PATCH", following.confirm),
            "/shopping/order/deleteOrder": ("DELETE", following.delete),
            "/shopping/order/addCart": ("POST", paying.add_cart),
            "/shopping/order/addCartConfirm": ("POST", paying.confirm_cart),
            "/shopping/order/saveGenerateParentOrder": ("POST", paying.parent_order),
            "/shopping/pay/payBalance": ("POST", paying.pay_balance),
            "/shopping/pay/payBalanceV2": ("POST", paying.pay_balance_v2),
            "/shopping/pay/getBalance": ("GET", paying.balance),
            "/shopping/sandbox/simulatePay": ("POST", paying.simulate_pay),
            "/shopping/sandbox/updateStatus": ("POST", paying.update_status),
            "/shopping/sandbox/updateTrackNumber": ("POST", paying.update_track_number),
        }

    # the door

    def operation(self, request: Request) -> str:
        """The method and the path: "POST /shopping/order/createOrderV2".

        The world asks this once, when a call comes in, so the pace is taken here. A call that hangs has still come,
        and one whose effect lands minutes later is not judged by the moment at which it lands.
        """
        self._arrival = (request, self.gate.arrive())
        return f"{request.method} {request.path}"

    def handle(self, request: Request) -> Reply:
        """One call: its pace, its path, its token, its price, its work."""
        request_id = f"{next(self._requests):08x}-0000-4000-8000-{self.options.open_id:012d}"
        try:
            data = self._serve(request)
        except Refusal as refusal:
            return refused(refusal, request_id, self.quota.points_info())
        return success(request.path, data, request_id, self.quota.points_info(), drift=self.options.drift)

    def throttled(self) -> Reply:
        """1600200, at the HTTP status of the options."""
        return refused(self.gate.refusal(), f"{next(self._requests):08x}", None)

    def broken(self) -> Reply:
        """HTTP 500 without an envelope."""
        return crashed("/api2.0/v1")

    def _serve(self, request: Request) -> Any:
        if self._arrival and self._arrival[0] is request and not self._arrival[1]:
            raise self.gate.refusal()
        if request.path not in self.routes:
            raise Refusal(NO_ENDPOINT, "Interface not found")
        method, handler = self.routes[request.path]
        if request.method != method:
            raise Refusal(WRONG_METHOD, f"Request method {request.method} not supported")
        if request.path not in OPEN:
            self.auth.check(request)
        self.quota.charge(request.path)
        return handler(request)

    def _setting(self, request: Request) -> dict[str, Any]:
        Query(request, ())
        return {
            "openId": self.options.open_id,
            "openName": "sandbox",
            "openEmail": "ops@example.test",
            "setting": {"qpsLimit": 1, "quotaLimits": self.quota.rows(list(self.routes))},
            "callback": self.webhooks.callbacks(),
            "root": "GENERAL",
            "isSandbox": False,
        }

    # what tests, demos and the control panel see and do

    @property
    def orders(self) -> list[Order]:
        """Every order that was not deleted, oldest first."""
        return self.book.orders

    @property
    def payments(self) -> list[Payment]:
        """Every movement of the balance, in signed cents."""
        return self.purse.payments

    @property
    def ledger(self) -> dict[str, int]:
        """The balance and what it is made of, in signed cents; the parts sum to the balance."""
        kinds = ("opening", "pay", "refund", "top_up", "set")
        return {"balance": self.purse.balance_cents, **{kind: self.purse.sum_of(kind) for kind in kinds}}

    def order(self, number_or_id: str) -> Order:
        """An order by our number or CJ's id.

        Raises:
            KeyError: there is none.
        """
        order = self.book.find(number_or_id)
        if order is None:
            raise KeyError(number_or_id)
        return order

    def set_stock(self, vid: str, country: str, units: int) -> None:
        """Have so many in a country's warehouse."""
        if country not in AREAS:
            raise ValueError(f"CJ has no warehouse in {country}; there are {', '.join(AREAS)}")
        self.catalogue.set_units(vid, country, units)

    def set_price(self, vid: str, cents: int) -> None:
        """Let a variant cost this from now on; orders made keep their price."""
        self.options.price_overrides[vid] = cents

    def delist(self, vid_or_pid: str) -> None:
        """Take a variant, or a whole product, off sale."""
        product = any(one.pid == vid_or_pid for one in self.catalogue.products)
        (self.options.delisted_pids if product else self.options.delisted_vids).add(vid_or_pid)

    def scale_freight(self, country: str, factor: Decimal | float | str) -> None:
        """Let every way to a country cost this many times the usual."""
        if country not in ISO:
            raise ValueError(f"{country} is no country")
        self.options.freight_factor[country] = Decimal(str(factor))

    def set_balance(self, cents: int) -> None:
        """Have exactly this much in the purse."""
        self.purse.move(self.world.clock.now(), cents - self.purse.balance_cents, "set")

    def top_up(self, cents: int) -> None:
        """Put money in."""
        self.purse.move(self.world.clock.now(), cents, "top_up")

    def cancel_order(self, number_or_id: str) -> Order:
        """Cancel by hand, as the operator or CJ's staff does; a paid one is refunded to the balance."""
        order = self.order(number_or_id)
        if order.status != "CANCELLED":
            self.life.cancel(order)
        return order

    def pay_by_hand(self, number_or_id: str) -> Order:
        """Pay in CJ's dashboard, from the same balance, confirming first where that is still to be done.

        Raises:
            ValueError: it cannot be paid; the reason is CJ's.
        """
        order = self.order(number_or_id)
        if order.status in ("CREATED", "IN_CART"):
            order.confirming, order.status = False, "UNPAID"
            order.history.append((self.world.clock.now(), "UNPAID"))
        try:
            self.life.pay(order)
        except Refusal as refusal:
            raise ValueError(str(refusal)) from refusal
        order.paid_by_hand = True
        return order

    def ship(self, number_or_id: str) -> Order:
        """Send the parcel now."""
        order = self.order(number_or_id)
        self.life.ship(order)
        return order

    def deliver(self, number_or_id: str) -> Order:
        """Have the parcel arrive now, shipping it first where that is still to be done."""
        order = self.order(number_or_id)
        if order.shipped is None:
            self.life.ship(order)
        self.life.deliver(order)
        return order
