"""Stripe's webhooks that fail, are not worked, or stay away: told once, and never without a cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.lots import inbox, refusals
from tests.simulation.rehearsal import HOUR, Rehearsal

Stage = Callable[..., Rehearsal]
PUBLIC = "https://auctions.example"


def refuse(stage: Rehearsal, number: int, reason: str = "wrong") -> None:
    with stage.record.write() as session:
        refusals.count(session, {("stripe", reason): number})


def hear(stage: Rehearsal, name: str = "evt_1") -> None:
    inbox.receive(stage.record, "stripe", name, "invoice.paid", {"invoice_id": "in_of_nobody"})


class TestSignatures:
    def test_three_that_do_not_hold_are_told_and_a_genuine_one_ends_it(self, stage: Rehearsal) -> None:
        refuse(stage, 3)
        stage.cycle()
        (incident,) = stage.incidents("webhooks:")
        assert (incident.alert, incident.severity) == ("stripe-webhooks", "HIGH")
        assert "STRIPE_WEBHOOK_SECRET" in incident.text
        stage.advance(60)
        hear(stage)
        stage.cycle()
        assert stage.incidents("webhooks:") == []

    @pytest.mark.parametrize(("number", "reason"), [(2, "wrong"), (50, "unsigned"), (50, "unreadable")])
    def test_a_few_and_a_strangers_unsigned_knocks_are_never_an_alert(
        self, stage: Rehearsal, number: int, reason: str
    ) -> None:
        refuse(stage, number, reason)
        stage.cycle()
        assert stage.incidents("webhooks:", closed=True) == []

    def test_what_we_asked_stripe_for_does_not_end_it(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.sell("ada")
        stage.cycle()
        refuse(stage, 3)
        stage.cycle()
        (invoice,) = stage.invoices()
        stage.advance(60)
        stage.bank.refund_by_hand(invoice.stripe_invoice_id, 100)
        stage.cycles(2)
        assert stage.incidents("refund:")  # it was learned of
        (incident,) = stage.incidents("webhooks:")
        assert "signatures" in incident.title

    def test_forgeries_between_genuine_ones_are_never_an_alert(self, stage: Rehearsal) -> None:
        refuse(stage, 50)
        stage.advance(60)
        hear(stage)
        stage.cycle()
        assert stage.incidents("webhooks:", closed=True) == []


def test_an_event_whose_work_fails_for_an_hour_is_told_until_it_is_done(stage: Rehearsal) -> None:
    stage.person("ada", "ignores")
    stage.sell("ada")
    stage.cycle()
    (invoice,) = stage.invoices()
    inbox.receive(stage.record, "stripe", "evt_2", "invoice.paid", {"invoice_id": invoice.stripe_invoice_id})
    away = True

    def fail(label: str) -> None:
        if away and label.startswith("stripe GET /v1/invoices"):
            raise ConnectionError("away")

    stage.exchange.before = fail
    stage.cycle()
    assert stage.incidents("webhooks:", closed=True) == []
    stage.advance(2 * HOUR)
    stage.cycle()
    (incident,) = stage.incidents("webhooks:")
    assert "wait for their work" in incident.title
    away = False
    stage.cycle()
    assert stage.incidents("webhooks:") == []


def pay_three(stage: Rehearsal) -> None:
    for name in ("ada", "ben", "cem"):
        stage.person(name)
    stage.sell("ada", "ben", "cem")
    stage.cycle()
    assert [one.status for one in stage.invoices()] == ["PAID"] * 3


class TestSilence:
    def test_three_payments_that_no_webhook_told_are_told(self, rehearse: Stage) -> None:
        stage = rehearse(WEBHOOK_PUBLIC_URL=PUBLIC)
        pay_three(stage)
        assert stage.incidents("webhooks:") == []  # Stripe may still be telling
        stage.advance(2 * HOUR)
        stage.cycle()
        (incident,) = stage.incidents("webhooks:")
        assert incident.title.startswith("3 payments in 24 hours")
        assert incident.cents == sum(one.paid_cents or 0 for one in stage.invoices())
        stage.cycles(5, apart=6 * HOUR)
        assert stage.incidents("webhooks:") == []  # a day later they are no news

    def test_a_refund_that_the_poll_alone_learned_of_does_not_end_it(self, rehearse: Stage) -> None:
        stage = rehearse(WEBHOOK_PUBLIC_URL=PUBLIC)
        pay_three(stage)
        stage.advance(2 * HOUR)
        stage.cycle()
        stage.bank.refund_by_hand(stage.invoices()[0].stripe_invoice_id, 100)
        stage.cycles(2)
        assert stage.incidents("refund:")
        (incident,) = stage.incidents("webhooks:")
        assert incident.title.startswith("3 payments in 24 hours")

    def test_two_are_never_an_alert(self, rehearse: Stage) -> None:
        stage = rehearse(WEBHOOK_PUBLIC_URL=PUBLIC)
        pay_three(stage)
        (first, *_) = stage.invoices()
        inbox.receive(stage.record, "stripe", "evt_3", "invoice.paid", {"invoice_id": first.stripe_invoice_id})
        stage.advance(2 * HOUR)
        stage.cycle()
        assert stage.incidents("webhooks:", closed=True) == []

    def test_where_no_webhook_is_expected_their_absence_is_never_an_alert(self, stage: Rehearsal) -> None:
        pay_three(stage)
        stage.advance(2 * HOUR)
        stage.cycle()
        assert stage.incidents("webhooks:", closed=True) == []
