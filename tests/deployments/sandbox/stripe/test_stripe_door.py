"""What every call goes through: the key, the judges of requests and replies, idempotency, lists and signatures."""

from __future__ import annotations

import json

import pytest
import stripe

from deployments.sandbox.faults import Fault
from deployments.sandbox.stripe import asking, oracle, routes
from deployments.sandbox.wire import Request

NEW = ("POST", "/v1/customers")
EMAIL = ("email", "a@b.invalid")


def test_a_live_key_or_none_is_refused(account):
    for words in ("Bearer sk_live", "Bearer ", ""):
        assert account.bank.handle(Request("GET", "/v1/account", headers={"authorization": words})).status == 401
    assert account.v1.accounts.retrieve_current().id == "acct_sandbox"


def test_every_call_has_its_params(account):
    assert set(routes.CALLS) == set(asking.PARAMS)
    for operation in asking.PARAMS:
        assert asking.params_of(operation).__annotations__ is not None


@pytest.mark.parametrize(
    ("method", "path", "pairs", "code", "param"),
    [
        ("POST", "/v1/customers", [("emial", "a")], "parameter_unknown", "emial"),
        ("POST", "/v1/customers", [("idempotency_key", "k")], "parameter_unknown", "idempotency_key"),
        ("POST", "/v1/customers", [("shipping[name]", "A"), ("shipping[address][town]", "B")],
         "parameter_unknown", "shipping[address][town]"),
        ("POST", "/v1/invoices", [("customer", "cus_1"), ("automatic_tax[liability][type]", "self")],
         "parameter_missing", "automatic_tax[enabled]"),
        ("POST", "/v1/invoices", [("customer", "cus_1"), ("collection_method", "by_pigeon")],
         "parameter_invalid", "collection_method"),
        ("POST", "/v1/invoices", [("auto_advance", "maybe")], "parameter_invalid", "auto_advance"),
        ("POST", "/v1/invoices/in_1/add_lines", [], "parameter_missing", "lines"),
        ("POST", "/v1/invoices/in_1/add_lines", [("lines[0][price]", "p")], "parameter_unknown", "lines[0][price]"),
        ("POST", "/v1/invoices/in_1/add_lines", [("lines[0][amount]", "5.5")],
         "parameter_invalid", "lines[0][amount]"),
        ("POST", "/v1/credit_notes", [("invoice", "in_1"), ("lines[0][amount]", "5")],
         "parameter_missing", "lines[0][type]"),
        ("POST", "/v1/credit_notes", [("invoice", "in_1"), ("reason", "whim")], "parameter_invalid", "reason"),
        ("GET", "/v1/events", [("created[since]", "5")], "parameter_unknown", "created[since]"),
        ("GET", "/v1/invoices", [("metadata[invoice_ref]", "x")], "parameter_unknown", "metadata"),
        ("GET", "/v1/customers", [("limit", "101")], "", "limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_parameter_that_the_sdk_does_not_know_is_refused_at_every_depth(account, method, path, pairs, code, param):
    assert account.refusal(method, path, *pairs) == (400, code, param)


def test_a_good_request_of_every_depth_is_taken(account):
    draft = account.draft(account.customer(), 100)
    shipping = {"name": "A", "address": {"line1": "1 Row", "country": "US"}}
    assert account.v1.customers.update(draft.customer, {"shipping": shipping, "metadata": {"7": "x"}})
    assert account.v1.invoices.list({"created": {"gte": 1}, "customer": draft.customer, "limit": 100}).data


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        ({"amount_due": None}, "invoice.amount_due is missing"),
        ({"amount_due": "5"}, "invoice.amount_due is '5'"),
        ({"status": "half_paid"}, "invoice.status is 'half_paid'"),
        ({"lines": []}, "invoice.lines is no list object"),
        ({"automatic_tax": {"enabled": "no"}}, "invoice.automatic_tax.enabled is 'no'"),
        ({"status_transitions": None}, "invoice.status_transitions is missing"),
    ],
    ids=["null", "type", "word", "list", "part", "part missing"],
)
def test_a_reply_of_another_shape_than_the_sdks_is_the_sandboxs_own_fault(account, spoil, complaint):
    draft = account.draft(account.customer(), 100)
    account.store.invoices[draft.id] |= spoil
    row = {**account.store.invoices[draft.id]}
    if "lines" not in spoil:
        row["lines"] = {"object": "list", "data": [], "has_more": False, "url": "/"}
    with pytest.raises(oracle.OracleError, match=complaint.replace(".", r"\.")):
        oracle.check_reply(row)


def test_the_same_key_replays_and_with_other_parameters_conflicts(account):
    first = account.v1.customers.create({"email": "a@b.invalid"}, {"idempotency_key": "k"})
    again = account.v1.customers.create({"email": "a@b.invalid"}, {"idempotency_key": "k"})
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        account.v1.customers.create({"email": "c@d.invalid"}, {"idempotency_key": "k"})
    assert len(account.store.customers) == 1


@pytest.mark.parametrize("how", ["a day passes", "they are forgotten"])
def test_a_key_that_lapsed_creates_anew(account, how):
    account.raw(*NEW, EMAIL, key="k")
    if how == "a day passes":
        account.pass_time(86_400)
    else:
        account.bank.forget_keys()
    assert "idempotent-replayed" not in account.raw(*NEW, EMAIL, key="k").headers
    assert len(account.store.customers) == 2


def test_a_stored_decline_is_replayed_although_the_card_is_good_now(account):
    invoice = account.open(account.customer("good_later"), 1_000)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            account.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "pay-1"})
    assert account.v1.invoices.retrieve(invoice.id).attempt_count == 1
    assert account.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "pay-2"}).status == "paid"


