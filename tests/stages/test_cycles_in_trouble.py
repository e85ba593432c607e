"""W5, W6: a vendor hangs, two cycles meet, and a killed one leaves its lease behind."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from tasks import letters
from tasks.clients.service import ServiceUnavailable
from tasks.cycling import ABSENCES, AT_ONCE, Cycle
from tasks.desk import CALL_DEADLINE_SECONDS, sockets
from tasks.lots import setbacks
from tasks.lots.records import Setback
from tasks.notifying.mails import mails_waiting, send_mail
from tasks.retrying import ACTING, task
from tests.simulation.lines import PATIENCE_SECONDS, NoAnswer
from tests.simulation.rehearsal import BEGINNING, CYCLE_SECONDS, HOUR, Rehearsal
from tests.stages.test_fulfilment import CREATE, PAY


def test_lots_that_are_never_answered_keep_no_other_waiting(stage: Rehearsal) -> None:
    """B11, W5: a whole batch of them at the head of the queue, which a stage takes for a vendor that is away."""
    stage.person("ada")
    (first,) = stage.sell("ada")
    *silent, healthy = stage.stock_up(first, AT_ONCE + 1)
    stage.cj.set_stock(stage.lot(first).cj_vid, stage.lot(first).from_country, 100)
    numbers = [stage.record.known_as(f"HS-{lot}").encode() for lot in silent]

    def unanswered(label: str) -> None:
        asking = stage.exchange.asking
        if label == f"cj {CREATE}" and asking and any(one in asking.body for one in numbers):
            stage.advance(PATIENCE_SECONDS)
            raise NoAnswer(label)

    stage.exchange.before = unanswered
    stage.cycles(2)
    assert stage.status(healthy) == "CJ_PAID"
    assert {stage.status(lot) for lot in silent} == {"PAID"}
    stage.exchange.before = lambda _: None
    stage.cycles(2)
    assert {stage.status(lot) for lot in silent} == {"CJ_PAID"}
    with stage.record.read() as session:
        assert setbacks.known(session, "fulfil") == {}


def test_a_lot_that_is_never_answered_costs_the_others_some_time_in_a_few_cycles_and_then_nothing(
    stage: Rehearsal,
) -> None:
    """B11: known for what it is, it comes when all the stages are done."""
    stage.person("ada")
    stage.person("dov", "no_card", pays_after=(setbacks.OFTEN - 0.5) * HOUR)
    stage.sell("ada", "ada", "dov")
    calls: list[str] = []

    def unanswered(label: str) -> None:
        asking = stage.exchange.asking
        is_poison = label == f"cj {CREATE}" and asking is not None and number in asking.body
        calls.append("silence" if is_poison else label)
        if is_poison:
            stage.advance(PATIENCE_SECONDS)
            raise NoAnswer(label)

    number = stage.record.known_as(f"HS-{stage.lots()[0].id}").encode()
    stage.exchange.before = unanswered
    stage.cycle()
    assert calls.index("silence") < calls.index(f"cj {PAY}"), "nobody knows it yet"
    for _ in range(setbacks.OFTEN):
        stage.advance(HOUR)
        calls.clear()
        stage.cycle()
    assert f"cj {PAY}" in calls
    assert calls.index("silence") == len(calls) - 1


def test_what_was_put_off_gets_its_turn_though_every_cycle_spends_its_time_on_others(stage: Rehearsal) -> None:
    """A refund that was not answered three times is not forgotten by a shop that is always busy."""
    tried: list[datetime] = []

    @task(**ACTING)
    def refund(lot_id: int) -> str:
        tried.append(stage.clock.at)
        raise ServiceUnavailable("Stripe", "credit", "no answer")

    @task(**ACTING)
    def be_busy(number: int) -> str:
        stage.advance(stage.settings.process_budget_seconds)
        return "done"

    while stage.clock.at < BEGINNING + 3 * setbacks.LONGEST:
        cycle = Cycle(puts_off=True)
        cycle.stage("refund", lambda: [7], refund)
        cycle.stage("pay", lambda: [8], be_busy)
        cycle.put_off_work()
        stage.advance(CYCLE_SECONDS - stage.settings.process_budget_seconds)
    waits = [(later - earlier) / setbacks.LONGEST for earlier, later in pairwise(tried)]
    assert len(waits) == setbacks.OFTEN + 1
    assert max(waits) == 1.0


def test_where_resend_hangs_a_cycle_asks_it_a_few_times_and_those_mails_come_last(stage: Rehearsal) -> None:
    """W5: a mail that does not go fails no stage, so that nothing else bounds them."""
    stage.person("ada")
    stage.sell(*["ada"] * 5)
    stage.cj.options.ship_after_seconds = stage.cj.options.deliver_after_seconds = HOUR
    stage.world.faults.plan(Fault("resend", "*", "timeout_before", times=10**6))
    stage.cycles(4, apart=2 * HOUR)
    waiting = [key for keys in mails_waiting() for key in keys]
    assert len(waiting) > 2 * ABSENCES
    began = stage.clock.at
    send_mail.fn(waiting)
    assert (stage.clock.at - began).total_seconds() == ABSENCES * PATIENCE_SECONDS
    tried = {key for key in waiting if stage.effect(key).attempts}
    assert {key for keys in mails_waiting() for key in keys[-len(tried) :]} == tried
    stage.world.faults.clear()
    stage.cycles(2)
    assert stage.unsettled() == []


def test_mails_that_resend_never_answers_keep_no_other_that_it_once_did_not_answer_from_going_out(
    stage: Rehearsal,
) -> None:
    """So many of them end the batch; whoever comes behind them each time would be given up after a day."""
    *silent, healthy = [f"b{number}@demo.invalid" for number in range(ABSENCES + 1)]
    with stage.record.write() as session:
        for number, to in enumerate((*silent, healthy)):
            letters.post(session, "order_delivered", f"lot-{number}", to=to, facts={"name": "Ada", "title": "a lamp"})

    def unanswered(label: str) -> None:
        asking = stage.exchange.asking
        if label.startswith("resend") and asking and any(one.encode() in asking.body for one in never):
            raise NoAnswer(label)

    stage.exchange.before, never = unanswered, [healthy]
    assert send_mail.fn([f"mail:order_delivered:lot-{ABSENCES}:1"]).number == 0  # it had its hiccup
    never = silent
    stage.cycles(4)
    assert [mail.to for mail in stage.mails()] == [(healthy,)]


@pytest.mark.parametrize("vendor", ["cj", "basta", "stripe", "resend"])
def test_a_vendor_that_hangs_costs_the_cycle_its_budget_and_no_more(stage: Rehearsal, vendor: str) -> None:
    """W5: every call of it hangs, in a cycle with work for all stages."""
    names = [f"b{number}" for number in range(5)]
    for name in names:
        stage.person(name)
    lots = stage.sell(*names)
    stage.world.faults.plan(Fault(vendor, "*", "timeout_before", times=10**6))
    began = stage.clock.at
    stage.cycle()
    assert (stage.clock.at - began).total_seconds() <= stage.settings.process_budget_seconds + 8 * PATIENCE_SECONDS
    stage.world.faults.clear()
    stage.cycles(5)
    assert {stage.status(lot) for lot in lots} == {"CJ_PAID"}
    assert len(stage.cj.orders) == 5


@pytest.mark.parametrize("vendor", ["cj", "basta", "stripe"])
def test_two_cycles_after_a_vendor_is_back_all_is_done_and_nobody_is_known_as_silent(
    stage: Rehearsal, vendor: str
) -> None:
    """Everybody was put off, as if each were poison."""
    stage.person("ada")
    stage.person("bob")
    lots = stage.sell("ada", "bob", "ada")
    stage.world.faults.plan(Fault(vendor, "*", "500_before", times=10**6))
    stage.cycles(setbacks.OFTEN + 2)
    with stage.record.read() as session:
        assert any(setbacks.is_put_off(one) for one in session.scalars(select(Setback)))
    stage.world.faults.clear()
    stage.cycles(2)
    assert {stage.status(lot) for lot in lots} == {"CJ_PAID"}
    stage.advance(HOUR)  # CJ's allowance is read again
    stage.cycle()
    with stage.record.read() as session:
        assert session.scalars(select(Setback)).all() == []


def test_forty_lots_do_not_wait_forty_times_for_a_vendor_that_hangs(stage: Rehearsal) -> None:
    """W5."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.stock_up(lot, 40)
    stage.world.faults.plan(Fault("cj", "*", "timeout_before", times=10**6))
    began = stage.clock.at
    stage.cycle()
    assert (stage.clock.at - began).total_seconds() <= stage.settings.process_budget_seconds + 8 * PATIENCE_SECONDS


