"""A question to a person: asked once, answered once, bounded by its amount, and ended by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks import approving
from tasks.lots import approvals
from tasks.lots.records import Approval
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.conftest import Stage
from tests.stages.test_refunding import refunds, share


def ask(stage: Rehearsal, **more: Any) -> Approval:
    given: dict[str, Any] = {"kind": "cost", "question": "May I?", "reason": "It is dear.", "amount_cents": 8_000}
    with stage.record.write() as session:
        return approvals.ask(session, "cost:x", facts={}, lasts=timedelta(hours=24), **{**given, **more})


def questions(stage: Rehearsal) -> list[Approval]:
    with stage.record.read() as session:
        return approvals.open_ones(session)


def answer(stage: Rehearsal, yes: bool, cents: int | None = None) -> None:
    (row,) = questions(stage)
    assert approving.decide(stage.desk, row.id, yes, "the operator", cents)


def test_the_first_answer_counts_and_a_yes_is_used_once(stage: Rehearsal) -> None:
    row = ask(stage)
    assert ask(stage).id == row.id
    assert approving.decide(stage.desk, row.id, True, "a form", 6_000)
    assert not approving.decide(stage.desk, row.id, False, "a terminal")
    assert approving.question(row.id).outcome == "yes, up to $60.00, by a form"
    with stage.record.write() as session:
        assert approvals.use(session, row.id)
        assert not approvals.use(session, row.id)
    assert ask(stage).id != row.id


@pytest.mark.parametrize("cents", [0, -1, 8_001])
def test_more_than_was_asked_for_or_nothing_cannot_be_granted(stage: Rehearsal, cents: int) -> None:
    row = ask(stage)
    with pytest.raises(approvals.WrongAmount, match=r"at most \$80\.00"):
        approving.decide(stage.desk, row.id, True, "a form", cents)
    assert [one.id for one in questions(stage)] == [row.id]


def test_nobodys_answer_is_a_no_and_alarms_nobody(stage: Rehearsal) -> None:
    row = ask(stage)
    stage.cycle()
    told = len(stage.sink.posts)
    assert "May I?" in stage.sink.posts[-1].text
    assert f"pipeline approvals answer {row.id} --yes" in stage.sink.posts[-1].text
    stage.advance(24 * HOUR)
    assert not approving.decide(stage.desk, row.id, True, "a form that came late")
    stage.cycles(3)
    assert approving.question(row.id).outcome == "no, by nobody, in time"
    assert len(stage.sink.posts) == told
    assert not stage.incidents()


def test_a_yes_that_nobody_used_expires(stage: Rehearsal) -> None:
    row = ask(stage)
    answer(stage, True)
    stage.advance(24 * HOUR)
    with stage.record.write() as session:
        assert not approvals.use(session, row.id)


def test_the_days_cap_is_asked_for_once_for_all_that_waits_and_a_yes_lets_so_much_go(rehearse: Stage) -> None:
    stage = rehearse(DAILY_SPEND_CAP_USD="1")
    stage.person("ada")
    lots = stage.sell("ada", "ada", "ada")
    stage.cycles(3)
    (row,) = questions(stage)
    assert row.facts["lots"] == lots
    assert row.amount_cents == sum(stage.lot(lot).cj_amount_cents or 0 for lot in lots)
    assert {stage.lot(lot).hold_reason for lot in lots} == {"daily cap"}
    first = stage.lot(lots[0]).cj_amount_cents or 0
    answer(stage, True, first)
    stage.cycles(2)
    assert [str(stage.status(lot)) for lot in lots] == ["CJ_PAID", "CJ_ORDERED", "CJ_ORDERED"]
    (more,) = questions(stage)
    assert more.facts["lots"] == lots[1:], "what was not granted is asked for again, once"
    answer(stage, True)
    stage.cycle()
    assert {str(stage.status(lot)) for lot in lots} == {"CJ_PAID"}


def test_a_no_to_the_days_cap_waits_for_tomorrow_and_nobody_is_asked_again_today(rehearse: Stage) -> None:
    stage = rehearse(DAILY_SPEND_CAP_USD="1")
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    answer(stage, False)
    stage.cycles(3)
    assert questions(stage) == []
    assert str(stage.status(lot)) == "CJ_ORDERED"
    stage.advance(DAY)
    stage.cycle()
    assert len(questions(stage)) == 1, "tomorrow is another day"


def undeliverable(stage: Rehearsal, number: int) -> list[int]:
    stage.person("ada")
    lots = stage.sell(*["ada"] * number)
    for lot in lots:
        stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycles(2)
    return lots


def test_refunds_below_the_limit_ask_nobody(rehearse: Stage) -> None:
    stage = rehearse(REFUND_BATCH_LIMIT_USD="10000")
    undeliverable(stage, 2)
    stage.cycle()
    assert len(refunds(stage)) == 2
    assert questions(stage) == []


def test_a_refund_batch_above_its_limit_waits_whole_for_a_yes_and_is_then_made_once(rehearse: Stage) -> None:
    stage = rehearse(REFUND_BATCH_LIMIT_USD="1")
    lots = undeliverable(stage, 3)
    stage.cycles(3)
    assert refunds(stage) == []
    (row,) = questions(stage)
    assert row.amount_cents == sum(share(stage, lot) for lot in lots)
    assert {stage.lot(lot).hold_reason for lot in lots} == {"refund batch"}
    stage.cycle(stage.lot(lots[0]).basta_sale_id)
    assert refunds(stage) == [], "a cycle of one sale judges the whole batch as well"
    answer(stage, True)
    stage.cycles(4)
    assert refunds(stage) == [share(stage, lot) for lot in lots]
    assert {str(stage.status(lot)) for lot in lots} == {"CANCELLED"}
    assert "it went out of stock" in stage.mails("order_refunded")[0].text or "does not sell" in (
        stage.mails("order_refunded")[0].text
    )
    assert questions(stage) == []


def test_a_yes_for_less_refunds_no_more_than_that(rehearse: Stage) -> None:
    stage = rehearse(REFUND_BATCH_LIMIT_USD="1")
    lots = undeliverable(stage, 3)
    stage.cycle()
    answer(stage, True, share(stage, lots[0]) + share(stage, lots[1]))
    stage.cycles(4)
    assert refunds(stage) == [share(stage, lots[0]), share(stage, lots[1])]
    assert stage.lot(lots[2]).hold_reason == "refund batch"


def test_a_no_keeps_the_batch_until_it_stands_no_more_and_then_a_person_is_asked_anew(rehearse: Stage) -> None:
    stage = rehearse(REFUND_BATCH_LIMIT_USD="1")
    undeliverable(stage, 2)
    stage.cycle()
    answer(stage, False)
    stage.cycles(3)
    assert (refunds(stage), questions(stage)) == ([], [])
    stage.advance(DAY)
    stage.cycle()
    assert refunds(stage) == []
    assert len(questions(stage)) == 1


def test_a_dear_sourcing_run_of_a_deployment_asks_and_ends_without_failing(stage: Rehearsal) -> None:
    state = stage.source("phone stand", max_cost=80)
    assert (state.type, state.name) == ("CANCELLED", "AwaitingApproval")
    assert "Source 'phone stand' up to $80.00" in stage.sink.posts[-1].text
    answer(stage, True, 6_000)
    assert stage.source("phone stand", max_cost=80).is_completed()
    assert all(lot.landed_cents <= 6_000 for lot in stage.lots())
    assert stage.source("phone stand", max_cost=80).name == "AwaitingApproval", "a yes is used once"
