"""From CJ's answers to our models. A field that is missing where we need it is an answer we cannot use."""

from __future__ import annotations

from typing import Any

from tasks.clients import answers
from tasks.clients.cj.envelope import SERVICE
from tasks.clients.cj.models import (
    Account,
    Balance,
    Found,
    Freight,
    NewOrder,
    Order,
    OrderStatus,
    Product,
    Quota,
    SearchPage,
    Stock,
    Track,
    Variant,
)
from tasks.clients.cj.parsing import addresses, grams, moment, plain, price, price_range, texts, whole
from tasks.clients.service import ServiceUnavailable
from tasks.rules.money import MoneyError

ON_SALE = "3"
DELIVERED_WORDS = ("delivered",)
QUOTA_KINDS = {0: "total", 1: "year", 2: "quarter", 3: "month", 4: "day", 5: "hour"}


def _unusable(operation: str, what: str) -> ServiceUnavailable:
    return ServiceUnavailable(SERVICE, operation, f"the answer has no {what}")


def listed(data: Any, operation: str) -> list[Any]:
    """A list, which may be empty; nothing at all is no empty list, but an answer that says nothing."""
    if not isinstance(data, list):
        raise _unusable(operation, "list")
    return data


def maybe_price(value: Any) -> int | None:
    """A price, or None where CJ left it empty or unreadable: the caller waits, it never guesses."""
    try:
        return price(value)
    except MoneyError:
        return None


def maybe_range(value: Any) -> tuple[int | None, int | None]:
    """A search price's ends, or None twice."""
    try:
        return price_range(value) or (None, None)
    except MoneyError:
        return None, None


def _text(value: Any) -> str | None:
    return str(value).strip() or None if value is not None else None


def found(row: dict[str, Any]) -> Found:
    """One search row, of `listV2` or of the older `product/list`."""
    low, high = maybe_range(row.get("nowPrice") or row.get("sellPrice"))
    _, widest = maybe_range(row.get("sellPrice"))
    stock = whole(row.get("warehouseInventoryNum"))
    pictures = addresses(row.get("bigImage"), row.get("productImage"))
    name = texts(row.get("nameEn") or row.get("productNameEn") or row.get("productName"))
    return Found(
        pid=str(row.get("id") or row["pid"]),
        name=" ".join(name[0].split()) if name else "",
        price_low_cents=low,
        price_high_cents=widest if widest is not None else high,
        stock=stock,
        image_url=pictures[0] if pictures else None,
        on_sale=str(row.get("saleStatus") or ON_SALE) == ON_SALE,
    )


def search_page(data: Any) -> SearchPage:
    """`listV2` hides its products two levels down; `product/list` has them in `list`."""
    if not isinstance(data, dict):
        raise _unusable("listV2", "content")
    if "list" in data:
        rows = data["list"] or []
        return SearchPage(found=tuple(found(row) for row in rows), total=whole(data.get("total")) or len(rows))
    rows = [row for block in data.get("content") or () for row in (block or {}).get("productList") or ()]
    return SearchPage(found=tuple(found(row) for row in rows), total=whole(data.get("totalRecords")) or len(rows))


#: The names of the four endpoints' counts. Where a row has none of them, it tells nothing: that is not "none left".
COUNTS = (
    "totalInventory", "totalInventoryNum", "storageNum",
    "cjInventory", "cjInventoryNum", "factoryInventory", "factoryInventoryNum",
)  # fmt: skip


def stock(row: dict[str, Any]) -> Stock:
    """One area's stock, under any of the four endpoints' names."""
    ours = whole(row.get("cjInventory", row.get("cjInventoryNum"))) or 0
    factory = whole(row.get("factoryInventory", row.get("factoryInventoryNum"))) or 0
    total = whole(row.get("totalInventory", row.get("totalInventoryNum", row.get("storageNum"))))
    return Stock(
        country=str(row.get("countryCode") or "CN"),
        total=ours + factory if total is None else total,
        cj=ours,
        factory=factory,
    )


def stocks(rows: Any) -> tuple[Stock, ...] | None:
    """A variant's stock; None where CJ told none, which is not "none left"."""
    if isinstance(rows, str):
        try:
            rows = answers.loads(rows)
        except ValueError:
            return None
    if not isinstance(rows, list) or any(all(whole(row.get(name)) is None for name in COUNTS) for row in rows):
        return None
    return tuple(stock(row) for row in rows)


def variant(row: dict[str, Any]) -> Variant:
    """One variant."""
    key = texts(row.get("variantKey"))
    return Variant(
        vid=str(row["vid"]),
        sku=_text(row.get("variantSku")),
        name=_text(row.get("variantNameEn")),
        key="-".join(key) or None,
        price_cents=maybe_price(row.get("variantSellPrice")),
        weight_grams=grams(row.get("variantWeight")),
        image_url=next(iter(addresses(row.get("variantImage"))), None),
        stock=stocks(row.get("inventories")),
    )


def one_variant(data: Any) -> Variant:
    """One variant asked for by its id; what is not sold any more has a code of its own."""
    if not isinstance(data, dict) or not data.get("vid"):
        raise _unusable("variant/queryByVid", "variant")
    return variant(data)


def product(data: Any) -> Product:
    """One product with its variants."""
    if not isinstance(data, dict) or not data.get("pid"):
        raise _unusable("product/query", "product")
    name = texts(data.get("productNameEn") or data.get("productName"))
    return Product(
        pid=str(data["pid"]),
        name=" ".join(name[0].split()) if name else "",
        sku=_text(data.get("productSku")),
        description=plain(data.get("description")),
        options=_text(data.get("productKeyEn")),
        images=addresses(data.get("productImageSet"), data.get("bigImage"), data.get("productImage")),
        variants=tuple(variant(row) for row in data.get("variants") or ()),
        on_sale=str(data.get("status") or ON_SALE) == ON_SALE,
    )


