"""W8: everything off for 6 hours, for 2 days: on return one cycle, one sourcing run, no alert for each missed one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.guarding.running import AUTO_SCHEDULED
from tasks.lots import clock, inbox, leases
from tasks.lots.clock import now
from tasks.lots.models import Sale
from tasks.lots.records import FlowLease
from tasks.settings import Settings
from tests.conftest import HeldClock


def runs_of(flow: Any, due: list[datetime], **parameters: Any) -> list[Any]:
    """Start runs as a worker does after a night off: late, one after another, as the schedule made them."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled

    states = []
    with get_client(sync_client=True) as client:
        made = [
            client.create_flow_run(
                flow, parameters=parameters, tags=[AUTO_SCHEDULED], state=Scheduled(scheduled_time=one)
            )
            for one in due
        ]
    for run in made:
        states.append(run_flow(flow, flow_run=run, parameters=parameters, return_type="state"))
    return states


def test_of_the_cycles_that_six_hours_piled_up_one_does_the_work(world: World) -> None:
    from flows.processing import processing

    assert processing(return_state=True).is_completed()  # type: ignore[call-overload]
    with desk().record.write() as session:  # the last one before everything went off
        session.get_one(FlowLease, "processing").started_at = now() - timedelta(hours=6, minutes=10)
    late = [now() - timedelta(minutes=10 * one) for one in range(36, 0, -6)]
    names = [state.name for state in runs_of(processing, late)]
    assert names == ["Completed", *["Skipped"] * 5]
    assert runs_of(processing, [now() + timedelta(seconds=5)])[0].name == "Completed"  # the next one on time
    sink: Any = world.vendors["alerts"]
    assert sink.posts == []


def test_of_the_sourcing_runs_that_two_days_piled_up_one_sources(world: World) -> None:

    from flows.sourcing import sourcing

    late = [now() - timedelta(days=2), now() - timedelta(days=1)]
    states = runs_of(sourcing, late, keyword="phone stand", max_cost=45, max_products=1, publish=False, dry_run=False)
    assert [state.name for state in states] == ["Completed", "Skipped"]
    with desk().record.read() as session:
        assert len(list(session.scalars(select(Sale)))) == 1
    sink: Any = world.vendors["alerts"]
    assert sink.posts == []


def test_a_run_that_somebody_asks_for_is_never_taken_for_a_late_one(world: World) -> None:
    from flows.processing import processing

    assert [processing(return_state=True).name for _ in range(2)] == ["Completed"] * 2  # type: ignore[call-overload]


def test_a_night_waits_for_the_cycle_at_work_and_runs_one_of_its_own_then(world: World) -> None:
    from flows.reconciling import reconciling

    leases.take(desk().record, "processing", "another cycle", timedelta(seconds=3))
    began = now()
    (state,) = runs_of(reconciling, [began - timedelta(minutes=1)])
    assert (state.name, state.result()["clean"]) == ("Completed", True)
    assert state.message == "The books tie to the cent, and nothing is unknown."
    with desk().record.read() as session:
        cycle = session.get_one(FlowLease, "processing")
    assert cycle.runner != "another cycle"
    assert cycle.finished_at
    assert cycle.finished_at > began + timedelta(seconds=3)


def test_a_night_reads_from_the_end_of_its_own_cycle_what_that_did_not_look_at(world: World) -> None:
    """Whole, done in part, and refused as another one is at work: each as Prefect's engine gives it back."""
    from flows.processing import processing
    from flows.reconciling import reconciling

    def night() -> tuple[str, Any]:
        state = reconciling(return_state=True)  # type: ignore[call-overload]
        return state.name, state.result()["unlooked"]

    assert night() == ("Completed", None)
    inbox.receive(desk().record, "basta", "torn", "ItemsClosed", {})
    with desk().record.write() as session:
        session.execute(text("update inbox set payload = '{' where external_id = 'torn'"))  # nobody can read it
    assert processing(return_state=True).name == "PartiallyDone"  # type: ignore[call-overload]
    assert night() == ("NotKnownYet", "the cycle before it did not get through close, inbox: sales")
    held = HeldClock()
    held.at = now()
    with clock.held_by(held.now, held.advance):  # nobody waits a quarter of an hour for that other cycle
        leases.take(desk().record, "processing", "a slow cycle", timedelta(hours=1))
        name, why = night()
    assert (name, why.partition(":")[0]) == ("NotKnownYet", "another cycle is at work")
    assert "a slow cycle" in why


def test_an_outside_watcher_hears_of_each_finished_cycle_once_and_stops_nothing_when_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.processing import processing

    address = Settings.load().cj_api_url.split("/cj/")[0]
    monkeypatch.setenv("HEARTBEAT_URL", f"{address}/images/heartbeat")
    before = len(world.calls)
    processing(return_state=True)  # type: ignore[call-overload]
    assert len([call for call in world.calls[before:] if call.vendor == "images"]) == 1
    monkeypatch.setenv("HEARTBEAT_URL", "http://127.0.0.1:9/nobody")
    assert processing(return_state=True).is_completed()  # type: ignore[call-overload]
