"""An invoice's life: draft, open, paid, void, written off; and how buyers of every manner pay."""

from __future__ import annotations

import pytest
import stripe


def test_a_draft_does_nothing_until_it_is_finalized_and_paid(account):
    draft = account.draft(account.customer(), 2_000, 250)
    assert (draft.status, draft.total, draft.amount_due, draft.hosted_invoice_url) == ("draft", 2_250, 2_250, None)
    invoice = account.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    assert (invoice.status, invoice.amount_remaining) == ("open", 2_250)
    assert invoice.hosted_invoice_url.endswith(invoice.id)
    invoice = account.v1.invoices.pay(invoice.id, {"off_session": True})
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 2_250, 0)
    assert account.happened() == ["invoice.finalized", "invoice.paid", "charge.succeeded"]


def test_a_payment_is_an_intent_a_charge_and_a_movement_less_stripes_fee(account):
    invoice = account.paid(10_000)
    expand = ["latest_charge.balance_transaction"]
    intent = account.v1.payment_intents.retrieve(account.intent(invoice), {"expand": expand})
    assert (intent.status, intent.amount_received, intent.latest_charge.amount_captured) == (
        "succeeded",
        10_000,
        10_000,
    )
    movement = intent.latest_charge.balance_transaction
    assert (movement.amount, movement.fee, movement.net) == (10_000, 320, 9_680)
    charge = account.v1.charges.retrieve(intent.latest_charge.id)
    assert charge.balance_transaction == movement.id
    assert account.v1.balance_transactions.retrieve(movement.id).net == 9_680


def test_the_fee_becomes_known_when_the_option_says(account):
    account.bank.options.fee_known_after = 60
    invoice = account.paid(1_000)
    read = {"expand": ["latest_charge.balance_transaction"]}
    assert account.v1.payment_intents.retrieve(account.intent(invoice), read).latest_charge.balance_transaction is None
    account.pass_time(60)
    assert (
        account.v1.payment_intents.retrieve(account.intent(invoice), read).latest_charge.balance_transaction.fee == 59
    )


def test_an_intent_leads_back_to_its_invoice(account):
    invoice = account.paid(1_000)
    asked = {"payment": {"type": "payment_intent", "payment_intent": account.intent(invoice)}}
    assert [one.invoice for one in account.v1.invoice_payments.list(asked).data] == [invoice.id]


@pytest.mark.parametrize("manner", ["declined", "recovers"])
def test_a_declined_card_leaves_the_invoice_open(account, manner):
    invoice = account.open(account.customer(manner), 1_000)
    with pytest.raises(stripe.CardError) as caught:
        account.v1.invoices.pay(invoice.id)
    assert (caught.value.code, caught.value.error.decline_code) == ("card_declined", "generic_decline")
    assert caught.value.error.payment_intent.status == "requires_payment_method"
    assert account.v1.invoices.retrieve(invoice.id).status == "open"
    assert account.happened()[-1] == "invoice.payment_failed"
    assert account.store.charges == {}


def test_a_declined_person_who_recovers_pays_on_the_hosted_page_and_once(account):
    invoice = account.open(account.customer("recovers"), 1_000)
    account.pass_time(5)
    assert account.v1.invoices.retrieve(invoice.id).status == "paid"
    assert len(account.store.payments[invoice.id]) == 1
    assert account.bank.pay_by_hand(invoice.id) is False


def test_a_card_may_be_good_at_the_second_try(account):
    invoice = account.open(account.customer("good_later"), 1_000)
    with pytest.raises(stripe.CardError):
        account.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "try-1"})
    assert account.v1.invoices.pay(invoice.id, {}, {"idempotency_key": "try-2"}).status == "paid"


def test_three_d_secure_asks_for_the_buyer(account):
    invoice = account.open(account.customer("secure"), 1_000)
    with pytest.raises(stripe.CardError) as caught:
        account.v1.invoices.pay(invoice.id)
    assert caught.value.code == "invoice_payment_intent_requires_action"
    assert caught.value.error.payment_intent.status == "requires_action"
    assert account.happened()[-1] == "invoice.payment_action_required"
    account.pass_time(5)
    assert account.v1.invoices.retrieve(invoice.id).status == "paid"


