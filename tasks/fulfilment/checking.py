"""The guards before an order: the payment is still good, the goods are there, and they cost what they did.

An unknown guard means wait: an error here leaves the lot as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.clients.cj import Freight
from tasks.desk import Desk
from tasks.fulfilment.address import Address
from tasks.lots import ledger
from tasks.lots.ledger import Kind
from tasks.lots.models import Invoice, Lot
from tasks.lots.states import LotStatus
from tasks.reversals import REFUNDED, adopt_reversals
from tasks.rules.money import dollars
from tasks.rules.pricing import rose_too_much
from tasks.rules.selection import sources
from tasks.settling import DISPUTE


@dataclass(frozen=True)
class Quote:
    """What an order would cost now, in cents, and how it would go."""

    from_country: str
    logistic_name: str
    goods_cents: int
    freight_cents: int


@dataclass(frozen=True)
class Verdict:
    """Why a lot cannot be bought, as the status it goes to and in words."""

    status: LotStatus
    why: str


def payment_trouble(desk: Desk, lot_id: int, invoice: Invoice) -> str | None:
    """Read the payment again: why nothing may be bought from it, or None. What went back is adopted at once.

    Raises:
        ServiceUnavailable: Stripe did not say: wait.
    """
    assert invoice.stripe_invoice_id
    payments = desk.stripe.payments(invoice.stripe_invoice_id)
    with desk.record.read() as session:
        known = -ledger.total(session, Kind.REFUND, invoice_id=invoice.id)
    if any(one.disputed for one in payments) or sum(one.refunded_cents for one in payments) > known:
        adopt_reversals(desk, invoice.id)
    with desk.record.read() as session:
        lot = session.get_one(Lot, lot_id)
        return lot.hold_reason if lot.hold_reason in (DISPUTE, REFUNDED) else None


def quote(desk: Desk, lot: Lot, address: Address) -> Quote | Verdict:
    """Stock and price of the variant, and freight to the real address: two calls, and one more a warehouse
    from which nobody carries it there.

    Raises:
        ServiceUnavailable: CJ did not say: wait.
    """
    variant = desk.cj.variant(lot.cj_vid)
    if variant is None:
        return Verdict(LotStatus.CJ_OUT_OF_STOCK, "CJ does not sell the variant any more")
    if variant.stock is None or variant.price_cents is None:
        raise GuardUnknown(lot.id, "CJ told no stock or no price")
    units = {one.country: one.total for one in variant.stock}
    countries = sources(units, planned=lot.from_country, ship_to=address.country)
    if not countries:
        return Verdict(LotStatus.CJ_OUT_OF_STOCK, "no warehouse has it")
    limit = desk.settings.price_rise_limit
    if rose_too_much(sourced_cents=lot.goods_cents, now_cents=variant.price_cents, limit=limit):
        return _dearer("the goods cost", variant.price_cents, lot.goods_cents)
    country, ways = _route(desk, lot, countries, address)
    if not ways:
        return Verdict(LotStatus.CJ_OUT_OF_STOCK, f"no carrier brings it from {country} to {address.country}")
    cheapest = min(ways, key=lambda way: (way.cost_cents, way.name))
    planned = next((way for way in ways if way.name == lot.logistic_name), cheapest)
    way = planned if planned.cost_cents <= max(cheapest.cost_cents, lot.freight_cents) else cheapest
    landed = variant.price_cents + way.cost_cents
    if rose_too_much(sourced_cents=lot.landed_cents, now_cents=landed, limit=limit):
        return _dearer("landed it costs", landed, lot.landed_cents)
    return Quote(country, way.name, variant.price_cents, way.cost_cents)


def _dearer(what: str, now_cents: int, sourced_cents: int) -> Verdict:
    return Verdict(LotStatus.CJ_PRICE_CHANGED, f"{what} {dollars(now_cents)}, {dollars(sourced_cents)} when sourced")


def _route(desk: Desk, lot: Lot, countries: list[str], address: Address) -> tuple[str, tuple[Freight, ...]]:
    """The first warehouse from which somebody carries it to the buyer: one call, where the first one will do."""
    for country in countries:
        ways = desk.cj.freight(
            from_country=country, to_country=address.country, vid=lot.cj_vid, zip_code=address.zip_code or None
        )
        if ways:
            return country, tuple(ways)
    return " or ".join(countries), ()


class GuardUnknown(Exception):
    """A guard could not be read: the lot waits, as unknown is not yes."""

    def __init__(self, lot_id: int, what: str) -> None:
        self.lot_id, self.what = lot_id, what
        super().__init__(f"lot {lot_id} waits: {what}")

    def __reduce__(self) -> tuple[type[GuardUnknown], tuple[int, str]]:
        return GuardUnknown, (self.lot_id, self.what)
