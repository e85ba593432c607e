"""B1, B2, B10, B11, B13: calls that are lost, late or refused for ever, news in any overlap, and the day's cap."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from deployments.sandbox.cj import BUSY_WITH_ORDER, BUSY_WITHOUT_ORDER, EMPTY_WITH_ORDER
from deployments.sandbox.faults import KINDS, Fault
from tasks import collecting, handling
from tests.simulation import poison
from tests.simulation.promises import broken
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_fulfilment import BOUGHT, CONFIRM, CREATE, DELETE, PAY, only_one, sold
from tests.stages.test_refunding import give_back


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_to_the_creation_there_is_one_order_found_again_by_its_number(
    stage: Rehearsal, kind: str
) -> None:
    """B1."""
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", CREATE, kind))
    stage.cycles(4)
    assert stage.world.faults.planned[0].seen >= 1
    assert stage.status(lot) == "CJ_PAID"
    assert [order.number for order in stage.cj.orders] == [stage.record.known_as(f"HS-{lot}")]
    only_one(stage)


@pytest.mark.parametrize("lie", [BUSY_WITH_ORDER, BUSY_WITHOUT_ORDER, EMPTY_WITH_ORDER])
def test_a_creation_whose_answer_lies_makes_one_order(stage: Rehearsal, lie: str) -> None:
    """B1."""
    lot = sold(stage)
    stage.cj.options.create_lies = [lie]
    stage.cycles(4)
    assert stage.status(lot) == "CJ_PAID"
    only_one(stage)


@pytest.mark.parametrize("minutes", [3, 15, 45])
@pytest.mark.parametrize("call", [CREATE, CONFIRM, PAY])
def test_a_call_that_takes_effect_minutes_after_we_gave_up_is_found_and_nothing_happens_twice(
    stage: Rehearsal, call: str, minutes: int
) -> None:
    """B13."""
    lot = sold(stage)
    stage.world.faults.plan(Fault("cj", call, "late", effect_after=60.0 * minutes))
    stage.cycles(9)
    assert stage.world.faults.planned[0].seen >= 1
    assert stage.status(lot) == "CJ_PAID"
    only_one(stage)


@pytest.mark.parametrize("copies", [1, 2])
def test_invoice_paid_told_in_any_overlap_with_the_poll_brings_one_order_and_one_basta_payment(
    stage: Rehearsal, copies: int
) -> None:
    """B2: another worker hears of it, and does all the work, at each call that the first one makes."""
    stage.listen("doubled" if copies == 2 else "normal")
    stage.person("ada", "no_card", pays_after=10**7)
    lots = stage.sell("ada", "ada")
    stage.cycle()
    (ours,) = stage.invoices()
    overlaps = 0

    def meanwhile(label: str) -> None:
        nonlocal overlaps
        if label.startswith("stripe GET") and overlaps < 20:
            overlaps += 1
            stage.exchange.after = lambda _: None
            assert stage.courier
            stage.courier.deliver()
            collecting.collect(ours.id)
            stage.exchange.after = meanwhile

    stage.bank.pay_by_hand(ours.stripe_invoice_id)
    stage.exchange.after = meanwhile
    stage.cycles(3)
    assert overlaps > 3
    assert [stage.status(lot) for lot in lots] == ["CJ_PAID", "CJ_PAID"]
    assert stage.calls("basta", "createPayment") == 1
    assert len(stage.cj.orders) == len({order.number for order in stage.cj.orders}) == 2
    assert len(stage.mails("payment_received")) == 1


class TestTheDailyCap:
    """B10."""

    def test_what_does_not_fit_today_is_paid_tomorrow_and_no_day_spends_more(
        self, rehearse: Callable[..., Rehearsal]
    ) -> None:
        stage = rehearse(DAILY_SPEND_CAP_USD="25")
        stage.person("ada")
        lots = stage.sell("ada", "ada", "ada")
        stage.cycles(3)
        assert [stage.status(lot) for lot in lots].count("CJ_ORDERED") >= 1
        stage.cycles(12, apart=6 * HOUR)
        assert all(stage.life(lot)[3:7] == BOUGHT for lot in lots)
        days = Counter[str]()
        for one in stage.cj.payments:
            days[f"{one.at:%d}"] -= one.cents if one.kind == "pay" else 0
        assert max(days.values()) <= 2_500
        assert len([day for day, cents in days.items() if cents]) > 1

    def test_spend_never_passes_it_while_refunds_and_polling_go_on(self, rehearse: Callable[..., Rehearsal]) -> None:
        stage = rehearse(DAILY_SPEND_CAP_USD="500", PROCESS_BUDGET_SECONDS="100000")
        stage.cj.options.ship_after_seconds = 2 * HOUR
        stage.cj.set_balance(10**7)
        first = sold(stage)
        lots = stage.stock_up(first, 100)
        for country in ("CN", "US"):
            stage.cj.set_stock(stage.lot(first).cj_vid, country, 1_000)
        stage.cycle()
        held = [lot.id for lot in stage.lots() if lot.hold_reason == "daily cap"]
        assert held
        assert len(held) < len(lots) == 100
        assert stage.cj.orders
        back = next(lot.id for lot in stage.lots() if lot.status == "CJ_ORDERED")
        stage.cj.cancel_order(stage.lot(back).cj_order_number)
        stage.cycles(2, apart=3 * HOUR)
        assert stage.lot(back).refund_status in ("PENDING", "SUCCEEDED")
        assert "SHIPPED" in {lot.status for lot in stage.lots()}
        stage.advance(DAY)
        stage.cycle()
        days: dict[Any, int] = defaultdict(int)
        for one in stage.cj.payments:
            days[one.at.date()] -= one.cents if one.kind == "pay" else 0
        spent = [cents for cents in days.values() if cents]
        assert len(spent) == 2
        assert 0 < min(spent) <= max(spent) <= 50_000


#: So little time for each cycle that ten lots need some; with 100 s, silence does not spend it by itself.
SMALL: dict[str, Any] = {"buyers": 2, "budget": 100.0, "parcels": 900.0, "most": 20}


@cache
def places() -> list[poison.Place]:
    return poison.places((poison.BOUGHT, poison.DEAR))


@cache
def healthy(fate: str) -> poison.Needed:
    return poison.needed(10, None, fate=fate, **SMALL)


class TestOneLotIsRefusedForEver:
    """B11: the others finish as if it were not there."""

    @pytest.mark.parametrize(
        ("fate", "call", "manner"),
        [
            (poison.BOUGHT, CREATE, poison.REFUSED),
            (poison.BOUGHT, PAY, poison.REFUSED),
            (poison.DEAR, DELETE, poison.SILENT),
        ],
    )
    def test_the_others_need_the_same_cycles_with_it_and_without_it(self, fate: str, call: str, manner: str) -> None:
        """Ten lots, whose purchase takes some cycles; of a thousand, at each call: `simulation poison`."""
        place = next(one for one in places() if (one.fate, one.call) == (fate, f"cj {call}"))
        came = poison.needed(10, place, manner=manner, **SMALL)
        assert came.poisoned in ("PAID", "CJ_ORDERED")
        assert came.cycles == healthy(fate).cycles

    def test_where_a_lot_can_be_poisoned_is_found_by_running(self) -> None:
        found = {one.call for one in places()}
        assert found >= {f"cj {call}" for call in (CREATE, CONFIRM, PAY, DELETE)}
        assert found >= {"stripe POST /v1/invoices/{id}/pay", "stripe POST /v1/credit_notes", "resend POST /emails"}

    def among(self, stage: Rehearsal, path: str) -> tuple[int, list[int]]:
        """One of two whose call is refused whenever it is made."""
        unlucky = sold(stage)
        others = stage.stock_up(unlucky, 2)[1:]
        for country in ("CN", "US"):
            stage.cj.set_stock(stage.lot(unlucky).cj_vid, country, 1_000)
        poison.refuse(stage, unlucky, path)
        return unlucky, others

    def test_without_an_order_it_is_refunded_after_the_retry_days(self, stage: Rehearsal) -> None:
        unlucky, others = self.among(stage, "/shopping/order/createOrderV2")
        stage.cycle()
        assert [stage.status(lot) for lot in others] == ["CJ_PAID"]
        assert stage.status(unlucky) == "PAID"
        stage.cycles(7, apart=DAY)
        assert stage.status(unlucky) == "CANCELLED"
        assert stage.lot(unlucky).refund_status == "SUCCEEDED"
        assert len(stage.bank.store.refunds) == 1

    @pytest.mark.parametrize("path", ["/shopping/order/confirmOrder", "/shopping/pay/payBalance"])
    def test_with_an_order_that_lives_a_person_is_asked_and_nothing_is_refunded(
        self, stage: Rehearsal, path: str
    ) -> None:
        unlucky, others = self.among(stage, path)
        stage.cycle()
        assert [stage.status(lot) for lot in others] == ["CJ_PAID"]
        stage.cycles(7, apart=DAY / 2)
        assert stage.status(unlucky) in ("PAID", "CJ_ORDERED")
        assert stage.bank.store.refunds == {}
        asked = [one for one in stage.incidents() if one.lot_id == unlucky]
        assert asked
        give_back(stage, unlucky)
        stage.cycle()
        assert stage.bank.store.refunds == {}  # not even by command, while the order may live
        stage.cj.cancel_order(stage.record.known_as(f"HS-{unlucky}"))
        stage.until_quiet(apart=2 * DAY)
        assert stage.status(unlucky) == "CANCELLED"
        assert len(stage.bank.store.refunds) == 1
        assert broken(stage) == []


@pytest.mark.parametrize("ends", ["by a retry", "by cancelling"])
def test_an_order_that_cj_does_not_confirm_is_a_persons_and_is_confirmed_or_given_back_once(
    stage: Rehearsal, ends: str
) -> None:
    lot = sold(stage)
    stage.exchange.scripted.append((f"cj {CONFIRM}", poison.NOES["cj"]))
    stage.cycles(2)
    assert (stage.status(lot), stage.lot(lot).hold_reason) == ("PAID", "not confirmed")
    (incident,) = stage.incidents()
    assert (incident.cents, incident.command) == (stage.lot(lot).cj_amount_cents, f"pipeline lot retry {lot}")
    assert poison.NO in incident.text
    if ends == "by a retry":
        handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    else:
        handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
    stage.cycles(2)
    assert stage.status(lot) == ("CJ_PAID" if ends == "by a retry" else "CANCELLED")
    assert stage.calls("cj", CONFIRM) == stage.calls("cj", PAY) == (1 if ends == "by a retry" else 0)
    assert stage.incidents() == []
