"""CJ Dropshipping, as much of it as we use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from pydantic import SecretStr

from tasks.clients.cj import reading
from tasks.clients.cj.envelope import (
    SERVICE,
    NotFound,
    OffSale,
    OrderNumberTaken,
    TokenRefused,
    open_envelope,
    points_left,
)
from tasks.clients.cj.models import (
    Account,
    Balance,
    Created,
    Freight,
    NewOrder,
    Order,
    Product,
    SearchPage,
    Track,
    Usage,
    Variant,
)
from tasks.clients.cj.tokens import TokenFile, Tokens
from tasks.clients.service import QuotaExhausted, ServiceUnavailable, send

BATCH = 100
#: Where orders are read in hundreds.
ORDERS_ENDPOINT = "/shopping/order/getOrderDetailBatch"
#: Points that a call of these endpoints costs; all others are free.
POINTS = {
    "/product/listV2": 50,
    "/product/query": 10,
    "/product/stock/getInventoryByPid": 10,
    "/product/variant/queryByVid": 10,
    "/logistic/freightCalculate": 10,
}


class Cj:
    """CJ's API 2.0.

    Args:
        pace: blocks until the next call may be made; asked just before every request, logins included.
        seen: told of every call, answered or not, so that all are counted.
        allows: whether an endpoint may be called, by what CJ told last; asked just before the pace.
        sandbox_orders: make CJ's own test orders, which move no money.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        api_key: SecretStr,
        base_url: str,
        tokens: TokenFile,
        pace: Callable[[], None],
        seen: Callable[[Usage], None],
        allows: Callable[[str], bool] = lambda _: True,
        sandbox_orders: bool = False,
    ) -> None:
        self._http, self._api_key, self._base = http, api_key, base_url.rstrip("/")
        self._tokens, self._pace, self._seen, self._allows = tokens, pace, seen, allows
        self._points: int | None = None  # as CJ last told them to this process
        self._sandbox_orders = sandbox_orders

    def open_id(self) -> str:
        """The account's id at CJ, which also signs its webhooks: never log it."""
        return self._valid().open_id.get_secret_value()

    def search(self, keyword: str, *, page: int = 1, size: int = BATCH) -> SearchPage:
        """One page of products for a keyword."""
        data = self._get("/product/listV2", keyWord=keyword, page=page, size=size)
        return reading.search_page(data)

    def product(self, pid: str) -> Product | None:
        """A product with all variants and their stock, in one call; None when it is not sold any more."""
        try:
            return reading.product(self._get("/product/query", pid=pid, features="enable_inventory"))
        except OffSale:
            return None

    def product_stock(self, pid: str) -> dict[str, tuple[Any, ...]]:
        """Stock by variant, for accounts whose product answer tells none."""
        return reading.product_stock(self._get("/product/stock/getInventoryByPid", pid=pid))

    def variant(self, vid: str) -> Variant | None:
        """Price and stock of one variant; None when it is not sold any more."""
        try:
            data = self._get("/product/variant/queryByVid", vid=vid, features="enable_inventory")
        except OffSale:
            return None
        return reading.one_variant(data)

    def freight(
        self, *, from_country: str, to_country: str, vid: str, quantity: int = 1, zip_code: str | None = None
    ) -> tuple[Freight, ...]:
        """The ways to send it, in CJ's order, which means nothing; none is "no route"."""
        body: dict[str, Any] = {
            "startCountryCode": from_country,
            "endCountryCode": to_country,
            "products": [{"vid": vid, "quantity": quantity}],
        }
        if zip_code:
            body["zip"] = zip_code
        return reading.freights(self._call("POST", "/logistic/freightCalculate", json=body))

    def create_order(self, order: NewOrder) -> Created:
        """Create an order, unpaid (`payType` 3).

        Raises:
            OrderNumberTaken: CJ has one of this number; read it. ServiceUnavailable: nobody knows.
        """
        data = self._call("POST", "/shopping/order/createOrderV2", json=reading.order_body(order, self._sandbox_orders))
        order_id = data.get("orderId") if isinstance(data, dict) else None
        if not order_id:
            raise ServiceUnavailable(SERVICE, "createOrderV2", "no order id came back")
        return Created(order_id=str(order_id), amount_cents=reading.maybe_price(data.get("orderAmount")))

    def order(self, number_or_id: str) -> Order | None:
        """An order by our number or CJ's id; None only when CJ says that there is none."""
        try:
            data = self._get("/shopping/order/getOrderDetail", orderId=number_or_id)
        except NotFound:
            return None
        if not data:
            raise ServiceUnavailable(SERVICE, "getOrderDetail", "an empty detail came")
        return reading.order(data)

    def orders(self, numbers_or_ids: Sequence[str]) -> tuple[Order, ...]:
        """Up to 100 orders in one call; those that CJ does not know are left out.

        Raises:
            ValueError: more than 100.
        """
        if len(numbers_or_ids) > BATCH:
            raise ValueError(f"CJ gives {BATCH} orders at once, not {len(numbers_or_ids)}")
        data = self._call("POST", ORDERS_ENDPOINT, json={"orderIds": list(numbers_or_ids)})
        return tuple(reading.order(one) for one in reading.listed(data, "getOrderDetailBatch"))

    def list_orders(self, status: str, *, page: int = 1, size: int = BATCH) -> tuple[Order, ...]:
        """One page of the account's orders in a status; CJ lists none without one."""
        data = self._get("/shopping/order/list", pageNum=page, pageSize=size, status=status)
        return reading.order_page(data)

    def confirm_order(self, order_id: str) -> None:
        """Confirm a created order: it gets CJ's number and becomes UNPAID, a moment later."""
        self._call("PATCH", "/shopping/order/confirmOrder", json={"orderId": order_id})

    def pay_order(self, order_id: str) -> None:
        """Pay a confirmed order from the balance. What it answers proves nothing: read the order."""
        self._call("POST", "/shopping/pay/payBalance", json={"orderId": order_id})

    def delete_order(self, order_id: str) -> None:
        """Delete an order that is not confirmed yet."""
        self._call("DELETE", "/shopping/order/deleteOrder", params={"orderId": order_id})

    def simulate_pay(self, order_id: str) -> None:
        """Let a test order be paid, with no money."""
        self._call("POST", "/shopping/sandbox/simulatePay", json={"orderId": order_id})

    def balance(self) -> Balance:
        """The account's purse."""
        return reading.balance(self._get("/shopping/pay/getBalance"))

    def account(self) -> Account:
        """Quotas and callbacks of the account."""
        return reading.account(self._get("/setting/get"))

    def allowed_by_points(self) -> dict[str, int]:
        """Calls that the points last told to this process still allow, by endpoint; empty where none were told."""
        points = self._points
        return {} if points is None else {path: points // price for path, price in POINTS.items()}

    def track(self, numbers: Sequence[str]) -> tuple[Track, ...]:
        """Where parcels are."""
        data = self._call("GET", "/logistic/trackInfo", params=[("trackNumber", number) for number in numbers])
        return reading.tracks(data)

    def set_webhooks(self, url: str, keep: Mapping[str, Sequence[str]] | None = None) -> None:
        """Have orders and parcels told to this address. CJ tries it, and wants 200 within 3 s.

        Args:
            keep: what the account's other topics have now; CJ wants all of them named, and nothing of ours reads them.
        """
        told = {"product": (keep or {}).get("product", ()), "stock": (keep or {}).get("stock", ())}
        told |= {"order": (url,), "logistics": (url,)}
        topics = {
            name: {"type": "ENABLE" if urls else "CANCEL", "callbackUrls": list(urls)} for name, urls in told.items()
        }
        self._call("POST", "/webhook/set", json=topics)

    def _get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params=params)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        """One business call; a refused token is dropped, and the call made once more."""
        tokens = self._valid()
        try:
            return self._send(method, path, tokens.access.get_secret_value(), **options)
        except TokenRefused:
            tokens = self._valid(not_this=tokens.access.get_secret_value())
            return self._send(method, path, tokens.access.get_secret_value(), **options)

    def _valid(self, not_this: str = "") -> Tokens:
        return self._tokens.valid(self._login, self._refresh, not_this=not_this)

    def _login(self) -> dict[str, Any]:
        key = {"apiKey": self._api_key.get_secret_value()}
        return self._tokens_from("/authentication/getAccessToken", key)

    def _refresh(self, token: str) -> dict[str, Any]:
        return self._tokens_from("/authentication/refreshAccessToken", {"refreshToken": token})

    def _tokens_from(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        data = self._send("POST", path, "", json=body)
        if not isinstance(data, dict) or not data.get("accessToken"):
            raise ServiceUnavailable(SERVICE, path, "no token came back")
        return data

    def _send(self, method: str, path: str, token: str, **options: Any) -> Any:
        operation = path.rsplit("/", 1)[-1]
        if not self._allows(path):
            raise QuotaExhausted(SERVICE, operation, "the allowance is used up, as CJ told")
        self._pace()
        headers = {"CJ-Access-Token": token} if token else {}
        try:
            answer = send(
                self._http, method, self._base + path, service=SERVICE, operation=operation, headers=headers, **options
            )
        except ServiceUnavailable:
            self._count(path, None)  # CJ may have counted it
            raise
        refused = False
        try:
            return open_envelope(answer, operation)
        except QuotaExhausted:
            refused = True
            raise
        finally:
            self._count(path, points_left(answer), refused=refused)

    def _count(self, path: str, points: int | None, *, refused: bool = False) -> None:
        """Tell of the call. Not every answer tells the points: then the last known ones, less what this one cost."""
        if points is None and self._points is not None:
            points = max(self._points - POINTS.get(path, 0), 0)
        self._points = points
        if points is None:  # CJ never told any
            self._seen(Usage(endpoint=path, refused=refused))
            return
        spent = tuple(sorted(other for other, price in POINTS.items() if price > points))
        price = POINTS.get(path)
        allowed = points // price if price else None
        self._seen(Usage(endpoint=path, allowed=allowed, free=price is None, refused=refused, spent=spent))


__all__ = ["Cj", "OrderNumberTaken"]
