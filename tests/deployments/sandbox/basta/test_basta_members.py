"""Bidders: profiles, registrations behind a sale's policies, and what Basta tells by itself."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

RULE = 'user.addresses.filter(a, a.addressType == "SHIPPING").size() > 0'
PROFILE = "userId name email shippingAddress { line1 country } addressesV2 { id line1 addressType }"
REGISTRATION = "id status policyResults { code passed }"
ADDRESS = {"addressType": "SHIPPING", "isPrimary": True, "line1": "9 New Road", "city": "Salem", "country": "US"}


def update(account, user, **more):
    return account.do("updateUser", "UpdateUserInput", PROFILE, userId=user, idType="USER_ID", **more)


def test_the_profile_is_null_and_an_update_of_nothing_answers_with_it(account):
    account.person("ada")
    query = """query($u: String!) { user(accountId: "sandbox-account", userId: $u, idType: USER_ID) {
      userId profile { name } } }"""
    assert account.ask(query, u="ada") == {"userId": "ada", "profile": None}
    shown = update(account, "ada")
    assert (shown["name"], shown["email"]) == ("Ada", "ada@people.invalid")
    assert shown["shippingAddress"] == {"line1": "1 Orchard Row", "country": "US"}
    assert account.refusal(query, u="nobody") == "user not found"


def test_an_update_brings_an_unknown_user_into_being_with_an_empty_address(account):
    assert update(account, "stranger")["shippingAddress"]["line1"] == ""
    query = '{ users(accountId: "sandbox-account") { edges { node { userId } } } }'
    assert account.ask(query)["edges"] == [{"node": {"userId": "stranger"}}]


def test_an_address_is_added_without_an_id_and_changed_with_one(account):
    account.person("ada", None)
    upsert = account.mutation("upsertUserAddress", "UpsertUserAddressInput", "id line1")
    who = {"userId": "ada", "idType": "USER_ID"}
    made = account.ask(upsert, i={**who, "address": ADDRESS})
    account.ask(upsert, i={**who, "address": {**ADDRESS, "id": made["id"], "line1": "10 New Road"}})
    assert [one["line1"] for one in update(account, "ada")["addressesV2"]] == ["10 New Road"]
    account.ask(upsert, i={**who, "address": ADDRESS})
    assert len(update(account, "ada")["addressesV2"]) == 2
    gone = account.mutation("deleteUserAddress", "DeleteUserAddressInput", "")
    assert account.ask(gone, i={**who, "addressId": made["id"]}) is True
    assert account.refusal(gone, i={**who, "addressId": made["id"]}) == "address not found"


def test_addresses_given_in_an_update_replace_all(account):
    account.person("ada")
    update(account, "ada", addresses=[ADDRESS])
    assert [one["line1"] for one in update(account, "ada")["addressesV2"]] == ["9 New Road"]


def guarded(account):
    """An open lot in a sale whose policy demands a shipping address."""
    policy = account.do(
        "createSaleRegistrationPolicy",
        "CreateSaleRegistrationPolicyInput",
        code="address",
        description="a shipping address",
        rule=RULE,
        isDefault=False,
    )
    sale = account.sale()
    lot = (sale, account.item(sale, ItemNumber=1))
    account.do(
        "attachSaleRegistrationPolicies", "AttachSaleRegistrationPoliciesInput", saleId=sale, policyIds=[policy["id"]]
    )
    account.publish(sale)
    return lot


def register(account, lot, user, **more):
    given = {"saleId": lot[0], "userId": user, "type": "ONLINE", **more}
    return account.do("createSaleRegistration", "CreateSaleRegistrationInput", REGISTRATION, **given)


def test_a_policy_is_read_back_from_the_sale_and_can_be_detached(account):
    sale, _ = guarded(account)
    query = """query($s: ID!) { sale(accountId: "sandbox-account", id: $s) {
      registrationPolicies { edges { node { code rule } } } } }"""
    (edge,) = account.ask(query, s=sale)["registrationPolicies"]["edges"]
    assert edge["node"] == {"code": "address", "rule": RULE}
    (policy,) = account.house.policies
    account.do(
        "detachSaleRegistrationPolicies", "DetachSaleRegistrationPoliciesInput", saleId=sale, policyIds=[policy["id"]]
    )
    assert account.ask(query, s=sale)["registrationPolicies"]["edges"] == []


def test_an_unknown_policy_cannot_be_attached(account):
    attach = account.mutation("attachSaleRegistrationPolicies", "AttachSaleRegistrationPoliciesInput")
    given = {"saleId": account.sale(), "policyIds": ["pol-0"]}
    assert account.refusal(attach, i=given) == "policy pol-0 not found"


@pytest.mark.parametrize(("has_address", "status"), [(True, "ACCEPTED"), (False, "PENDING")])
def test_the_policy_decides_on_a_registration(account, has_address, status):
    lot = guarded(account)
    account.person("ada", **({} if has_address else {"address": None}))
    row = register(account, lot, "ada")
    assert (row["status"], row["policyResults"]) == (status, [{"code": "address", "passed": has_address}])


def test_a_repeated_registration_says_already_under_200(account):
    lot = account.lot()
    assert register(account, lot, "ada", status="ACCEPTED")["status"] == "ACCEPTED"
    again = account.mutation("createSaleRegistration", "CreateSaleRegistrationInput", REGISTRATION)
    assert "already" in account.refusal(again, i={"saleId": lot[0], "userId": "ada", "type": "ONLINE"})


def test_a_bid_registers_by_itself_and_is_taken_where_the_policy_is_met(account):
    lot = guarded(account)
    account.person("ada")
    account.person("ben", None)
    account.bid(lot, "ada", 2_000)
    assert "not accepted" in account.no_bid(lot, "ben", 2_500)
    query = """query($f: SaleRegistrationsQueryFilter) { saleRegistrations(accountId: "sandbox-account", filter: $f) {
      edges { node { id userId status } } } }"""
    rows = [edge["node"] for edge in account.ask(query)["edges"]]
    assert [(row["userId"], row["status"]) for row in rows] == [("ada", "ACCEPTED"), ("ben", "PENDING")]
    account.do("acceptSaleRegistration", "AcceptSaleRegistrationInput", registrationId=rows[1]["id"])
    account.bid(lot, "ben", 2_500)
    reject = {"registrationId": rows[1]["id"], "reason": "no"}
    account.do("rejectSaleRegistration", "RejectSaleRegistrationInput", **reject)
    assert account.ask(query, f={"statuses": ["REJECTED"]})["edges"][0]["node"]["userId"] == "ben"


def test_a_sale_may_demand_an_accepted_registration_without_a_policy(account):
    sale = account.sale(bidRestrictions={"acceptedRegistrationRequired": True})
    lot = (sale, account.item(sale))
    account.publish(sale)
    assert "not accepted" in account.no_bid(lot, "ada", 2_000)


def test_people_without_an_address_stay_out_of_a_guarded_fight(open_account):
    account = open_account(bidding=True, bidders_per_lot=4)
    for name in ("ada", "ben", "cleo"):
        account.person(name)
    account.person("dov", None)
    lot = guarded(account)
    account.close()
    bidders = {bid["userId"] for bid in account.shown(lot, "bids { userId }")["bids"]}
    assert bidders
    assert "dov" not in bidders
    assert {row.user_id for row in account.house.registrations.values()} == {"ada", "ben", "cleo"}


# what Basta tells by itself

HOOK = "http://127.0.0.1:9/webhooks/basta"
LOG = """query($f: ActionHookFilter) { actionHookLogs(accountId: "sandbox-account", first: 50, filter: $f) {
  edges { node { id idempotencyKey action status retries requestPayload error } } } }"""


def subscribe(account, *actions, **more):
    return [
        account.do("addActionHookSubscription", "ActionHookSubscriptionInput", action=one, url=HOOK, **more)["id"]
        for one in actions
    ]


def log(account, **given):
    return [edge["node"] for edge in account.ask(LOG, f=given or None)["edges"]]


def told(account):
    return [json.loads(delivery.body) for delivery in account.world.deliveries]


def test_a_closing_is_told_by_lot_and_by_sale_in_both_spellings(account):
    subscribe(account, "SALE_STATUS_CHANGED", "ITEMS_STATUS_CHANGED")
    for _ in range(12):
        lot = account.lot()
        account.bid(lot, "ada", 3_000)
    account.close()
    sales = {event["data"]["saleStatus"] for event in told(account) if event["actionType"] == "SaleStatusChanged"}
    changes = [event["data"]["itemStatusChanges"][0] for event in told(account) if "itemStatusChanges" in event["data"]]
    assert {"OPEN", "OPENED", "CLOSING", "CLOSED"} <= sales
    assert {"CLOSED", "ITEM_CLOSED", "OPEN", "ITEM_OPEN"} <= {one["itemStatus"] for one in changes}
    closed = next(one for one in changes if one["itemStatus"].endswith("CLOSED"))
    assert (closed["saleState"]["newLeader"], closed["saleState"]["currentBid"]) == ("ada", 3_000)


def test_a_bid_and_its_taking_back_are_told_with_the_engines_answers(account):
    subscribe(account, "BID_ON_ITEM", "CANCEL_BID_ON_ITEM")
    lot = account.lot()
    account.bid(lot, "ada", 6_000, "MAX")
    account.bid(lot, "ben", 4_500, "MAX")
    first, second = told(account)
    assert (first["actionType"], first["data"]["reactiveBids"]) == ("BidOnItem", [])
    assert [(one["userId"], one["amount"]) for one in second["data"]["reactiveBids"]] == [("ada", 5_000)]
    assert second["data"]["saleState"] == {
        "newLeader": "ada", "prevLeader": "ben", "currentBid": 5_000, "currentMaxBid": 6_000,
    }  # fmt: skip
    given = {"saleId": lot[0], "itemId": lot[1], "sequenceNumber": 3}
    account.do("cancelLatestBidOnItem", "CancelLatestBidOnItemInput", "removedBids { bidId }", **given)
    assert told(account)[-1]["actionType"] == "CancelBidOnItem"


def test_the_signature_is_the_contracts_and_own_headers_go_along(account):
    subscribe(account, "SALE_STATUS_CHANGED", headers=[{"key": "x-shared", "value": "s"}])
    account.basta.options.webhook_secret = "whsec_other"
    account.publish(account.sale())
    (delivery,) = account.world.deliveries
    at = int(account.world.clock.now().timestamp()) - 1
    digest = hmac.new(b"other", f"{at}.".encode() + delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["x-basta-signature"] == f"t={at},v1={digest}"
    assert delivery.headers["x-shared"] == "s"


@pytest.mark.parametrize(
    ("tried", "status", "retries"),
    [
        ([], "PENDING", 0),
        ([200], "SUCCESS", 0),
        ([500], "RETRY", 0),
        ([500, 0], "RETRY", 1),
        ([500, 0, 204], "SUCCESS", 2),
        ([500, 500, 500, 500], "FAILED", 3),
        ([401], "FAILED", 0),
    ],
    ids=str,
)
def test_the_log_says_what_became_of_an_event(account, tried, status, retries):
    subscribe(account, "SALE_STATUS_CHANGED")
    account.publish(account.sale())
    account.world.deliveries[0].tried += tried
    (line,) = log(account)
    assert (line["action"], line["status"], line["retries"]) == ("SALE_STATUS_CHANGED", status, retries)
    assert json.loads(line["requestPayload"]) == told(account)[0]
    assert log(account, types=["SALE_STATUS_CHANGED"], statuses=[status]) == [line]
    assert log(account, types=["BID_ON_ITEM"]) == []


def test_a_lost_event_is_read_back_from_the_log_and_sent_again_with_its_own_key(account):
    subscribe(account, "SALE_STATUS_CHANGED")
    account.world.webhook_mode = "lost"
    account.publish(account.sale())
    (line,) = log(account, statuses=["FAILED"])
    account.world.webhook_mode = "normal"
    account.do("retryActionHook", "RetryActionHookInput", "status", id=line["id"])
    assert [event["idempotencyKey"] for event in told(account)] == [line["idempotencyKey"]]
    assert log(account)[0]["status"] == "PENDING"


def test_an_event_may_come_twice_with_one_key(account):
    subscribe(account, "SALE_STATUS_CHANGED")
    account.world.webhook_mode = "doubled"
    account.publish(account.sale())
    first, second = told(account)
    assert first == second
    assert first["idempotencyKey"]


def test_subscriptions_pile_up_are_changed_and_removed_by_their_id(account):
    one, two = subscribe(account, "SALE_STATUS_CHANGED", "SALE_STATUS_CHANGED")
    account.publish(account.sale())
    assert len(account.world.deliveries) == 2
    assert len({event["idempotencyKey"] for event in told(account)}) == 1
    account.do("updateActionHookSubscription", "UpdateActionHookSubscriptionInput", id=one, url=HOOK + "/2")
    assert account.ask(
        account.mutation("deleteActionHookSubscription", "DeleteActionHookSubscriptionInput", ""), i={"id": two}
    )
    listed = account.ask('{ actionHookSubscriptions(accountId: "sandbox-account") { id action url } }')
    assert listed == [{"id": one, "action": "SALE_STATUS_CHANGED", "url": HOOK + "/2"}]
