"""CJ Dropshipping, as a vendor of the sandbox."""

from deployments.sandbox.cj.book import Order, Payment
from deployments.sandbox.cj.invention import Product, Variant
from deployments.sandbox.cj.options import (
    BUSY_WITH_ORDER,
    BUSY_WITHOUT_ORDER,
    EMPTY_WITH_ORDER,
    ERROR_WITH_EFFECT,
    SUCCESS_WITHOUT_EFFECT,
    CjOptions,
)
from deployments.sandbox.cj.vendor import Cj
from deployments.sandbox.cj.webhooks import sign

__all__ = [
    "BUSY_WITHOUT_ORDER",
    "BUSY_WITH_ORDER",
    "EMPTY_WITH_ORDER",
    "ERROR_WITH_EFFECT",
    "SUCCESS_WITHOUT_EFFECT",
    "Cj",
    "CjOptions",
    "Order",
    "Payment",
    "Product",
    "Variant",
    "sign",
]
