"""One product, its variants, and their stock under four sets of names."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.cj.catalogue import AREAS, NO_PRODUCT, Catalogue
from deployments.sandbox.cj.envelope import EMPTY_PARAM, Refusal, usd, usd_text
from deployments.sandbox.cj.fields import Query, param_error
from deployments.sandbox.cj.invention import Product, Stock, Variant, in_string
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

KEYS = ("pid", "productSku", "variantSku")


class Products:
    """The catalogue's pages."""

    def __init__(self, world: World, options: CjOptions, catalogue: Catalogue) -> None:
        self._world, self._options, self._catalogue = world, options, catalogue

    def query(self, request: Request) -> dict[str, Any]:
        """`product/query`: the product with its variants, and their stock when it is asked for."""
        query = Query(request, (*KEYS, "countryCode"), many=("features",))
        product = self._one(query)
        features = query.features(("enable_combine", "enable_video", "enable_inventory"))
        variants = self._catalogue.sold_variants(product, query.maybe_text("countryCode", 20))
        return self._product(product, variants, stocked="enable_inventory" in features)

    def variants(self, request: Request) -> list[dict[str, Any]]:
        """`variant/query`: the variants without stock, their keys as arrays inside strings."""
        query = Query(request, (*KEYS, "countryCode"))
        product = self._one(query)
        sold = self._catalogue.sold_variants(product, query.maybe_text("countryCode", 20))
        return [self._variant(one, stocked=False) | {"variantKey": in_string(one.key)} for one in sold]

    def variant(self, request: Request) -> dict[str, Any]:
        """`variant/queryByVid`: one object."""
        query = Query(request, ("vid",), many=("features",))
        variant = self._catalogue.variant(query.text("vid"))
        stocked = "enable_inventory" in query.features(("enable_combine", "enable_inventory"))
        return self._variant(variant, stocked=stocked)

    def stock_by_vid(self, request: Request) -> list[dict[str, Any]]:
        """`stock/queryByVid`: an array per area, `areaId` a string."""
        variant = self._catalogue.variant(Query(request, ("vid",)).text("vid"))
        return [
            {
                "vid": variant.vid,
                "areaId": str(AREAS[country][0]),
                "areaEn": AREAS[country][1],
                "countryCode": country,
                "storageNum": stock.total,
                "totalInventoryNum": stock.total,
                "cjInventoryNum": stock.cj,
                "factoryInventoryNum": stock.factory,
                "stock": _places(country, stock),
            }
            for country, stock in self._catalogue.stock(variant.vid).items()
        ]

    def stock_by_sku(self, request: Request) -> list[dict[str, Any]]:
        """`stock/queryBySku`: a variant's or a product's SKU."""
        sku = Query(request, ("sku",)).text("sku")
        try:
            variants = self._catalogue.sold_variants(self._catalogue.by_spu(sku))
        except Refusal as refusal:
            if refusal.code != NO_PRODUCT:
                raise
            variants = [self._catalogue.variant_by_sku(sku)]
        return self._areas(variants)

    def stock_by_pid(self, request: Request) -> dict[str, Any]:
        """`stock/getInventoryByPid`: other names above than below."""
        product = self._catalogue.product(Query(request, ("pid",)).text("pid"))
        variants = self._catalogue.sold_variants(product)
        return {
            "inventories": self._areas(variants),
            "variantInventories": [{"vid": one.vid, "inventory": self._inventories(one)} for one in variants],
        }

    def _one(self, query: Query) -> Product:
        given = [name for name in KEYS if query.maybe_text(name)]
        if not given:
            raise Refusal(EMPTY_PARAM, "pid must not be empty")
        if len(given) > 1:
            raise param_error(given[1])
        value = query.text(given[0])
        match given[0]:
            case "pid":
                return self._catalogue.product(value)
            case "productSku":
                return self._catalogue.by_spu(value)
            case _:
                return self._catalogue.by_variant_sku(value)

    def _product(self, product: Product, variants: list[Variant], *, stocked: bool) -> dict[str, Any]:
        images = [self._image(name) for name in product.images]
        grams = sorted(variant.grams for variant in product.variants)
        kind = product.kind
        return {
            "pid": product.pid,
            "productName": in_string(product.names_cn),
            "productNameSet": list(product.names_cn),
            "productNameEn": product.name,
            "productSku": product.sku,
            "bigImage": images[0],
            "productImage": in_string(images),
            "productImageSet": images,
            "productWeight": _range([f"{one}.00" for one in grams]),
            "productUnit": None,
            "productType": "ORDINARY_PRODUCT",
            "categoryId": product.category_id,
            "categoryName": (" > " if product.listed % 2 else "/").join(kind.category),
            "entryCode": "8518300000",
            "entryNameEn": kind.noun,
            "materialNameEn": in_string([kind.material]),
            "materialNameEnSet": [kind.material],
            "packingWeight": _range([f"{one + 20}.00" for one in grams]),
            "packingNameEn": in_string(["Plastic bags"]),
            "packingNameEnSet": ["Plastic bags"],
            "productKeyEn": kind.options,
            "productKeyEnSet": kind.options.split("-"),
            "productPro": in_string(["普货"]),
            "productProSet": ["普货"],
            "productProEn": in_string(["COMMON"]),
            "productProEnSet": ["COMMON"],
            "sellPrice": self._sell_price(product),
            "suggestSellPrice": self._suggested(product),
            "sourceFrom": 1,
            "description": product.description.replace("{base}", self._world.base_url),
            "variants": [self._variant(one, stocked=stocked) for one in variants],
            "addMarkStatus": 0,
            "createrTime": None if product.listed % 5 == 0 else "2026-06-04T07:39:09+08:00",
            "productVideo": None,
            "status": "3",
            "listedNum": product.listed,
            "supplierName": None,
            "supplierId": None,
            "customizationVersion": None,
            "isTestProduct": False,
        }

    def _sell_price(self, product: Product) -> float | str:
        """A range with one dash here; a single price is a number at some products, a text at others."""
        cents = sorted(self._catalogue.price_cents(one.vid) for one in self._catalogue.sold_variants(product))
        if cents[0] == cents[-1] and product.listed % 2 == 0:
            return usd(cents[0])
        return _range([usd_text(one) for one in cents])

    def _suggested(self, product: Product) -> str:
        cents = sorted(self._catalogue.price_cents(one.vid) * 4 for one in self._catalogue.sold_variants(product))
        dash = " - " if product.listed % 2 else "-"
        return f"{usd_text(cents[0])}{dash}{usd_text(cents[-1])}"

    def _variant(self, variant: Variant, *, stocked: bool) -> dict[str, Any]:
        long, wide, high = variant.size
        cents = self._catalogue.price_cents(variant.vid)
        row: dict[str, Any] = {
            "vid": variant.vid,
            "pid": variant.pid,
            "variantName": None,
            "variantNameEn": variant.name,
            "variantImage": self._image(variant.image),
            "variantSku": variant.sku,
            "barcode": None,
            "barcode2": None,
            "variantUnit": "个",
            "variantProperty": "[]",
            "variantKey": "-".join(variant.key),
            "variantLength": long,
            "variantWidth": wide,
            "variantHeight": high,
            "variantVolume": long * wide * high,
            "variantWeight": float(variant.grams),
            "variantSellPrice": usd(cents),
            "variantSugSellPrice": usd(cents * 4),
            "createTime": variant.created_ms,
            "variantStandard": f"long={long},width={wide},height={high}",
            "inventoryNum": None,
            "combineNum": None,
            "combineVariants": None,
            "inventories": None,
        }
        if stocked and not self._options.inventories_null:
            row["inventories"] = [
                one | {"stock": _places(one["countryCode"], self._catalogue.stock(variant.vid)[one["countryCode"]])}
                for one in self._inventories(variant)
            ]
        elif self._options.drift and not stocked and variant.grams % 2:
            del row["inventories"]  # null at one account, absent at another
        return row

    def _inventories(self, variant: Variant) -> list[dict[str, Any]]:
        return [
            {
                "countryCode": country,
                "totalInventory": stock.total,
                "cjInventory": stock.cj,
                "factoryInventory": stock.factory,
                "verifiedWarehouse": 1 if stock.cj else 2,
            }
            for country, stock in self._catalogue.stock(variant.vid).items()
        ]

    def _areas(self, variants: list[Variant]) -> list[dict[str, Any]]:
        sums: dict[str, Stock] = {}
        for variant in variants:
            for country, stock in self._catalogue.stock(variant.vid).items():
                old = sums.get(country, Stock(0, 0))
                sums[country] = Stock(old.cj + stock.cj, old.factory + stock.factory)
        return [
            {
                "areaEn": AREAS[country][1],
                "areaId": AREAS[country][0],
                "countryCode": country,
                "totalInventoryNum": stock.total,
                "cjInventoryNum": stock.cj,
                "factoryInventoryNum": stock.factory,
                "countryNameEn": AREAS[country][2],
            }
            for country, stock in sums.items()
        ]

    def _image(self, name: str) -> str:
        return f"{self._world.base_url}/images/{name}"


def _range(texts: list[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]}-{texts[-1]}"


def _places(country: str, stock: Stock) -> list[dict[str, Any]]:
    stock_id = f"{{SANDBOX-{country}-{AREAS[country][0]}}}"
    return [{"stockId": stock_id, "inventory": stock.cj, "factoryInventory": stock.factory}]
