"""The shelf: invented products, with what has since become of their prices, stock and sale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deployments.sandbox.cj.envelope import Refusal
from deployments.sandbox.cj.invention import Product, Stock, Variant, invent
from deployments.sandbox.cj.options import CjOptions

NO_VARIANT, NO_PRODUCT, PRODUCT_OFF, VARIANT_OFF = 1602000, 1602001, 1602002, 1602003

#: CJ's warehouses: area id, area name, country name.
AREAS: dict[str, tuple[int, str, str]] = {
    "CN": (1, "China Warehouse", "China"),
    "US": (2, "US Warehouse", "United States of America"),
    "DE": (3, "Germany Warehouse", "Germany"),
    "GB": (4, "UK Warehouse", "United Kingdom"),
}


class Catalogue:
    """Everything CJ sells, as it stands now."""

    def __init__(self, options: CjOptions) -> None:
        self._options = options
        self._shelve(invent(options.catalogue_seed))

    def _shelve(self, products: tuple[Product, ...]) -> None:
        self.products = products
        self._products = {product.pid: product for product in self.products}
        self._variants = {variant.vid: variant for product in self.products for variant in product.variants}
        self._by_sku = {variant.sku: variant for variant in self._variants.values()}
        self._by_spu = {product.sku: product for product in self.products}

    def product(self, pid: str) -> Product:
        """A product that is on sale.

        Raises:
            Refusal: 1602001 never heard of, 1602002 off sale.
        """
        return self._sold(self._products.get(pid))

    def by_spu(self, sku: str) -> Product:
        """The same, by product SKU."""
        return self._sold(self._by_spu.get(sku))

    def by_variant_sku(self, sku: str) -> Product:
        """The product of a variant SKU."""
        variant = self._by_sku.get(sku)
        if variant is None:
            raise Refusal(NO_VARIANT, "Variant not found")
        return self.product(variant.pid)

    def variant(self, vid: str) -> Variant:
        """A variant that is on sale.

        Raises:
            Refusal: 1602000 never heard of, 1602003 off sale.
        """
        return self._on_shelf(self._variants.get(vid))

    def variant_by_sku(self, sku: str) -> Variant:
        """The same, by variant SKU."""
        return self._on_shelf(self._by_sku.get(sku))

    def owner(self, variant: Variant) -> Product:
        """The product that a variant belongs to, on sale or not."""
        return self._products[variant.pid]

    def sold_variants(self, product: Product, country: str = "") -> list[Variant]:
        """The variants on sale, in CJ's order; with a country, those in stock there."""
        return [
            variant
            for variant in product.variants
            if self.on_sale(variant) and (not country or self.units(variant.vid, country) > 0)
        ]

    def on_sale(self, variant: Variant) -> bool:
        """Whether it can be bought at all."""
        product = self._products[variant.pid]
        gone = product.gone or product.pid in self._options.delisted_pids
        return not gone and variant.vid not in self._options.delisted_vids

    def listed(self, product: Product) -> bool:
        """Whether a search may show it; its index forgets what is delisted now, but not what went long ago."""
        if product.pid in self._options.delisted_pids:
            return False
        return any(variant.vid not in self._options.delisted_vids for variant in product.variants)

    def rename(self, called: Callable[[Product], str]) -> None:
        """Let every product be called otherwise here; what was invented stays as it is, as other worlds share it."""
        self._shelve(tuple(replace(product, name=called(product)) for product in self.products))

    def price_cents(self, vid: str) -> int:
        """What one costs now."""
        return self._options.price_overrides.get(vid, self._variants[vid].price_cents)

    def stock(self, vid: str) -> dict[str, Stock]:
        """What is there now, by country."""
        variant = self._variants[vid]
        stock = dict(variant.stock)
        for country, units in self._options.stock_overrides.get(vid, {}).items():
            at_cj = units if country != "CN" else min(units, stock.get("CN", Stock(0, 0)).cj)
            stock[country] = Stock(at_cj, units - at_cj)
        return stock

    def units(self, vid: str, country: str) -> int:
        """Units in one country."""
        return self.stock(vid).get(country, Stock(0, 0)).total

    def set_units(self, vid: str, country: str, units: int) -> None:
        """Have so many there from now on."""
        if vid not in self._variants:
            raise KeyError(vid)
        self._options.stock_overrides.setdefault(vid, {})[country] = max(0, units)

    def total_units(self, product: Product) -> int:
        """Units of all variants on sale, everywhere."""
        return sum(stock.total for v in product.variants for stock in self.stock(v.vid).values())

    def _sold(self, product: Product | None) -> Product:
        if product is None:
            raise Refusal(NO_PRODUCT, "Product not found")
        if product.gone or not self.sold_variants(product):
            raise Refusal(PRODUCT_OFF, "Product removed from shelves")
        return product

    def _on_shelf(self, variant: Variant | None) -> Variant:
        if variant is None:
            raise Refusal(NO_VARIANT, "Variant not found")
        if not self.on_sale(variant):
            raise Refusal(VARIANT_OFF, "Variant removed from shelves")
        return variant
