"""A key of ours that a vendor refuses is no answer about a lot: all waits, the operator is told, and it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.sandbox.wire import Reply
from tasks.lots.states import LotStatus
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal


def told(stage: Rehearsal) -> list[str]:
    return [post.text.split("\n")[0] for post in stage.sink.posts]


def test_a_refused_key_at_basta_leaves_a_closed_sale_as_it_is_until_it_works(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    basta: Any = stage.world.vendors["basta"]
    right, basta.options.api_key = basta.options.api_key, "another"
    stage.cycles(2, apart=HOUR)
    assert stage.status(lot) is LotStatus.PUBLISHED
    assert told(stage)[0] == "[CRITICAL] Basta refuses our key"
    basta.options.api_key = right
    stage.until_quiet()
    assert stage.status(lot) is LotStatus.DELIVERED
    assert "[CRITICAL] OVER Basta refuses our key" in told(stage)


def test_a_refused_login_at_cj_refunds_nobody_however_long_it_lasts(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.settings.token_path.unlink()
    stage.cj.options.api_key = "another"
    for _ in range(5):  # past the days after which a refused order is refunded
        stage.cycle()
        stage.advance(DAY)
    assert stage.status(lot) is LotStatus.PAID
    assert stage.lot(lot).refund_status is None
    stage.cj.options.api_key = ""
    stage.until_quiet()
    assert stage.status(lot) is LotStatus.DELIVERED
    assert len(stage.cj.orders) == 1


def test_an_account_that_cj_suspends_refunds_nobody_however_long_it_lasts(stage: Rehearsal) -> None:
    """CJ says of every call what is wrong with us; it says nothing of the goods."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    suspended = {"code": 1600005, "result": False, "message": "The account is suspended", "data": None}

    def refuse(label: str) -> None:
        if label.startswith("cj "):
            stage.exchange.scripted.append((label, Reply.of(suspended)))

    stage.exchange.before = refuse
    for _ in range(5):  # past the days after which a refused order is refunded
        stage.cycle()
        stage.advance(DAY)
    assert stage.status(lot) is LotStatus.PAID
    assert stage.lot(lot).refund_status is None
    assert "[CRITICAL] CJ refuses our login" in told(stage)
    stage.exchange.before = lambda _: None
    stage.until_quiet()
    assert stage.status(lot) is LotStatus.DELIVERED
    assert "[CRITICAL] OVER CJ refuses our login" in told(stage)


def test_a_refused_key_at_stripe_bills_nobody_and_then_once(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    bank: Any = stage.bank
    right, bank.options.accepts = bank.options.accepts, ("sk_other",)
    stage.cycles(2, apart=HOUR)
    assert stage.status(lot) is LotStatus.AUCTION_CLOSED
    assert told(stage) == ["[CRITICAL] Stripe refuses our key"]
    bank.options.accepts = right
    stage.until_quiet()
    assert stage.status(lot) is LotStatus.DELIVERED
    assert len(bank.store.invoices) == 1
    assert "[CRITICAL] OVER Stripe refuses our key" in told(stage)


@pytest.mark.parametrize("hours", [1, 30], ids=["within a day", "after more than a day"])
def test_mails_wait_for_the_right_key_and_then_go_once(stage: Rehearsal, hours: int) -> None:
    stage.person("ada")
    stage.sell("ada")
    right, stage.post.accepts = stage.post.accepts, "re_other"
    stage.cycle()
    assert stage.mails() == []
    assert "[CRITICAL] Resend refuses our key" in told(stage)
    stage.advance(hours * HOUR)
    stage.post.accepts = right
    stage.until_quiet()
    keys = [mail.key for mail in stage.mails()]
    assert len(keys) == len(set(keys))
    assert any(key.startswith("mail:auction_won") for key in keys)
