"""Documents on the contract's schema; sales, lots and their pictures; orders; pages."""

from __future__ import annotations

import json

import pytest

from deployments.sandbox.wire import Request

LINE = {"amount": 2_250, "description": "Lamp", "fees": [{"description": "Premium", "amount": 338}]}
ORDER = (
    "id status invoiceId paymentId orderLines { orderLineId amount fees { amount } item { ... on SaleItem { id } } }"
)


@pytest.mark.parametrize(
    "query",
    [
        '{ account(accountId: "sandbox-account") { id shoeSize } }',
        '{ shoes(accountId: "sandbox-account") { id } }',
        'mutation { publishSale(accountId: "sandbox-account", input: {sale: "s"}) { id } }',
        'mutation { createSale(accountId: "sandbox-account", input: {title: "x"}) { id colour } }',
    ],
    ids=["field", "root", "input", "field of a mutation"],
)
def test_one_unknown_field_fails_the_whole_document(account, query):
    reply = account.send(query)
    answer = json.loads(reply.body)
    assert (reply.status, answer["data"]) == (422, None)
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert account.house.sales == {}


def test_what_is_no_document_and_what_is_no_json_are_refused(account):
    assert json.loads(account.send("{ account(").body)["errors"][0]["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"
    reply = account.basta.handle(Request("POST", "/graphql", headers=account.headers, body=b"{"))
    assert reply.status == 400


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-account-id": "sandbox-account", "x-api-key": "other"}, {"x-account-id": "x", "x-api-key": "sandbox-key"}],
    ids=["none", "another key", "another account"],
)
def test_a_wrong_key_is_said_under_200(account, headers):
    account.headers = headers
    assert account.refusal('{ account(accountId: "sandbox-account") { id } }') == "unauthenticated"


def test_an_account_that_is_not_the_keys_is_refused(account):
    assert "permission denied" in account.refusal('{ account(accountId: "other") { id } }')


def test_payment_details_are_null_for_most_accounts(open_account):
    query = '{ account(accountId: "sandbox-account") { paymentDetails { accountFees { value } } } }'
    assert open_account().ask(query)["paymentDetails"] is None
    fee = {"id": "f", "name": "Premium", "type": "PERCENTAGE", "value": 1_500, "lowerLimit": 0}
    assert open_account(fees=[fee]).ask(query)["paymentDetails"]["accountFees"] == [{"value": 1_500}]


def test_an_older_schema_knows_no_policies(open_account):
    query = '{ saleRegistrationPolicies(accountId: "sandbox-account") { pageInfo { totalRecords } } }'
    assert open_account(revision="A").send(query).status == 422
    assert open_account(revision="B").ask(query)["pageInfo"]["totalRecords"] == 0


READ = 'query($id: ID!, $k: SaleIDType!) { sale(accountId: "sandbox-account", id: $id, saleIdType: $k) { id } }'


def test_a_sale_is_found_by_our_own_id_and_an_unknown_one_is_an_error(account):
    sale = account.sale(externalId="run-1")
    assert account.ask(READ, id="run-1", k="EXTERNAL_ID") == {"id": sale}
    assert account.refusal(READ, id="run-2", k="EXTERNAL_ID") == "sale not found"
    assert account.refusal(READ, id="sale-0", k="ID") == "sale not found"


def test_a_lot_is_found_by_our_own_id_and_one_of_no_sale_is_null(account):
    sale = account.sale()
    item = account.item(sale, externalId="lot-1")
    found = 'query($x: String!) { saleItemByExternalId(accountId: "sandbox-account", externalId: $x) { id } }'
    assert account.ask(found, x="lot-1") == {"id": item}
    assert account.refusal(found, x="lot-2") == "item not found"
    assert account.shown((sale, "item-0")) is None


@pytest.mark.parametrize(("unique", "made"), [(False, 2), (True, 1)])
def test_a_repeated_creation_is_a_duplicate_or_refused(open_account, unique, made):
    account = open_account(unique_external_ids=unique)
    account.sale(externalId="run-1")
    account.send(account.mutation("createSale", "CreateSaleInput"), i={"externalId": "run-1"})
    assert len(account.house.sales) == made


