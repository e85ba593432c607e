"""Credit notes, refunds that settle or fail later, and disputes."""

from __future__ import annotations

import pytest
import stripe


def test_a_paid_lot_is_credited_on_its_own_line_and_refunded(account):
    invoice = account.paid(2_000, 3_000)
    preview = account.v1.credit_notes.preview(
        {
            "invoice": invoice.id,
            "lines": [{"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[1].id, "amount": 3_000}],
        }
    )
    assert (preview.pre_payment_amount, preview.post_payment_amount) == (0, 3_000)
    note = account.credit(invoice, 1, refund_amount=3_000, metadata={"refund_ref": "lot-2"})
    (refund,) = account.v1.refunds.list({"payment_intent": account.intent(invoice)}).data
    assert (refund.amount, refund.status, refund.metadata["refund_ref"]) == (3_000, "pending", "lot-2")
    assert [one.refund for one in note.refunds] == [refund.id]
    account.pass_time(account.bank.options.refund_settles_after)
    assert account.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert account.v1.invoices.retrieve(invoice.id).post_payment_credit_notes_amount == 3_000
    assert account.happened()[-4:] == ["refund.created", "charge.refunded", "credit_note.created", "refund.updated"]


@pytest.mark.parametrize("refund_amount", [0, 1_999, 2_001])
def test_the_refund_must_be_exactly_what_was_captured_of_the_line(account, refund_amount):
    invoice = account.paid(2_000)
    with pytest.raises(stripe.InvalidRequestError, match="post payment amount"):
        account.credit(invoice, 0, refund_amount=refund_amount)
    assert account.store.notes == {}
    assert account.store.refunds == {}


def test_a_line_is_credited_once(account):
    invoice = account.paid(2_000, 500)
    account.credit(invoice, 0, refund_amount=2_000)
    with pytest.raises(stripe.InvalidRequestError, match="left of the line"):
        account.credit(invoice, 0, refund_amount=2_000)


def test_crediting_an_open_invoice_lowers_what_is_due_and_to_zero_makes_it_paid(account):
    invoice = account.open(account.customer(), 2_000, 500)
    account.credit(invoice, 0)
    assert account.v1.invoices.retrieve(invoice.id).amount_remaining == 500
    account.credit(invoice, 1)
    done = account.v1.invoices.retrieve(invoice.id)
    assert (done.status, done.amount_paid, done.pre_payment_credit_notes_amount) == ("paid", 0, 2_500)
    assert "invoice.paid" in account.happened()


@pytest.mark.parametrize("state", ["draft", "void"])
def test_a_draft_and_a_void_invoice_cannot_be_credited(account, state):
    invoice = account.draft(account.customer(), 2_000)
    if state == "void":
        account.v1.invoices.finalize_invoice(invoice.id)
        account.v1.invoices.void_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match=f"{state} invoice"):
        account.credit(invoice, 0)


def test_a_refund_that_succeeded_fails_days_later_and_the_money_is_back_with_us(account):
    invoice = account.paid(2_000)
    refund = account.bank.refund_by_hand(invoice.id, 2_000)
    account.pass_time(3 * 86_400)
    assert account.v1.refunds.retrieve(refund["id"]).status == "succeeded"
    account.bank.fail_refund(refund["id"])
    failed = account.v1.refunds.retrieve(refund["id"])
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert account.v1.balance_transactions.retrieve(failed.failure_balance_transaction).amount == 2_000
    assert account.happened()[-1] == "refund.failed"


def test_a_refund_that_failed_while_pending_never_succeeds(account):
    refund = account.bank.refund_by_hand(account.paid(2_000).id, 2_000)
    account.bank.fail_refund(refund["id"])
    account.pass_time(86_400)
    assert account.v1.refunds.retrieve(refund["id"]).status == "failed"


def test_refunds_never_exceed_the_charge(account):
    invoice = account.paid(2_000)
    intent = account.intent(invoice)
    account.v1.refunds.create({"payment_intent": intent, "amount": 1_500})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.refunds.create({"payment_intent": intent, "amount": 501})
    assert caught.value.param == "amount"
    assert account.v1.refunds.create({"payment_intent": intent}).amount == 500
    assert sum(row["amount"] for row in account.store.refunds.values()) == 2_000


@pytest.mark.parametrize(("won", "balance"), [(True, 2_000), (False, -1_500)])
def test_a_dispute_takes_the_money_and_a_fee_until_it_is_won(account, won, balance):
    invoice = account.paid(2_000)
    account.bank.open_dispute(invoice.id)
    (dispute,) = account.v1.disputes.list({"payment_intent": account.intent(invoice)}).data
    assert (dispute.status, dispute.amount) == ("needs_response", 2_000)
    assert dispute.evidence_details.due_by > dispute.created
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.credit(invoice, 0, refund_amount=2_000)
    assert caught.value.code == "charge_disputed"
    account.bank.close_dispute(dispute.id, won=won)
    assert account.v1.disputes.retrieve(dispute.id).status == ("won" if won else "lost")
    charged = sum(row["net"] for row in account.store.movements.values() if row["type"] == "charge")
    assert sum(row["net"] for row in account.store.movements.values()) - charged == balance - 2_000
    told = [one for one in account.happened() if "dispute" in one]
    assert told == ["charge.dispute.created", "charge.dispute.closed"]


def test_after_a_won_dispute_the_lot_can_be_refunded(account):
    invoice = account.paid(2_000)
    dispute = account.bank.open_dispute(invoice.id)
    account.bank.close_dispute(dispute["id"], won=True)
    assert account.credit(invoice, 0, refund_amount=2_000).post_payment_amount == 2_000
