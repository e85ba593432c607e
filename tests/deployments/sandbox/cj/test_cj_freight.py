"""What sending costs, and how oddly CJ says so."""

from __future__ import annotations

import pytest


def ask(account, start="CN", end="US", quantity=1, oddity="plain", **more):
    basket = [{"vid": account.oddity(oddity).variants[0].vid, "quantity": quantity}]
    return {"startCountryCode": start, "endCountryCode": end, "products": basket, **more}


def quote(account, *args, **kwargs):
    rows = account.data("POST", "/logistic/freightCalculate", ask(account, *args, **kwargs))
    return {row["logisticName"]: row for row in rows}


def test_rows_come_in_no_order_of_price_and_totals_may_be_told_zero_null_or_absent(account):
    rows = quote(account)
    prices = [row["logisticPrice"] for row in rows.values()]
    assert prices != sorted(prices)
    assert rows["CJPacket Eub"]["totalPostageFee"] == 0
    assert rows["DHL Official"]["totalPostageFee"] is None
    assert "totalPostageFee" not in rows["USPS"]
    told = rows["CJPacket Ordinary"]
    parts = told["logisticPrice"] + told["taxesFee"] + told["clearanceOperationFee"]
    assert told["totalPostageFee"] == pytest.approx(parts)
    assert told["taxesFee"] > 0
    assert [name for name, row in rows.items() if "logisticPriceCn" in row] == [next(iter(rows))]


def test_the_ways_depend_on_country_weight_and_quantity(account):
    assert "USPS" in quote(account)
    assert "USPS" not in quote(account, end="AE")
    assert "Qfulfillment A line" not in quote(account)
    many = quote(account, quantity=8)
    assert "Qfulfillment A line" in many
    assert "CJPacket Ordinary Oversize Line" in many
    assert many["CJPacket Ordinary"]["logisticPrice"] < 8 * quote(account)["CJPacket Ordinary"]["logisticPrice"]


@pytest.mark.parametrize(("start", "end"), [("CN", "AQ"), ("US", "DE"), ("DE", "US")])
def test_no_route_is_an_empty_list(account, start, end):
    assert quote(account, start=start, end=end) == {}


def test_the_american_warehouse_sends_within_america(account):
    assert set(quote(account, start="US")) == {"FedEx Ground", "USPS+"}


def test_freight_doubles_for_one_country_alone(account):
    before, canada = quote(account)["CJPacket Ordinary"], quote(account, end="CA")
    account.cj.scale_freight("US", 2)
    assert quote(account)["CJPacket Ordinary"]["logisticPrice"] == pytest.approx(2 * before["logisticPrice"])
    assert quote(account, end="CA") == canada


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"endCountryCode": "XX"}, 1605002),
        ({"startCountryCode": ""}, 16900403),
        ({"products": []}, 16900403),
        ({"products": [{"vid": "1", "quantity": 1}]}, 1602000),
        ({"products": [{"vid": "1", "quantity": "1"}]}, 1602000),
        ({"destination": "US"}, 1600300),
    ],
    ids=["no such country", "no start", "no basket", "no such variant", "variant first", "unknown field"],
)
def test_a_bad_question_is_refused(account, changes, code):
    assert account.code("POST", "/logistic/freightCalculate", ask(account) | changes) == code


@pytest.mark.parametrize("quantity", ["1", 0, 1.5, True, None], ids=repr)
def test_a_quantity_is_a_whole_number_of_at_least_one(account, quantity):
    code = account.code("POST", "/logistic/freightCalculate", ask(account, quantity=quantity))
    assert code == (16900403 if quantity is None else 1600300)