def test_publishing_twice_says_already(account):
    sale = account.sale()
    account.item(sale)
    account.publish(sale)
    assert "already published" in account.refusal(
        account.mutation("publishSale", "PublishSaleInput"), i={"saleId": sale}
    )


@pytest.mark.parametrize(
    "rules",
    [
        [{"lowRange": 100, "highRange": 1_000, "step": 100}],
        [{"lowRange": 0, "highRange": 1_000, "step": 300}],
        [{"lowRange": 0, "highRange": 1_000, "step": 100}, {"lowRange": 2_000, "highRange": 4_000, "step": 500}],
        [{"lowRange": 0, "highRange": 1_000, "step": 0}],
    ],
    ids=["not from 0", "no multiple", "a gap", "no step"],
)
def test_a_ladder_with_a_fault_is_refused(account, rules):
    given = {"bidIncrementTable": {"rules": rules}}
    assert account.refusal(account.mutation("createSale", "CreateSaleInput"), i=given) == "invalid bid increment table"


def test_pages_hold_fifty_at_most_and_lead_through_everything(account):
    sale = account.sale()
    made = [account.item(sale, ItemNumber=number) for number in range(1, 61)]
    query = """query($s: ID!, $f: Int, $a: String) { sale(accountId: "sandbox-account", id: $s) {
      items(first: $f, after: $a) { edges { node { id } } pageInfo { hasNextPage endCursor totalRecords } } } }"""
    first = account.ask(query, s=sale, f=200)["items"]
    assert (len(first["edges"]), first["pageInfo"]["hasNextPage"], first["pageInfo"]["totalRecords"]) == (50, True, 60)
    rest = account.ask(query, s=sale, f=200, a=first["pageInfo"]["endCursor"])["items"]
    assert [edge["node"]["id"] for edge in first["edges"] + rest["edges"]] == made
    assert rest["pageInfo"]["hasNextPage"] is False
    beyond = account.ask(query, s=sale, f=20, a=rest["pageInfo"]["endCursor"])["items"]
    assert (beyond["edges"], beyond["pageInfo"]["endCursor"]) == ([], "")
    default = account.ask(
        'query($s: ID!) { sale(accountId: "sandbox-account", id: $s) { items { edges { cursor } } } }', s=sale
    )
    assert len(default["items"]["edges"]) == 20


def test_sales_are_filtered_by_status_and_by_being_tests(account):
    account.sale(isTestSale=True)
    real = account.sale()
    query = """query($f: SaleFilter) { sales(accountId: "sandbox-account", filter: $f) { edges { node { id } } } }"""

    def found(**given):
        return [edge["node"]["id"] for edge in account.ask(query, f=given)["edges"]]

    assert found(statuses=["UNPUBLISHED"], showTestSales=False) == [real]
    assert len(found(statuses=["UNPUBLISHED"])) == 2
    assert found(statuses=["CLOSED"]) == []


def upload(account, lot, **more):
    given = {"imageTypes": ["SALE_ITEM"], "contentType": "image/jpeg", "order": 1, "saleId": lot[0], "itemId": lot[1]}
    shown = "imageId uploadUrl imageUrl headers { key value }"
    return account.do("createUploadUrl", "CreateUploadUrlInput", shown, **given, **more)


def put(account, slot, kind="image/jpeg", **headers):
    path = slot["uploadUrl"].removeprefix("http://127.0.0.1:8000/basta")
    return account.basta.handle(Request("PUT", path, headers={"content-type": kind, **headers}, body=b"jpeg")).status


def test_a_picture_is_shown_some_time_after_it_came(open_account):
    account = open_account(image_lag_seconds=30)
    sale = account.sale()
    lot = (sale, account.item(sale))
    slot = upload(account, lot, externalId="image-1")
    assert "Host" in {one["key"] for one in slot["headers"]}
    assert put(account, slot) == 200
    assert account.shown(lot, "images { id }")["images"] == []
    account.pass_time(30)
    assert account.shown(lot, "images { id url order externalId }")["images"] == [
        {"id": slot["imageId"], "url": slot["imageUrl"], "order": 1, "externalId": "image-1"}
    ]


