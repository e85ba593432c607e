"""Alerts as Prefect automations, declared once and applied by name: twice leaves the same set."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.automations import (
    Automation,
    AutomationCore,
    ChangeFlowRunState,
    EventTrigger,
    Posture,
    SendNotification,
)
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.events import ResourceSpecification
from pydantic import SecretStr

from tasks.notifying.posting import kind_of
from tasks.settings import Settings

PREFIX = "dropship: "
BLOCK = "dropship-alerts"
FLOW_RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
SILENT_AFTER = timedelta(minutes=30)
#: Three heartbeats of 30 s: a run that misses them is dead, and must not hold its place for ever.
ZOMBIE_AFTER = timedelta(seconds=90)
RUN_TEXT = "{{ flow_run.name }}: {{ flow_run.state.message }}\nType: pipeline status"


def notification_block(url: str, kind: str) -> CustomWebhookNotificationBlock:
    """The channel's own JSON, around a subject and a body; the address is a secret of the block."""
    text = "{{subject}}\n{{body}}"
    data: dict[str, object] = {
        "discord": {"content": text, "allowed_mentions": {"parse": []}},
        "slack": {"text": text},
        "json": {"title": "{{subject}}", "message": "{{body}}", "source": "dropship-auctions"},
    }[kind]  # type: ignore[assignment]
    return CustomWebhookNotificationBlock(
        name="dropship alerts", url="{{address}}", method="POST", json_data=data, secrets={"address": SecretStr(url)}
    )


def declared(block_id: UUID) -> list[Automation]:
    """Every automation of ours."""

    def tell(subject: str, body: str) -> list[SendNotification]:
        return [SendNotification(block_document_id=block_id, subject=subject, body=body)]

    return [
        Automation(
            name=f"{PREFIX}messages",
            description="Everything the pipeline tells its operator",
            trigger=EventTrigger(
                expect={"dropship.*"},
                match=ResourceSpecification({"prefect.resource.id": "dropship.message.*"}),
                posture=Posture.Reactive,
                threshold=1,
                within=timedelta(0),
            ),
            actions=tell("{{ event.payload.subject }}", "{{ event.payload.body }}"),
        ),
        Automation(
            name=f"{PREFIX}failed runs",
            description="Any flow run that failed, crashed or took too long",
            trigger=EventTrigger(
                expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
                match=FLOW_RUNS,
                posture=Posture.Reactive,
                threshold=1,
                within=timedelta(0),
            ),
            actions=tell("[HIGH] A flow run failed", RUN_TEXT),
        ),
        Automation(
            name=f"{PREFIX}silence",
            description="No processing run finished for 30 minutes",
            trigger=EventTrigger(
                expect={"prefect.flow-run.Completed", "prefect.flow-run.PartiallyDone"},
                match=FLOW_RUNS,
                match_related=ResourceSpecification(
                    {"prefect.resource.role": "flow", "prefect.resource.name": "processing"}
                ),
                posture=Posture.Proactive,
                threshold=1,
                within=SILENT_AFTER,
            ),
            actions=tell(
                "[HIGH] No processing run finished for 30 minutes",
                "See that server and worker run. Type: pipeline status",
            ),
        ),
        Automation(
            name=f"{PREFIX}zombies",
            description="A run without a heartbeat is dead: marked Crashed, so that the next one is not blocked",
            trigger=EventTrigger(
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.*"},
                match=FLOW_RUNS,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=ZOMBIE_AFTER,
            ),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message="No heartbeat")],
        ),
    ]


def apply(settings: Settings) -> list[str]:
    """Bring the server's automations to what is declared here; their names. Without an alert address, none."""
    wanted: list[Automation] = []
    if settings.alert_webhook_url is not None:
        url = settings.alert_webhook_url.get_secret_value()
        block = notification_block(url, kind_of(url, settings.alert_webhook_kind))
        saved = block.save(BLOCK, overwrite=True)
        assert isinstance(saved, UUID)
        wanted = declared(saved)
    with get_client(sync_client=True) as client:
        answer = client._client.post("/automations/filter", json={"limit": 200})
        answer.raise_for_status()
        known = [one for one in answer.json() if str(one["name"]).startswith(PREFIX)]
        for automation in wanted:
            body = AutomationCore(**automation.model_dump(exclude={"id", "owner_resource"})).model_dump(mode="json")
            body.pop("owner_resource", None)  # the server refuses it, even when it is null
            same = [one for one in known if one["name"] == automation.name]
            if same:
                client._client.put(f"/automations/{same[0]['id']}", json=body).raise_for_status()
            else:
                client._client.post("/automations/", json=body).raise_for_status()
            for extra in same[1:]:
                client._client.delete(f"/automations/{extra['id']}").raise_for_status()
        names = {automation.name for automation in wanted}
        for one in known:
            if one["name"] not in names:
                client._client.delete(f"/automations/{one['id']}").raise_for_status()
    return sorted(names)
