"""Where a lot goes: the first complete address, frozen on the lot before anything is ordered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tasks.clients import basta, stripe
from tasks.desk import Desk
from tasks.lots.models import Buyer, Invoice

Given = basta.Address | stripe.Address


@dataclass(frozen=True)
class Address:
    """A postal address, as CJ wants it."""

    name: str
    line1: str
    line2: str
    city: str
    province: str
    zip_code: str
    country: str
    phone: str

    @property
    def complete(self) -> bool:
        """Whether a parcel finds its way. No state is asked for: many countries have none."""
        return all(part.strip() for part in (self.name, self.line1, self.city, self.zip_code, self.country))

    def frozen(self) -> dict[str, Any]:
        """As the lot keeps it."""
        return asdict(self)


def of(given: Given, buyer_name: str) -> Address:
    """A vendor's address in CJ's words; a nameless one gets the buyer's name."""
    return Address(
        name=given.name.strip() or buyer_name,
        line1=given.line1,
        line2=given.line2,
        city=given.city,
        province=given.state or given.city,
        zip_code=given.postal_code,
        country=given.country,
        phone=given.phone,
    )


def find(desk: Desk, invoice: Invoice, buyer: Buyer) -> Address | None:
    """Basta's SHIPPING address, else the Basta order's, else the Stripe customer's; the first complete one."""
    for given in _candidates(desk, invoice, buyer):
        address = of(given, buyer.name)
        if address.complete:
            return address
    return None


def _candidates(desk: Desk, invoice: Invoice, buyer: Buyer) -> Iterator[Given]:
    if shipping := desk.basta.user(buyer.basta_user_id).shipping:
        yield shipping
    if invoice.basta_order_id:
        orders = desk.basta.user_orders(buyer.basta_user_id)
        yield from (one.shipping for one in orders if one.id == invoice.basta_order_id and one.shipping)
    if buyer.stripe_customer_id and (known := desk.stripe.customer(buyer.stripe_customer_id).shipping):
        yield known
