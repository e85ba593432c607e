"""Automations that do something rather than tell somebody. They are applied with or without an alert address."""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import Automation, ChangeFlowRunState, EventTrigger, Posture
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.events import ResourceSpecification

from deployments.automations.server import Server

#: Three heartbeats of 30 s: a run that misses them is dead, and must not hold its place for ever.
ZOMBIE_AFTER = timedelta(seconds=90)


def declared(server: Server) -> list[Automation]:
    """Every one of them. Those that need something the server has not, such as a deployment, are left out."""
    return [zombies()]


def zombies() -> Automation:
    """A run without a heartbeat is marked Crashed, which is an alert, and frees its place for the next one."""
    return Automation(
        name="zombies",
        description="A run without a heartbeat is dead: marked Crashed, so that the next one is not blocked",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE_AFTER,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message="No heartbeat")],
    )
