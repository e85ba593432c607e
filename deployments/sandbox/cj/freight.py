"""Ways to send a parcel, and what they cost today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from deployments.sandbox.cj.catalogue import Catalogue
from deployments.sandbox.cj.countries import DISTANCE, known_country
from deployments.sandbox.cj.envelope import Refusal, usd
from deployments.sandbox.cj.fields import body, inner
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.wire import Request

CARRIER_UNKNOWN, CARRIER_INVALID = 1605000, 1605001
FREIGHT_PARAMS = (
    "startCountryCode", "endCountryCode", "products", "zip", "taxId", "houseNumber", "iossNumber", "province",
)  # fmt: skip

YUAN_PER_DOLLAR_PERCENT = 710


@dataclass(frozen=True)
class Carrier:
    """A way to send: cents at the start and for each 100 g begun. `total` is how its total is told.

    `to` empty means everywhere; the weights bound the whole basket, `least_units` its pieces.
    """

    name: str
    base: int
    per_100g: int
    days: str
    to: frozenset[str] = frozenset()
    least_grams: int = 0
    most_grams: int = 30_000
    least_units: int = 1
    total: str = "told"  # told, zero, null, absent


WEST = frozenset({"US", "CA", "GB", "DE", "FR"})
#: From China; the order is CJ's and means nothing.
FROM_CN = (
    Carrier("CJPacket Sensitive", 318, 108, "4-9"),
    Carrier("DHL Official", 2450, 310, "3-7", total="null"),
    Carrier("YunExpress Ordinary", 236, 92, "4-7", WEST),
    Carrier("CJPacket Eub", 331, 110, "12-50", frozenset({"US", "AE", "GB", "AU"}), total="zero"),
    Carrier("CJPacket Ordinary", 262, 98, "7-12"),
    Carrier("CJPacket Liquid Line", 402, 126, "20-60", most_grams=5_000),
    Carrier("CJPacket Ordinary Oversize Line", 380, 90, "7-15", WEST, least_grams=2_500),
    Carrier("USPS", 425, 131, "4-9", frozenset({"US"}), total="absent"),
    Carrier("Qfulfillment A line", 450, 95, "10-25", least_units=3),
    Carrier("PostNL", 640, 152, "15-45", frozenset({"NL", "DE", "GB", "AE", "FR"})),
)
#: From the warehouse in the US, to the US alone.
FROM_US = (
    Carrier("FedEx Ground", 690, 32, "3-6", frozenset({"US"})),
    Carrier("USPS+", 412, 44, "2-5", frozenset({"US"}), most_grams=9_000, total="absent"),
)
CARRIERS = {"CN": FROM_CN, "US": FROM_US}


@dataclass(frozen=True)
class Quote:
    """One way for one basket, in cents."""

    carrier: Carrier
    price: int
    taxes: int
    clearance: int

    @property
    def cents(self) -> int:
        """What it costs in all."""
        return self.price + self.taxes + self.clearance


class Freight:
    """The counter where one asks what sending costs."""

    def __init__(self, options: CjOptions, catalogue: Catalogue) -> None:
        self._options, self._catalogue = options, catalogue

    def calculate(self, request: Request) -> list[dict[str, Any]]:
        """`freightCalculate`: the basket's ways; none is an empty list."""
        fields = body(request, FREIGHT_PARAMS)
        start, end = fields.text("startCountryCode", 20), fields.text("endCountryCode", 20)
        for name in ("zip", "taxId", "houseNumber", "iossNumber", "province"):
            fields.maybe_text(name)
        basket: list[tuple[str, int]] = []
        for row in fields.rows("products"):
            line = inner(row, ("vid", "quantity"), "products")
            variant = self._catalogue.variant(line.text("vid"))
            basket.append((variant.vid, line.required_whole("quantity", low=1)))
        rows = [self._row(quote) for quote in self.quotes(start, end, basket)]
        if self._options.drift:
            for row in rows[1:]:
                del row["logisticPriceCn"]
        return rows

    def quotes(self, start: str, end: str, basket: Sequence[tuple[str, int]]) -> list[Quote]:
        """Every way from country to country for this basket of vid and quantity.

        Raises:
            Refusal: 1605002 for a country that is none.
        """
        for code in (start, end):
            known_country(code)
        if end not in DISTANCE:
            return []
        grams = sum(self._catalogue.variant(vid).grams * quantity for vid, quantity in basket)
        units = sum(quantity for _, quantity in basket)
        return [
            self._quote(carrier, start, end, grams)
            for carrier in CARRIERS.get(start, ())
            if (not carrier.to or end in carrier.to)
            and carrier.least_grams <= grams <= carrier.most_grams
            and units >= carrier.least_units
        ]

    def quote(self, name: str, start: str, end: str, basket: Sequence[tuple[str, int]]) -> Quote:
        """The way of this name.

        Raises:
            Refusal: 1605000 no such carrier, 1605001 not on this lane or not for this basket.
        """
        if name not in {carrier.name for carriers in CARRIERS.values() for carrier in carriers}:
            raise Refusal(CARRIER_UNKNOWN, f"Logistic name not found: {name}")
        for quote in self.quotes(start, end, basket):
            if quote.carrier.name == name:
                return quote
        raise Refusal(CARRIER_INVALID, f"Logistic {name} is invalid for {start} to {end}")

    def _quote(self, carrier: Carrier, start: str, end: str, grams: int) -> Quote:
        started = carrier.base + carrier.per_100g * -(-grams // 100)
        factor = Decimal(str(self._options.freight_factor.get(end, 1))) * DISTANCE[end] / 100
        price = int((started * factor).quantize(Decimal(1), ROUND_HALF_UP))
        taxed = start != end and end == "US"
        return Quote(carrier, price, price * 8 // 100 if taxed else 0, 10 if taxed else 0)

    def _row(self, quote: Quote) -> dict[str, Any]:
        row: dict[str, Any] = {
            "logisticName": quote.carrier.name,
            "logisticPrice": usd(quote.price),
            "logisticPriceCn": usd(quote.price * YUAN_PER_DOLLAR_PERCENT // 100),
            "logisticAging": quote.carrier.days,
            "taxesFee": usd(quote.taxes),
            "clearanceOperationFee": usd(quote.clearance),
            "totalPostageFee": usd(quote.cents),
        }
        if self._options.drift:
            match quote.carrier.total:
                case "zero":
                    row["totalPostageFee"] = 0
                case "null":
                    row["totalPostageFee"] = None
                case "absent":
                    del row["totalPostageFee"]
        return row
