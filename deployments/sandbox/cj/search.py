"""Finding products: the search, its older brother, and the categories."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from deployments.sandbox.cj.catalogue import Catalogue
from deployments.sandbox.cj.envelope import PARAM_ERROR, Refusal
from deployments.sandbox.cj.fields import Query, param_error
from deployments.sandbox.cj.invention import Product, category_id, in_string
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.cj.texts import KINDS
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

MOST_RECORDS = 6_000
FEATURES = ("enable_description", "enable_category", "enable_combine", "enable_video")
SEARCH_PARAMS = (
    "keyWord", "page", "size", "categoryId", "countryCode", "startSellPrice", "endSellPrice",
    "startWarehouseInventory", "endWarehouseInventory", "verifiedWarehouse", "productType", "productFlag",
    "addMarkStatus", "isWarehouse", "supplierId", "hasCertification", "isSelfPickup", "customization", "timeStart",
    "timeEnd", "zonePlatform", "orderBy", "sort",
)  # fmt: skip
LIST_PARAMS = (
    "pageNum", "pageSize", "categoryId", "pid", "productSku", "productName", "productNameEn", "productType",
    "countryCode", "deliveryTime", "verifiedWarehouse", "startInventory", "endInventory", "createTimeFrom",
    "createTimeTo", "brandOpenId", "minListedNum", "maxListedNum", "minPrice", "maxPrice", "sort", "orderBy",
    "isSelfPickup", "supplierId", "isFreeShipping", "customizationVersion", "searchType",
)  # fmt: skip
#: Hits that have nothing to do with the words, as the real search strews among the others.
STRAYS = 3


class Search:
    """The two searches."""

    def __init__(self, world: World, options: CjOptions, catalogue: Catalogue) -> None:
        self._world, self._options, self._catalogue = world, options, catalogue

    def list_v2(self, request: Request) -> dict[str, Any]:
        """`listV2`: rows two levels down, prices as strings."""
        query = Query(request, SEARCH_PARAMS, many=("features", "lv2categoryList", "lv3categoryList"))
        page = query.whole("page", low=1, high=1000) or 1
        size = query.whole("size", low=1, high=100) or 10
        if page * size > MOST_RECORDS:
            raise Refusal(PARAM_ERROR, f"page * size exceeds the max offset {MOST_RECORDS}")
        features = query.features(FEATURES)
        keyword = query.maybe_text("keyWord")
        found = self._sorted(query, self._filtered(query, self._found(keyword)))
        rows = [self._row(product, features) for product in found[(page - 1) * size : page * size]]
        return {
            "pageSize": size,
            "pageNumber": page,
            "totalRecords": min(len(found), MOST_RECORDS),
            "totalPages": -(-len(found) // size),
            "content": [{"keyWord": keyword, "keyWordOld": keyword, "relatedCategoryList": [], "productList": rows}],
        }

    def list_v1(self, request: Request) -> dict[str, Any]:
        """`product/list`, older: `pid`, string weights, and text in `remark`."""
        query = Query(request, LIST_PARAMS)
        page = query.whole("pageNum", low=1) or 1
        size = query.whole("pageSize", low=1, high=200) or 20
        found = self._found(query.maybe_text("productNameEn"))
        pid, sku, category = query.maybe_text("pid"), query.maybe_text("productSku"), query.maybe_text("categoryId")
        low, high = query.cents("minPrice") or 0, query.cents("maxPrice")
        country = query.maybe_text("countryCode", 20)
        rows = [
            product
            for product in found
            if (not pid or product.pid == pid)
            and (not sku or product.sku == sku)
            and (not category or product.category_id == category)
            and low <= _cheapest(product) <= (high if high is not None else 10**9)
            and (not country or self._catalogue.sold_variants(product, country))
        ]
        shown = rows[(page - 1) * size : page * size]
        return {"pageNum": page, "pageSize": size, "total": len(rows), "list": [self._old_row(one) for one in shown]}

    def categories(self, request: Request) -> list[dict[str, Any]]:
        """Three levels; only the third has ids."""
        Query(request, ())
        tree: dict[str, dict[str, set[str]]] = {}
        for first, second, third in (kind.category for kind in KINDS):
            tree.setdefault(first, {}).setdefault(second, set()).add(third)
        return [
            {
                "categoryFirstName": first,
                "categoryFirstList": [
                    {
                        "categorySecondName": second,
                        "categorySecondList": [
                            {"categoryId": category_id((first, second, third)), "categoryName": third}
                            for third in sorted(thirds)
                        ],
                    }
                    for second, thirds in seconds.items()
                ],
            }
            for first, seconds in tree.items()
        ]

    def _found(self, keyword: str) -> list[Product]:
        """Products with all the words first, then some strays; without words, everything."""
        listed = [product for product in self._catalogue.products if self._catalogue.listed(product)]
        words = keyword.lower().split()
        if not words:
            return listed
        hits = [
            product
            for product in listed
            if product.sku.lower() == keyword.lower() or all(word in product.name.lower() for word in words)
        ]
        hits.sort(key=lambda product: crc32(f"{keyword.lower()}{product.pid}".encode()))
        if not hits or hits[0].sku.lower() == keyword.lower():
            return hits
        others = [product for product in listed if product.kind.keyword not in keyword.lower() and product not in hits]
        for n in range(STRAYS):
            stray = others[crc32(f"{keyword.lower()}{n}".encode()) % len(others)]
            if stray not in hits:
                hits.insert(min(len(hits), 2 + 5 * n), stray)
        return hits

    def _filtered(self, query: Query, products: list[Product]) -> list[Product]:
        category, country = query.maybe_text("categoryId"), query.maybe_text("countryCode", 20)
        thirds, seconds = set(query.many("lv3categoryList")), set(query.many("lv2categoryList"))
        low, high = query.cents("startSellPrice"), query.cents("endSellPrice")
        least, most = query.whole("startWarehouseInventory"), query.whole("endWarehouseInventory")
        verified, kind = query.whole("verifiedWarehouse", among=(1, 2)), query.maybe_text("productType")
        for name in ("productFlag", "addMarkStatus", "isWarehouse", "hasCertification", "isSelfPickup"):
            query.whole(name)
        return [
            product
            for product in products
            if (not category or product.category_id == category)
            and (not thirds or product.category_id in thirds)
            and (not seconds or category_id(product.kind.category[:2]) in seconds)
            and (not country or self._catalogue.sold_variants(product, country))
            and (low is None or _cheapest(product) >= low)
            and (high is None or _cheapest(product) <= high)
            and (least is None or self._catalogue.total_units(product) >= least)
            and (most is None or self._catalogue.total_units(product) <= most)
            and (verified is None or verified == self._verified(product))
            and (not kind or kind in ("0", "ORDINARY_PRODUCT"))
        ]

    def _sorted(self, query: Query, products: list[Product]) -> list[Product]:
        order = query.whole("orderBy", low=0, high=4) or 0
        way = query.maybe_text("sort", 4) or "desc"
        if way not in ("asc", "desc"):
            raise param_error("sort")
        keys = {
            1: lambda product: product.listed,
            2: _cheapest,
            3: lambda product: product.created_ms,
            4: self._catalogue.total_units,
        }
        return sorted(products, key=keys[order], reverse=way == "desc") if order else products

    def _verified(self, product: Product) -> int:
        return 1 if any(s.cj for v in product.variants for s in self._catalogue.stock(v.vid).values()) else 2

    def _row(self, product: Product, features: set[str]) -> dict[str, Any]:
        units = self._catalogue.total_units(product)
        at_cj = sum(s.cj for v in product.variants for s in self._catalogue.stock(v.vid).values())
        discounted = product.listed % 4 == 0
        row: dict[str, Any] = {
            "id": product.pid,
            "nameEn": product.name,
            "sku": product.sku,
            "spu": product.sku,
            "bigImage": self._image(product.images[0]),
            "sellPrice": product.search_price,
            "nowPrice": product.search_price.split(" ")[0] if discounted else None,
            "discountPrice": product.search_price.split(" ")[0] if discounted else None,
            "discountPriceRate": "7" if discounted else None,
            "categoryId": product.category_id,
            "listedNum": product.listed,
            "warehouseInventoryNum": units,
            "totalVerifiedInventory": at_cj,
            "totalUnVerifiedInventory": units - at_cj,
            "verifiedWarehouse": self._verified(product),
            "productType": "ORDINARY_PRODUCT",
            "deliveryCycle": "3-5",
            "saleStatus": "3",
            "myProduct": False,
            "isVideo": product.listed % 2 or None,
            "videoList": [],
            "createAt": product.created_ms,
            "inventoryInfo": in_string([]),
        }
        if "enable_description" in features:
            row["description"] = product.description.replace("{base}", self._world.base_url)
        if "enable_category" in features:
            first, second, third = product.kind.category
            row |= {"oneCategoryName": first, "twoCategoryName": second, "threeCategoryName": third}
        return row

    def _old_row(self, product: Product) -> dict[str, Any]:
        grams = sorted(variant.grams for variant in product.variants)
        weight = f"{grams[0]}.00-{grams[-1]}.00" if grams[0] != grams[-1] else str(grams[0])
        countries = {country for v in product.variants for country in self._catalogue.stock(v.vid)}
        remark = product.description.replace("{base}", self._world.base_url)
        return {
            "pid": product.pid,
            "productName": in_string(product.names_cn),
            "productNameEn": product.name,
            "productSku": product.sku,
            "productImage": self._image(product.images[0]),
            "productWeight": weight,
            "productType": "ORDINARY_PRODUCT",
            "productUnit": None,
            "categoryName": product.kind.category[-1],
            "listingCount": product.listed,
            "sellPrice": product.search_price,
            "remark": remark if product.listed % 3 else None,
            "addMarkStatus": "0",
            "isFreeShipping": False,
            "createTime": product.created_ms,
            "isVideo": product.listed % 2 or None,
            "saleStatus": 3,
            "listedNum": product.listed,
            "supplierName": None,
            "supplierId": "7777",
            "categoryId": product.category_id,
            "sourceFrom": "1",
            "shippingCountryCodes": sorted(countries | {"CN_US"}),
            "threeCategoryName": None,
            "twoCategoryId": None,
            "twoCategoryName": None,
            "oneCategoryId": None,
            "oneCategoryName": None,
            "customizationVersion": None,
            "isTestProduct": False,
        }

    def _image(self, name: str) -> str:
        return f"{self._world.base_url}/images/{name}"


def _cheapest(product: Product) -> int:
    return min(variant.price_cents for variant in product.variants)