def test_a_500_from_inside_is_replayed_until_another_key_is_used(account):
    draft = account.draft(account.customer(), 1_000)
    account.bank.fail_inside("POST /v1/invoices/{id}/finalize")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            account.v1.invoices.finalize_invoice(draft.id, {}, {"idempotency_key": "fin"})
    assert account.v1.invoices.retrieve(draft.id).status == "draft"
    assert account.v1.invoices.finalize_invoice(draft.id, {}, {"idempotency_key": "fin:r2"}).status == "open"


def test_a_500_after_the_effect_is_replayed_and_one_before_it_is_not(account):
    account.world.faults.plan(Fault("stripe", "POST /v1/customers", "500_after"))
    assert [account.raw(*NEW, EMAIL, key="after").status for _ in range(2)] == [500, 500]
    assert len(account.store.customers) == 1
    account.world.faults.plan(Fault("stripe", "POST /v1/customers", "500_before"))
    assert [account.raw(*NEW, EMAIL, key="before").status for _ in range(2)] == [500, 200]
    assert len(account.store.customers) == 2


@pytest.mark.parametrize("kind", ["429", "500_before"])
def test_a_500_at_the_door_does_not_spoil_a_key_that_was_used_before(account, kind):
    account.raw(*NEW, EMAIL, key="k")
    account.world.faults.plan(Fault("stripe", "POST /v1/customers", kind))
    assert account.raw(*NEW, EMAIL, key="k").status == int(kind[:3])
    assert account.raw(*NEW, EMAIL, key="k").status == 200


def test_a_key_in_use_is_a_409_that_is_not_stored(account):
    account.bank.fail_inside("POST /v1/customers", 409)
    reply = account.raw(*NEW, EMAIL, key="k")
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (409, "idempotency_key_in_use")
    assert account.raw(*NEW, EMAIL, key="k").status == 200


def test_a_refused_parameter_is_not_stored(account):
    assert account.raw(*NEW, ("emial", "x"), key="k").status == 400
    assert account.raw(*NEW, EMAIL, key="k").status == 200


def test_lists_begin_with_the_newest_and_go_on_page_by_page(account):
    customer = account.customer()
    made = [account.draft(customer, 100).id for _ in range(5)]
    first = account.v1.invoices.list({"customer": customer, "limit": 2})
    assert [one.id for one in first.data] == [made[4], made[3]]
    assert first.has_more is True
    assert [one.id for one in first.auto_paging_iter()] == made[::-1]
    before = account.v1.invoices.list({"customer": customer, "ending_before": made[0], "limit": 2})
    assert [one.id for one in before.data] == [made[2], made[1]]
    assert account.refusal("GET", "/v1/invoices", ("starting_after", "in_none")) == (
        400, "resource_missing", "starting_after",
    )  # fmt: skip


@pytest.mark.parametrize("what", ["refunds", "credit_notes"])
def test_what_gave_money_back_is_listed_newest_first_too(account, what):
    invoice = account.paid(100, 200, 300)
    for line in range(3):
        account.credit(invoice, line, refund_amount=invoice.lines.data[line].amount)
    asked = {"payment_intent": account.intent(invoice)} if what == "refunds" else {"invoice": invoice.id}
    rows = getattr(account.v1, what).list(asked).data
    assert [row.amount for row in rows] == [300, 200, 100]


@pytest.mark.parametrize("what", ["customers", "events", "invoice_payments"])
def test_the_sdk_finds_its_way_through_the_pages_of_every_list(account, what):
    for _ in range(3):
        account.paid(100)
        account.v1.customers.create({"email": "a@b.invalid"})
    service = getattr(account.v1, what)
    every = [row.id for row in service.list({"limit": 100}).data]
    assert len(every) >= 3
    assert [row.id for row in service.list({"limit": 1}).auto_paging_iter()] == every


def test_a_wide_invoice_shows_its_first_lines_and_lists_all_in_order(account):
    invoice = account.draft(account.customer(), *range(1, 13))
    assert len(invoice.lines.data) == 10
    assert invoice.lines.has_more is True
    every = account.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter()
    assert [line.amount for line in every] == list(range(1, 13))


def test_events_are_found_by_type_and_time(account):
    account.paid(1_000)
    account.pass_time(3_600)
    late = int(account.world.clock.now().timestamp())
    account.bank.void_by_hand(account.open(account.customer(), 500).id)
    since = {"created": {"gte": late}}
    assert [one.type for one in account.v1.events.list(since).data] == ["invoice.voided", "invoice.finalized"]
    assert [one.type for one in account.v1.events.list({"types": ["invoice.paid"]}).data] == ["invoice.paid"]


def test_webhooks_carry_the_event_signed_as_the_sdk_wants(account):
    account.bank.options.webhook_url = "http://127.0.0.1:9/hook"
    account.open(account.customer(), 500)
    (delivery,) = account.world.deliveries
    at = int(account.world.clock.now().timestamp())
    expected = stripe.WebhookSignature.generate_signature_header(delivery.body.decode(), "whsec_sandbox", at)
    assert delivery.headers["stripe-signature"] == expected
    event = json.loads(delivery.body)
    assert (event["type"], event["api_version"]) == ("invoice.finalized", "2026-10-28.endive")
    oracle.check_reply(event)


def test_people_with_a_card_were_customers_before(account):
    account.customer("secure", "cleo")
    assert [row["metadata"] for row in account.store.customers.values()] == [{"basta_user_id": "cleo"}]
    account.bank.options.customers_on_file = False
    assert account.v1.customers.list({"email": "nobody@people.invalid"}).data == []