def test_without_a_card_nothing_can_be_charged(account):
    invoice = account.open(account.customer("ignores"), 1_000)
    with pytest.raises(stripe.InvalidRequestError, match="no default payment method"):
        account.v1.invoices.pay(invoice.id)


def test_a_credit_balance_is_used_up_first(account):
    customer = account.customer()
    account.store.customers[customer]["balance"] = -1_500
    invoice = account.open(customer, 1_000)
    assert (invoice.status, invoice.amount_paid, invoice.starting_balance) == ("paid", 0, -1_000)
    assert account.store.customers[customer]["balance"] == -500


def act(account, name, invoice):
    calls = {
        "finalize": account.v1.invoices.finalize_invoice,
        "pay": account.v1.invoices.pay,
        "void": account.v1.invoices.void_invoice,
        "write off": account.v1.invoices.mark_uncollectible,
        "delete": account.v1.invoices.delete,
    }
    return calls[name](invoice.id)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("draft", {"finalize", "delete"}),
        ("open", {"pay", "void", "write off"}),
        ("uncollectible", {"pay", "void"}),
        ("paid", set()),
        ("void", set()),
    ],
)
def test_each_state_allows_its_own_acts_and_no_other(open_account, state, allowed):
    done = set()
    for name in ("finalize", "pay", "void", "write off", "delete"):
        account = open_account()
        customer = account.customer()
        invoice = account.draft(customer, 1_000) if state == "draft" else account.open(customer, 1_000)
        for way in {"uncollectible": ["write off"], "paid": ["pay"], "void": ["void"]}.get(state, []):
            act(account, way, invoice)
        assert account.v1.invoices.retrieve(invoice.id).status == state
        try:
            act(account, name, invoice)
        except stripe.InvalidRequestError:
            assert account.v1.invoices.retrieve(invoice.id).status == state
            continue
        done.add(name)
    assert done == allowed


def test_written_off_is_told_and_still_takes_money(account):
    invoice = account.open(account.customer("no_card"), 1_000)
    account.bank.write_off_by_hand(invoice.id)
    assert account.happened()[-1] == "invoice.marked_uncollectible"
    account.pass_time(5)
    assert account.v1.invoices.retrieve(invoice.id).status == "paid"


def test_a_deleted_draft_is_gone(account):
    draft = account.draft(account.customer(), 1_000)
    assert account.v1.invoices.delete(draft.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.retrieve(draft.id)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_an_invoice_to_be_sent_needs_a_due_date_and_is_overdue_after_it(account):
    customer = account.customer("ignores")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.invoices.create({"customer": customer, "collection_method": "send_invoice"})
    assert caught.value.param == "days_until_due"
    invoice = account.v1.invoices.create(
        {"customer": customer, "collection_method": "send_invoice", "days_until_due": 2}
    )
    account.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 500}]})
    assert account.v1.invoices.send_invoice(invoice.id).status == "open"
    account.pass_time(2 * 86_400)
    assert account.happened()[-1] == "invoice.overdue"


def test_the_address_is_the_customers_until_finalizing_freezes_it(account):
    customer = account.customer()
    draft = account.draft(customer, 1_000)
    account.bank.give_address(customer, "Ada", line1="1 Orchard Row", country="US")
    assert account.happened()[-1] == "customer.updated"
    assert account.v1.invoices.retrieve(draft.id).customer_shipping.address.line1 == "1 Orchard Row"
    account.v1.invoices.finalize_invoice(draft.id)
    account.bank.give_address(customer, "Ada", line1="2 Moved Street", country="US")
    assert account.v1.invoices.retrieve(draft.id).customer_shipping.address.line1 == "1 Orchard Row"
    assert account.v1.customers.retrieve(customer).shipping.address.line1 == "2 Moved Street"


def test_the_portal_is_a_page_on_which_a_buyer_gives_an_address(account):
    customer = account.customer()
    session = account.v1.billing_portal.sessions.create({"customer": customer, "return_url": "https://a.invalid"})
    path = "/portal/" + session.url.rsplit("/", 1)[-1]
    account.raw("POST", path, ("name", "Ada"), ("line1", "1 Row"))
    assert account.v1.customers.retrieve(customer).shipping.address.line1 == "1 Row"
    assert b"1 Row" in account.raw("GET", path).body