def product_stock(data: Any) -> dict[str, tuple[Stock, ...]]:
    """Stock by variant id."""
    if not isinstance(data, dict):
        raise _unusable("getInventoryByPid", "stock")
    told = data.get("variantInventories") or ()
    return {str(row["vid"]): stocks(row.get("inventory")) or () for row in told}


def freights(data: Any) -> tuple[Freight, ...]:
    """The dearer of the stated total and the sum of its parts: the total may be null, missing or 0.

    No way is an empty list. Ways without any price are none that could be judged, unless CJ says what is wrong.
    """
    options, unpriced = [], False
    for row in listed(data, "freightCalculate"):
        parts = [maybe_price(row.get(name)) for name in ("logisticPrice", "taxesFee", "clearanceOperationFee")]
        total = maybe_price(row.get("totalPostageFee"))
        cost = max(total or 0, sum(part or 0 for part in parts))
        if cost <= 0 or not row.get("logisticName"):
            unpriced = unpriced or not row.get("errorEn")
            continue  # no price is no offer
        low, _, high = str(row.get("logisticAging") or "").partition("-")
        options.append(
            Freight(name=row["logisticName"], cost_cents=cost, days_low=whole(low), days_high=whole(high or low))
        )
    if unpriced and not options:
        raise _unusable("freightCalculate", "price")
    return tuple(options)


def order_status(raw: Any) -> OrderStatus:
    """CJ's word, or UNKNOWN for a new one."""
    try:
        return OrderStatus(str(raw or "").upper())
    except ValueError:
        return OrderStatus.UNKNOWN


def order(data: dict[str, Any]) -> Order:
    """An order's detail."""
    if not data.get("orderId"):
        raise _unusable("getOrderDetail", "order id")
    raw = str(data.get("orderStatus") or "")
    return Order(
        order_id=str(data["orderId"]),
        number=_text(data.get("orderNum") or data.get("orderNumber")),
        code=_text(data.get("cjOrderCode")),
        status=order_status(raw),
        raw_status=raw,
        amount_cents=maybe_price(data.get("orderAmount")),
        goods_cents=maybe_price(data.get("productAmount")),
        postage_cents=maybe_price(data.get("postageAmount")),
        logistic_name=_text(data.get("logisticName")),
        tracking_number=_text(data.get("trackNumber")),
        tracking_url=_text(data.get("trackingUrl")),
        is_sandbox=data.get("isSandbox") in (1, True, "1", "true"),
        paid_at=moment(data.get("paymentDate")),
    )


def order_page(data: Any) -> tuple[Order, ...]:
    """A page of the account's orders; an empty one has an empty list, or none."""
    if not isinstance(data, dict):
        raise _unusable("order/list", "page")
    return tuple(order(one) for one in data.get("list") or ())


def order_body(new: NewOrder, sandbox: bool) -> dict[str, Any]:
    """The request of a new order. `payType` 3 creates it and no more: money moves by a call of its own."""
    body: dict[str, Any] = {
        "orderNumber": new.number,
        "shippingCountryCode": new.country,
        "shippingCountry": new.country_name,
        "shippingProvince": new.province[:50],
        "shippingCity": new.city[:50],
        "shippingAddress": new.line1[:200],
        "shippingAddress2": new.line2[:200],
        "shippingCustomerName": new.name[:50],
        "shippingZip": new.zip_code[:20],
        "shippingPhone": new.phone[:20],
        "logisticName": new.logistic_name,
        "fromCountryCode": new.from_country,
        "payType": 3,
        "products": [{"vid": new.vid, "quantity": new.quantity, "storeLineItemId": f"{new.number}-1"}],
    }
    if sandbox:
        body["isSandbox"] = 1
    return body


def balance(data: Any) -> Balance:
    """The purse; frozen money may be null."""
    amount = maybe_price((data or {}).get("amount"))
    if amount is None:
        raise _unusable("getBalance", "amount")
    return Balance(amount_cents=amount, frozen_cents=maybe_price(data.get("freezeAmount")) or 0)


def account(data: Any) -> Account:
    """The account. Callbacks come nested by topic, or flat in an older shape, which counts as none."""
    if not isinstance(data, dict) or data.get("openId") is None:
        raise _unusable("setting/get", "openId")
    setting = data.get("setting") or {}
    callbacks = {
        topic: tuple(one.get("urls") or ()) if one.get("type") in ("ENABLE", "ALL") else ()
        for topic, one in (data.get("callback") or {}).items()
        if isinstance(one, dict)
    }
    return Account(
        open_id=str(data["openId"]),
        qps=whole(setting.get("qpsLimit")),
        quotas=tuple(quota(row) for row in setting.get("quotaLimits") or ()),
        callbacks=callbacks,
    )


def quota(row: dict[str, Any]) -> Quota:
    """One endpoint's allowance; the path without CJ's prefix, as we count it."""
    path = str(row.get("quotaUrl") or "")
    return Quota(
        endpoint=path.removeprefix("/api2.0/v1") or path,
        limit=whole(row.get("quotaLimit")) or 0,
        used=whole(row.get("requestedNum")),
        kind=QUOTA_KINDS.get(whole(row.get("quotaType")) or 0, "unknown"),
    )


def tracks(data: Any) -> tuple[Track, ...]:
    """Where parcels are, in the carriers' free text."""
    return tuple(
        Track(
            tracking_number=str(row.get("trackingNumber") or ""),
            status=_text(row.get("trackingStatus")),
            delivered=str(row.get("trackingStatus") or "").lower().startswith(DELIVERED_WORDS),
        )
        for row in listed(data, "trackInfo")
    )
