"""CJ Dropshipping, API 2.0."""

from tasks.clients.cj.client import ORDERS_ENDPOINT, Cj
from tasks.clients.cj.envelope import BalanceShort, NotFound, OffSale, OrderNumberTaken, TokenRefused
from tasks.clients.cj.models import (
    Account,
    Balance,
    Created,
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
    Usage,
    Variant,
)
from tasks.clients.cj.tokens import TokenFile

__all__ = [
    "ORDERS_ENDPOINT",
    "Account",
    "Balance",
    "BalanceShort",
    "Cj",
    "Created",
    "Found",
    "Freight",
    "NewOrder",
    "NotFound",
    "OffSale",
    "Order",
    "OrderNumberTaken",
    "OrderStatus",
    "Product",
    "Quota",
    "SearchPage",
    "Stock",
    "TokenFile",
    "TokenRefused",
    "Track",
    "Usage",
    "Variant",
]