def test_the_storage_takes_the_announced_type_without_our_key(account):
    sale = account.sale()
    slot = upload(account, (sale, account.item(sale)))
    assert put(account, slot, "image/png") == 403
    assert put(account, slot, **{"x-api-key": "sandbox-key"}) == 403
    assert put(account, {"uploadUrl": slot["uploadUrl"] + "9"}) == 404


def test_a_message_on_a_timed_lot_is_taken_and_shown_nowhere(account):
    lot = account.lot()
    given = {"saleId": lot[0], "itemId": lot[1], "message": "soon"}
    shown = "notifications { ... on ItemMessageNotification { message } }"
    assert account.do("addMessageNotificationToItem", "AddMessageNotificationToItemInput", shown, **given) == {
        "notifications": []
    }


def make_order(account):
    sale = account.sale()
    items = [account.item(sale), account.item(sale)]
    given = {"saleId": sale, "userId": "ada", "title": "Ada", "orderLines": [{"itemId": items[0], **LINE}]}
    return account.do("createOrder", "CreateOrderInput", ORDER, **given), items


def test_an_orders_life(account):
    order, items = make_order(account)
    assert (order["status"], order["orderLines"][0]["item"], order["orderLines"][0]["fees"]) == (
        "DRAFT", {"id": items[0]}, [{"amount": 338}],
    )  # fmt: skip
    one = {"orderId": order["id"]}
    invoice = {**one, "externalID": "in_1", "url": "https://a.invalid", "dueDate": "2026-12-01T00:00:00Z"}
    tell_invoice = account.mutation("createInvoice", "CreateInvoiceInput", "invoiceId externalID")
    assert "FAILED_PRECONDITION" in account.refusal(tell_invoice, i=invoice), "a draft cannot be invoiced"
    assert account.do("publishPaymentOrder", "PublishPaymentOrderInput", "status", **one) == {"status": "OPEN"}
    assert account.ask(tell_invoice, i=invoice)["externalID"] == "in_1"
    assert "FAILED_PRECONDITION" in account.refusal(tell_invoice, i=invoice)
    account.do("createPayment", "CreatePaymentInput", "paymentId", **one)
    pay = account.mutation("createPayment", "CreatePaymentInput", "paymentId")
    assert "FAILED_PRECONDITION" in account.refusal(pay, i=one)
    listed = account.ask(
        'query($u: String!) { userOrders(accountId: "sandbox-account", userID: $u) { edges { node { '
        + ORDER
        + " } } } }",
        u="ada",
    )
    assert [edge["node"]["status"] for edge in listed["edges"]] == ["PAID"]
    assert account.shown((account.house.orders[order["id"]].sale_id, items[0]), "paymentOrder { id }") == {
        "paymentOrder": {"id": order["id"]}
    }


def test_a_second_line_for_the_same_lot_says_already_under_200(account):
    order, items = make_order(account)
    add = account.mutation("createOrderLine", "CreateOrderLineInput", "orderLineId amount")
    assert "already exists" in account.refusal(add, i={"orderId": order["id"], "itemId": items[0], **LINE})
    line = account.ask(add, i={"orderId": order["id"], "itemId": items[1], **LINE})
    change = {"id": line["orderLineId"], "orderId": order["id"], "amount": 5}
    assert account.do("updateOrderLine", "UpdateOrderLineInput", "amount", **change) == {"amount": 5}
    account.do(
        "deleteOrderLine", "DeleteOrderLineInput", "amount", orderId=order["id"], orderLineId=line["orderLineId"]
    )
    assert len(account.house.orders[order["id"]].lines) == 1


def test_a_cancelled_order_stays_so(account):
    order, _ = make_order(account)
    one = {"orderId": order["id"]}
    assert account.do("cancelPaymentOrder", "CancelPaymentOrderInput", "status", **one) == {"status": "CANCELLED"}
    pay = account.mutation("createPayment", "CreatePaymentInput", "paymentId")
    assert "FAILED_PRECONDITION" in account.refusal(pay, i=one)
