"""Automations that do something rather than tell somebody. They are applied with or without an alert address."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.automations import Automation, ChangeFlowRunState, EventTrigger, Posture, RunDeployment
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.events import ResourceSpecification

from deployments.automations.server import Server
from deployments.waking import AUTOMATION, DEPLOYMENT, EVENT, PAUSE_SECONDS, RESOURCE

#: Three heartbeats of 30 s: a run that misses them is dead, and must not hold its place for ever.
ZOMBIE_AFTER = timedelta(seconds=90)
#: Less than the receiver's own pause, so that its second event is heard; several receivers count as one.
WAKE_ONCE_IN = timedelta(seconds=PAUSE_SECONDS - 5)
#: A suspended question has no process, and its last heartbeat may be told after it was suspended: it is not dead.
NOT_A_QUESTION = ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": "!approving"})


def declared(server: Server) -> list[Automation]:
    """Every one of them. Those that need something the server has not, such as a deployment, are left out."""
    processing = server.deployment_id(DEPLOYMENT)
    return [zombies()] if processing is None else [zombies(), wake(processing)]


def wake(processing: UUID) -> Automation:
    """A cycle begins soon after a webhook was stored.

    While one runs, the new run is cancelled at once: the running one reads the inbox once more before it ends.
    """
    return Automation(
        name=AUTOMATION,
        description="A verified webhook is in the inbox: one processing cycle, however many came",
        trigger=EventTrigger(
            expect={EVENT},
            match=ResourceSpecification({"prefect.resource.id": RESOURCE}),
            posture=Posture.Reactive,
            threshold=1,
            within=WAKE_ONCE_IN,
        ),
        actions=[RunDeployment(deployment_id=processing)],
    )


def zombies() -> Automation:
    """A run without a heartbeat is marked Crashed, which is an alert, and frees its place for the next one."""
    return Automation(
        name="zombies",
        description="A run without a heartbeat is dead: marked Crashed, so that the next one is not blocked",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=NOT_A_QUESTION,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE_AFTER,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message="No heartbeat")],
    )
