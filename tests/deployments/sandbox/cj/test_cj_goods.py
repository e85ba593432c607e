"""What is on the shelf, and how CJ tells it."""

from __future__ import annotations

import json
import re

import pytest

from deployments.sandbox.cj.catalogue import Catalogue
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.cj.texts import KINDS

KEYWORDS = [kind.keyword for kind in KINDS]


def search(account, keyword, **more):
    data = account.data("GET", "/product/listV2", keyWord=keyword, size=100, **more)
    return [row for block in data["content"] for row in block["productList"]]


def query(account, oddity, **more):
    return account.data("GET", "/product/query", pid=account.oddity(oddity).pid, **more)


def test_the_catalogue_is_large_and_the_same_for_the_same_seed():
    first, again, other = (Catalogue(CjOptions(catalogue_seed=seed)).products for seed in (1, 1, 2))
    assert len(first) >= 200
    assert len(KEYWORDS) >= 15
    assert first == again
    assert first != other
    vids = [variant.vid for product in first for variant in product.variants]
    assert len(vids) == len(set(vids))


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_finds_its_goods_and_some_strays(account, keyword):
    rows = search(account, keyword)
    matching = [row for row in rows if all(word in row["nameEn"].lower() for word in keyword.split())]
    assert len(matching) >= 14
    assert 1 <= len(rows) - len(matching) <= 3
    assert search(account, keyword) == rows


def test_the_search_pages_without_repeating_and_ends(account):
    pages = [account.data("GET", "/product/listV2", keyWord="desk lamp", page=page, size=10) for page in (1, 2, 3)]
    ids = [row["id"] for page in pages for row in page["content"][0]["productList"]]
    assert len(ids) == len(set(ids)) == pages[0]["totalRecords"]
    assert pages[2]["content"][0]["productList"] == []
    assert account.code("GET", "/product/listV2", keyWord="desk lamp", page=1000, size=100) == 1600300


def test_search_prices_are_texts_with_two_dashes_and_query_prices_have_one(account):
    rows = {row["id"]: row for row in search(account, "desk lamp")}
    shown = rows[account.oddity("accessory").pid]["sellPrice"]
    assert shown == "9.00 -- 89.00"
    assert query(account, "accessory")["sellPrice"] == "9.00-89.00"
    everything = [row["sellPrice"] for keyword in KEYWORDS for row in search(account, keyword)]
    assert all(re.fullmatch(r"\d+\.\d{1,2}( -- \d+\.\d{2})?", price) for price in everything)
    assert any(re.match(r"\d+\.\d( |$)", price) for price in everything)


def test_a_price_is_a_number_here_a_text_there_and_a_range_elsewhere(account):
    told = [
        account.data("GET", "/product/query", pid=product.pid)["sellPrice"]
        for product in account.cj.catalogue.products
        if not product.gone
    ]
    assert {type(price) for price in told} == {float, str}
    assert any(re.fullmatch(r"\d+\.\d{2}", str(price)) for price in told if isinstance(price, str))
    assert any(re.fullmatch(r"\d+\.\d{2}-\d+\.\d{2}", str(price)) for price in told)


def test_a_search_can_be_narrowed_by_price_and_stock(account):
    cheap = search(account, "desk lamp", endSellPrice="5")
    assert all(float(row["sellPrice"].split(" ")[0]) <= 5 for row in cheap)
    stocked = search(account, "desk lamp", startWarehouseInventory=1)
    assert account.oddity("sold_out").pid not in {row["id"] for row in stocked}


def test_descriptions_and_categories_come_only_when_asked_for(account):
    plain = search(account, "desk lamp")[0]
    asked = search(account, "desk lamp", features="enable_description,enable_category")[0]
    assert "description" not in plain
    assert "threeCategoryName" not in plain
    assert asked["description"].count("http://127.0.0.1:8000/images/") >= 1
    assert asked["threeCategoryName"]


def test_an_undocumented_parameter_is_refused(account):
    assert account.code("GET", "/product/listV2", keyword="desk lamp") == 1600300
    assert account.code("GET", "/product/listV2", keyWord="desk lamp", size=101) == 1600300
    assert account.code("GET", "/product/query", pid="1", productSku="2") == 1600300
    assert account.code("GET", "/product/query") == 16900403


def test_the_older_list_has_other_names_and_text_weights(account):
    data = account.data("GET", "/product/list", productNameEn="desk lamp", pageSize=200)
    assert data["total"] == len(data["list"])
    row = next(one for one in data["list"] if one["pid"] == account.oddity("plain").pid)
    assert isinstance(row["sellPrice"], str)
    assert re.fullmatch(r"\d+\.00-\d+\.00", row["productWeight"])
    assert "CN_US" in row["shippingCountryCodes"]


def test_a_product_carries_arrays_inside_strings_and_images_on_our_host(account):
    product = query(account, "bad_pictures")
    images = json.loads(product["productImage"])
    assert images == product["productImageSet"]
    assert product["bigImage"] == images[0]
    names = [image.removeprefix("http://127.0.0.1:8000/images/") for image in images]
    assert names[0].startswith("dead-")
    assert names[1].startswith("html-")
    assert not names[2].startswith(("dead-", "html-"))
    assert json.loads(product["materialNameEn"]) == product["materialNameEnSet"]
    assert all(name.startswith("dead-") for name in account.oddity("no_picture").images)


