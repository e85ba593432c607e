"""A question becomes a suspended run with a typed form; form, terminal and clock answer it once."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from deployments.sandbox.world import World
from tasks import approving as stage
from tasks.desk import desk
from tasks.lots import approvals
from tasks.lots.records import Approval


@pytest.fixture
def deployed(world: World) -> None:
    """The deployments that a question may start; the test plays the worker."""
    from flows.approving import approving
    from flows.sourcing import sourcing

    approving.to_deployment("form").apply()
    sourcing.to_deployment("manual").apply()


def ask(kind: str = "spend", seconds: float = 600, **facts: Any) -> int:
    with desk().record.write() as session:
        row = approvals.ask(
            session,
            f"{kind}:test",
            kind=kind,
            question="Let today spend up to $80.00?",
            reason="Three lots wait.",
            amount_cents=8_000,
            facts=facts or {"lots": [1, 2, 3]},
            lasts=timedelta(seconds=seconds),
        )
        return row.id


def row(approval_id: int) -> Approval:
    with desk().record.read() as session:
        return session.get_one(Approval, approval_id)


def client() -> Any:
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def work(run_id: str) -> Any:
    """What a worker does with a run that is due; its state then."""
    from prefect.exceptions import Pause
    from prefect.flow_engine import run_flow

    from flows.approving import approving

    with client() as api:
        run = api.read_flow_run(UUID(run_id))
    with suppress(Pause):  # how a suspended run leaves its process
        run_flow(approving, flow_run=run, parameters=run.parameters, return_type="state")
    with client() as api:
        return api.read_flow_run(UUID(run_id)).state


def resume(run_id: str, **values: Any) -> tuple[str, str]:
    """Press Submit on the form."""
    with client() as api:
        answer = api._client.post(f"/flow_runs/{run_id}/resume", json={"run_input": values}).json()
    return answer["status"], answer["details"].get("reason") or ""


def runs() -> set[str]:
    with client() as api:
        return {str(run.id) for run in api.read_flow_runs()}


def opened(approval_id: int) -> str:
    before = runs()
    stage.ask_people()
    stage.ask_people()  # twice is one form
    run_id = row(approval_id).run_id
    assert run_id
    assert runs() - before == {run_id}
    return run_id


def test_a_form_takes_yes_or_no_and_an_amount_and_nothing_else(deployed: None) -> None:
    approval_id = ask()
    run_id = opened(approval_id)
    assert work(run_id).name == "Suspended"
    with client() as api:
        schema = api.read_flow_run_input(UUID(run_id), f"suspended-question-{approval_id}-schema")
        told = api.read_flow_run_input(UUID(run_id), f"suspended-question-{approval_id}-description")
    assert '"yes"' in str(schema.decode() if isinstance(schema, bytes) else schema)
    assert "Three lots wait." in str(told)
    assert "$80.00" in str(told)
    for wrong in ({"answer": "maybe"}, {"answer": "yes", "amount_usd": "much"}, {"answer": "yes", "amount_usd": 80.01}):
        status, reason = resume(run_id, **wrong)
        assert (status, bool(reason)) == ("REJECT", True)
    assert resume(run_id, answer="yes", amount_usd=60) == ("ACCEPT", "")
    state = work(run_id)
    assert state.is_completed()
    assert "yes, up to $60.00, by the form of" in state.message
    assert (row(approval_id).state, row(approval_id).granted_cents) == ("YES", 6_000)


def test_a_terminal_that_was_sooner_ends_the_form(deployed: None) -> None:
    approval_id = ask()
    run_id = opened(approval_id)
    assert work(run_id).name == "Suspended"
    assert stage.decide(desk(), approval_id, False, "a terminal")
    stage.ask_people()
    with client() as api:
        state = api.read_flow_run(UUID(run_id)).state
    assert state.is_completed()
    assert state.message == "no, by a terminal: answered elsewhere"


def test_silence_is_a_no_and_no_run_fails(deployed: None, world: World) -> None:
    approval_id = ask(seconds=3)
    run_id = opened(approval_id)
    assert work(run_id).name == "Suspended"
    time.sleep(3)
    stage.ask_people()
    with client() as api:
        states = [state.name for state in api.read_flow_run_states(UUID(run_id))]
    assert states[-1] == "Completed"
    assert not {"Failed", "Crashed", "TimedOut"} & set(states)
    assert (row(approval_id).state, row(approval_id).answered_by) == ("NO", approvals.NOBODY)


def test_a_yes_to_a_dear_run_starts_it_once(deployed: None) -> None:
    approval_id = ask("cost", keyword="usb hub", max_cost=80.0, max_products=2, publish=False)
    run_id = opened(approval_id)
    work(run_id)
    assert resume(run_id, answer="yes", amount_usd=80)[0] == "ACCEPT"
    assert "sourcing begins as" in work(run_id).message
    stage.begin_work(stage.question(approval_id))
    with client() as api:
        begun = [run.parameters for run in api.read_flow_runs() if run.parameters.get("keyword") == "usb hub"]
    assert [(one["max_cost"], one["max_products"]) for one in begun] == [(80.0, 2)]


@pytest.mark.parametrize(("flow", "dead"), [("processing", True), ("approving", False)])
def test_a_question_without_a_heartbeat_is_not_taken_for_a_dead_run(flow: str, dead: bool) -> None:
    from prefect.events.schemas.events import Event, RelatedResource, Resource

    from deployments.automations.acting import zombies

    trigger: Any = zombies().trigger
    named = {"prefect.resource.id": "prefect.flow.1", "prefect.resource.name": flow}
    heartbeat = Event(
        event="prefect.flow-run.heartbeat",
        resource=Resource({"prefect.resource.id": "prefect.flow-run.1"}),
        related=[RelatedResource({**named, "prefect.resource.role": "flow"})],
    )
    related = trigger.match_related
    assert trigger.match.matches(heartbeat.resource)
    assert any(related.matches(one) for one in heartbeat.related) is dead
