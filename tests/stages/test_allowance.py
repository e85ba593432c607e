"""What CJ still allows is known between two readings too, and what it does not allow is not asked for."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from deployments.sandbox.faults import Fault
from tasks.clients.service import QuotaExhausted, ServiceUnavailable
from tasks.lots import cj_calls
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal

SEARCH, BALANCE = "/product/listV2", "/shopping/pay/getBalance"


def known(stage: Rehearsal, endpoint: str) -> int:
    with stage.record.read() as session:
        return next(one.allowed for one in cj_calls.allowances(session) if one.endpoint == endpoint)


def counted(stage: Rehearsal, **limits: int) -> None:
    stage.cj.options.quota, stage.cj.options.quota_type = "counts", 4
    stage.cj.options.quota_limits = limits


def test_points_that_ran_low_yesterday_do_not_stop_todays_sourcing(stage: Rehearsal) -> None:
    assert stage.source().is_completed()
    stage.cj.quota.set_points(60)
    assert stage.source("desk lamp").name == "Stopped"
    stage.advance(DAY)
    assert stage.source("desk lamp").is_completed()


def test_a_first_run_without_points_for_a_search_is_stopped_before_it(stage: Rehearsal) -> None:
    stage.cj.quota.set_points(40)
    assert stage.source().name == "Stopped"
    assert stage.calls("cj", f"GET {SEARCH}") == 0


@pytest.mark.parametrize("fault", ["", "timeout_after", "500_after", "reset_after", "garbage"])
def test_an_allowance_that_was_told_goes_down_with_every_call_answered_or_not(stage: Rehearsal, fault: str) -> None:
    counted(stage, **{BALANCE: 300})
    assert stage.source().is_completed()
    before = known(stage, BALANCE)
    if fault:
        stage.world.faults.plan(Fault("cj", f"GET {BALANCE}", fault))
    with pytest.raises(ServiceUnavailable) if fault else nullcontext():
        stage.desk.cj.balance()
    assert known(stage, BALANCE) == before - 1 == 300 - stage.cj.quota.requested[BALANCE]


@pytest.mark.parametrize(("quota", "readings"), [("points", 4), ("silent", 1)])
def test_how_much_is_left_is_asked_each_hour_and_of_an_account_that_tells_nothing_each_day(
    stage: Rehearsal, quota: str, readings: int
) -> None:
    stage.cj.options.quota = quota
    assert stage.source().is_completed()
    stage.advance(DAY)
    before = stage.calls("cj", "GET /setting/get")
    stage.cycles(4, apart=HOUR)
    assert stage.calls("cj", "GET /setting/get") == before + readings


def test_what_is_used_up_is_not_asked_for_until_cj_tells_of_more(stage: Rehearsal) -> None:
    counted(stage, **{BALANCE: 0})
    with pytest.raises(QuotaExhausted):  # nobody has told us yet
        stage.desk.cj.balance()
    for _ in range(3):
        with pytest.raises(QuotaExhausted):
            stage.desk.cj.balance()
    assert stage.calls("cj", f"GET {BALANCE}") == 1
    stage.advance(HOUR)  # its period may be over by now: what was told is too old to hold
    stage.cj.options.quota_limits = {}
    stage.desk.cj.balance()


def test_points_that_one_endpoint_spent_are_missed_by_the_others(stage: Rehearsal) -> None:
    (lot_id,) = stage.sell("")
    vid = stage.lot(lot_id).cj_vid
    stage.cj.quota.set_points(55)
    stage.desk.cj.variant(vid)
    with pytest.raises(QuotaExhausted):
        stage.desk.cj.search("desk lamp")
    assert stage.calls("cj", f"GET {SEARCH}") == 1


def test_a_lot_waits_for_the_days_quota_and_is_bought_then(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot_id,) = stage.sell("ada")
    counted(stage, **{"/shopping/order/createOrderV2": 0})
    for _ in range(6):
        stage.cycle()
        stage.advance(HOUR / 6)
    assert stage.status(lot_id) == "PAID"
    assert stage.calls("cj", "POST /shopping/order/createOrderV2") <= 1
    stage.cj.options.quota_limits = {}
    stage.cycles(3)
    assert stage.status(lot_id) == "CJ_PAID"
    assert len(stage.cj.orders) == 1


def test_a_quota_that_was_critical_and_cannot_be_read_now_stops_sourcing(stage: Rehearsal) -> None:
    counted(stage, **{SEARCH: 90})
    assert stage.source().name == "Stopped"
    stage.world.faults.plan(Fault("cj", "GET /setting/get", "500_before", times=9))
    state = stage.source()
    assert (state.name, stage.calls("cj", f"GET {SEARCH}")) == ("Stopped", 0)
    assert "could not be read" in state.message


def test_an_account_that_counts_calls_and_then_has_points_is_known_by_what_it_has(stage: Rehearsal) -> None:
    counted(stage, **{BALANCE: 300})
    assert stage.source().is_completed()
    assert known(stage, BALANCE) <= 300
    stage.cj.options.quota = "points"
    assert stage.source("desk lamp").is_completed()
    with stage.record.read() as session:
        regimes = {one.regime for one in cj_calls.allowances(session)}
    assert "day" not in regimes
    assert cj_calls.POINTS in regimes
    stage.cj.options.quota = "counts"
    stage.advance(DAY)
    assert stage.source("usb hub").is_completed()
    before = known(stage, BALANCE)
    stage.desk.cj.balance()  # by a process that was told of points once
    assert known(stage, BALANCE) == before - 1