@pytest.mark.parametrize("slow", ["basta createItemForSale", "cj GET /product/listV2"])
def test_a_sourcing_run_that_spent_its_time_takes_no_new_work_and_the_same_call_finishes_it(
    stage: Rehearsal, slow: str
) -> None:
    def dawdle(label: str) -> None:
        if label == slow:
            stage.exchange.before = lambda _: None
            stage.advance(stage.settings.source_budget_seconds)

    stage.exchange.before = dawdle
    with pytest.raises(RuntimeError, match="is not finished: the same command goes on with it"):
        stage.source(products=2)
    assert all(sale.status == "UNPUBLISHED" for sale in stage.house.sales.values())
    assert stage.calls("images", "GET picture") == 0
    assert stage.source(products=2).is_completed()
    (sale,) = stage.house.sales.values()
    assert sale.status == "PUBLISHED"
    assert len(sale.items) == len(stage.lots()) == 2


def test_every_line_to_the_outside_has_a_deadline(stage: Rehearsal) -> None:
    """W5: the lease of an effect is longer than its call can be."""
    with sockets() as line:
        limits = line.timeout
        assert None not in (limits.connect, limits.read, limits.write, limits.pool)
        assert (limits.connect or 0) + (limits.read or 0) <= CALL_DEADLINE_SECONDS
    assert isinstance(line, httpx.Client)


def test_a_second_cycle_does_not_start_while_one_runs(stage: Rehearsal) -> None:
    """W6: another is started at the first one's every call."""
    stage.person("ada")
    (lot,) = stage.sell("ada")
    ends: list[Any] = []

    def another(_: str) -> None:
        before = len(stage.world.calls)
        ends.append(stage.cycle())
        assert len(stage.world.calls) == before

    stage.exchange.before = another
    assert stage.cycle().name != "Skipped"
    assert len(ends) > 10
    assert {(state.name, state.is_cancelled()) for state in ends} == {("Skipped", True)}
    assert "already being run" in ends[0].message
    assert stage.status(lot) == "CJ_PAID"
    assert len(stage.cj.orders) == 1


def test_a_cycle_that_was_killed_blocks_the_next_ones_for_its_lease_only(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W6: the dead give nothing back."""
    from tasks.lots import leases

    stage.person("ada")
    (lot,) = stage.sell("ada")

    def kill(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dead:
        dead.setattr(leases, "give_back", lambda *_: None)
        stage.exchange.before = kill
        with pytest.raises(KeyboardInterrupt):
            stage.cycle()
    stage.exchange.before = lambda _: None
    assert stage.cycle().name == "Skipped"
    stage.advance(HOUR / 4)
    assert stage.cycle().name != "Skipped"
    assert stage.status(lot) == "CJ_PAID"