def test_image_addresses_follow_the_world_when_its_port_is_known(account):
    account.world.base_url = "http://127.0.0.1:4711"
    product = query(account, "plain")
    assert product["bigImage"].startswith("http://127.0.0.1:4711/images/")
    assert "http://127.0.0.1:4711/images/" in product["description"]
    assert "{base}" not in product["description"]


def test_the_recorded_mess_is_there(account):
    assert query(account, "nameless_variant")["variants"][0]["variantNameEn"] is None
    prices = [variant["variantSellPrice"] for variant in query(account, "dear_first")["variants"]]
    assert prices[0] > min(prices)
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", account.oddity("uuid").pid)
    assert re.fullmatch(r"\d{19}", account.oddity("plain").pid)
    assert "<table" in query(account, "uuid")["description"]
    branded = query(account, "branded")
    assert "[BRAND NAME]" in branded["description"]
    assert branded["productNameEn"] != branded["productNameEn"].strip()
    assert "台灯" in query(account, "scarce")["productNameEn"]
    assert all(variant["variantSellPrice"] > 50 for variant in query(account, "dear")["variants"])
    assert any("&amp;" in product.description for product in account.cj.catalogue.products)


def test_stock_comes_with_the_product_only_when_asked_for(account):
    asked = query(account, "scarce", features="enable_inventory")["variants"][0]["inventories"]
    assert [row["countryCode"] for row in asked] == ["CN", "US"]
    assert asked[1] == {
        "countryCode": "US",
        "totalInventory": 1,
        "cjInventory": 1,
        "factoryInventory": 0,
        "verifiedWarehouse": 1,
        "stock": [{"stockId": "{SANDBOX-US-2}", "inventory": 1, "factoryInventory": 0}],
    }
    assert all(not variant.get("inventories") for variant in query(account, "scarce")["variants"])
    account.cj.options.inventories_null = True
    assert query(account, "scarce", features="enable_inventory")["variants"][0]["inventories"] is None


def test_each_stock_endpoint_has_names_of_its_own(account):
    product = account.oddity("scarce")
    variant = product.variants[0]
    by_vid = account.data("GET", "/product/stock/queryByVid", vid=variant.vid)
    by_sku = account.data("GET", "/product/stock/queryBySku", sku=variant.sku)
    by_pid = account.data("GET", "/product/stock/getInventoryByPid", pid=product.pid)
    one = account.data("GET", "/product/variant/queryByVid", vid=variant.vid, features="enable_inventory")
    assert (by_vid[1]["areaId"], by_vid[1]["totalInventoryNum"], by_vid[1]["storageNum"]) == ("2", 1, 1)
    assert (by_sku[1]["areaId"], by_sku[1]["countryNameEn"]) == (2, "United States of America")
    assert by_pid["inventories"][1]["totalInventoryNum"] == len(product.variants)
    assert by_pid["variantInventories"][0]["inventory"][1]["totalInventory"] == 1
    assert one["inventories"][1]["totalInventory"] == 1
    rows = account.data("GET", "/product/variant/query", pid=product.pid)
    assert json.loads(rows[0]["variantKey"]) == list(variant.key)
    assert not rows[0].get("inventories")


def test_a_country_drops_the_variants_without_stock_there(account):
    product = account.oddity("plain")
    rows = account.data("GET", "/product/query", pid=product.pid, countryCode="US")["variants"]
    assert [row["vid"] for row in rows] == [product.variants[0].vid]


def test_what_the_operator_changes_shows_at_once(account):
    variant = account.oddity("plain").variants[0]
    account.cj.set_price(variant.vid, 1234)
    account.cj.set_stock(variant.vid, "US", 3)
    one = account.data("GET", "/product/variant/queryByVid", vid=variant.vid, features="enable_inventory")
    assert one["variantSellPrice"] == 12.34
    assert {row["countryCode"]: row["totalInventory"] for row in one["inventories"]}["US"] == 3


def test_what_is_off_sale_vanishes_and_says_why(account):
    plain, gone = account.oddity("plain"), account.oddity("gone")
    assert gone.pid in {row["id"] for row in search(account, "desk lamp")}
    assert account.code("GET", "/product/query", pid=gone.pid) == 1602002
    assert account.code("GET", "/product/query", pid="1") == 1602001
    assert account.code("GET", "/product/variant/queryByVid", vid="1") == 1602000
    account.cj.delist(plain.variants[0].vid)
    assert account.code("GET", "/product/variant/queryByVid", vid=plain.variants[0].vid) == 1602003
    assert plain.variants[0].vid not in {v["vid"] for v in query(account, "plain")["variants"]}
    account.cj.delist(plain.pid)
    assert account.code("GET", "/product/query", pid=plain.pid) == 1602002
    assert plain.pid not in {row["id"] for row in search(account, "desk lamp")}


def test_categories_have_three_levels_and_lead_to_products(account):
    tree = account.data("GET", "/product/getCategory")
    first = tree[0]["categoryFirstList"][0]["categorySecondList"][0]
    rows = account.data("GET", "/product/listV2", categoryId=first["categoryId"], size=100)
    assert rows["totalRecords"] == 14


def test_goods_that_are_called_otherwise_in_one_world_keep_their_names_in_another(account, open_account):
    pid, name = account.oddity("plain").pid, account.oddity("plain").name
    account.cj.catalogue.rename(lambda product: f"{product.name}!")
    assert account.data("GET", "/product/query", pid=pid)["productNameEn"] == f"{name}!"
    assert open_account().data("GET", "/product/query", pid=pid)["productNameEn"] == name
