"""An effect whose end nobody knows is looked up before the books are compared, named, and ends no restore."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from prefect.states import Failed

from deployments.sandbox.faults import Fault
from flows.reconciling import look_and_compare
from tasks.lots import effects, leases, restored
from tasks.lots.models import Buyer
from tasks.reconciling import compare, conclude
from tests.simulation.rehearsal import HOUR, Rehearsal
from tests.stages.test_reversals import go_on, paid


def test_an_effect_that_stays_unknown_is_named(stage: Rehearsal) -> None:
    begin(stage)
    stage.advance(2 * HOUR)
    stage.world.faults.plan(Fault("stripe", "GET /v1/customers", "500_before", times=9))
    assert {(one.what.value, one.about) for one in stage.reconcile().findings} == {("unknown", "customer:77")}


@pytest.mark.parametrize("state", ["UNKNOWN", "IN_FLIGHT"])
def test_an_effect_that_is_unknown_since_a_moment_is_named_and_ends_no_restore(stage: Rehearsal, state: str) -> None:
    with stage.record.write() as session:
        restored.mark(session)
    begin(stage, state)
    report = stage.reconcile()
    assert report.findings == []
    assert [one.about for one in report.unknown_yet] == ["customer:77"]
    assert report.sentence() == "not known yet: customer:77."
    assert (report.clean, report.ends_as) == (False, "NotKnownYet")
    assert is_marked(stage)
    assert stage.incidents("reconcile:") == []  # a later look may tell: nobody is woken for it
    stage.advance(200)
    assert stage.reconcile().clean  # asked about again, it is proven absent
    assert not is_marked(stage)


def test_what_a_worker_does_at_this_moment_is_not_unknown_and_ends_no_restore_either(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        restored.mark(session)
        effect = effects.plan(session, "customer:77", {})
        effect.state, effect.attempts, effect.acted_at = "IN_FLIGHT", 1, stage.clock.at
        effect.owner, effect.lease_until = "another cycle", stage.clock.at + timedelta(minutes=1)
    report = compare()
    assert report.clean
    conclude(report)
    assert is_marked(stage)
    stage.advance(61)
    assert [one.about for one in compare().unknown_yet] == ["customer:77"]


def test_what_became_unknown_after_a_clean_comparison_ends_no_restore(stage: Rehearsal) -> None:
    with stage.record.write() as session:
        restored.mark(session)
    report = compare()
    with stage.record.write() as session:
        effects.plan(session, "customer:77", {})
    assert report.clean
    conclude(report)
    assert is_marked(stage)


def is_marked(stage: Rehearsal) -> bool:
    with stage.record.read() as session:
        return restored.since(session) is not None


def begin(stage: Rehearsal, state: str = "UNKNOWN") -> None:
    """An effect of which nobody knows the end, since this moment."""
    with stage.record.write() as session:
        session.add(Buyer(id=77, basta_user_id="u-77", name="Zoe", email="zoe@demo.invalid", created_at=stage.clock.at))
        effect = effects.plan(session, "customer:77", {})
        effect.state, effect.attempts, effect.acted_at = state, 1, stage.clock.at


class TestALookUpBeforeTheComparison:
    """Every unknown effect is asked about at its vendor before anything is compared, or the report says why not."""

    def test_a_cycle_that_is_at_work_is_waited_for_and_one_of_its_own_follows(
        self, stage: Rehearsal, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "dropship")
        paid(stage, "ada", webhooks=False)
        stage.world.faults.plan(Fault("cj", "POST /shopping/order/createOrderV2", "timeout_after"))
        go_on(stage)
        stage.cycle()
        assert stage.effect("cj-order:1").state == "UNKNOWN"
        leases.take(stage.record, "processing", "another cycle", timedelta(minutes=2))
        began = stage.clock.at
        report = stage.reconcile()
        assert timedelta(minutes=2) <= stage.clock.at - began < timedelta(minutes=3)
        assert "Another processing run is at work: its end is waited for" in caplog.text  # else it seems to hang
        assert stage.effect("cj-order:1").state == "ADOPTED"
        assert report.clean

    def test_one_that_goes_on_and_on_is_not_waited_for_for_ever(self, stage: Rehearsal) -> None:
        with stage.record.write() as session:
            restored.mark(session)
        leases.take(stage.record, "processing", "another cycle", timedelta(hours=2))
        began = stage.clock.at
        report = stage.reconcile()
        assert stage.clock.at - began < timedelta(minutes=15)
        assert report.findings == []
        assert report.sentence().startswith(
            "not every unknown effect could be asked about, as another cycle is at work: processing is already being"
        )
        assert (report.clean, report.facts()["clean"], report.ends_as) == (False, False, "NotKnownYet")
        assert is_marked(stage)

    def test_a_cycle_that_does_not_get_through_is_no_look_up(self, rehearse: Callable[..., Rehearsal]) -> None:
        stage = rehearse(PROCESS_BUDGET_SECONDS="1")
        paid(stage, "ada", webhooks=False)
        go_on(stage)
        with stage.record.write() as session:
            restored.mark(session)
        stage.exchange.after = lambda _: stage.advance(2)  # every call is slow
        report = stage.reconcile()
        assert report.unlooked
        assert report.unlooked.startswith("the cycle before it did not get through ")
        assert not report.clean
        assert is_marked(stage)

    def test_a_cycle_that_fails_is_no_look_up(self, stage: Rehearsal) -> None:
        report = look_and_compare(lambda: Failed(message="no room on the disk"))
        assert report.unlooked == "the cycle before it failed: no room on the disk"
        assert not report.clean
