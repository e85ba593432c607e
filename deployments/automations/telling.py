"""The automations that tell the operator: one for each alert of the table, so that each can be looked at by itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import Automation, EventTrigger, Posture, SendNotification
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.schemas.events import ResourceSpecification
from pydantic import SecretStr

from tasks.notifying import posting
from tasks.pages import prefect_ui
from tasks.rules.alerts import ALERTS, DATABASE_DOWN, Alert, Seen
from tasks.settings import Settings

BLOCK = "dropship-alerts"
MESSAGES = "dropship.message.*"
FLOW_RUNS = "prefect.flow-run.*"
ENDED_BADLY = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}
#: How flows say that the database is why (see `guarding.only_run`); matched on the run's state message.
DATABASE = f"*{DATABASE_DOWN}*"
SILENT_AFTER = timedelta(minutes=30)
#: A state message in the text: long enough to understand, short enough for every channel, whatever must be escaped.
MOST = 500
TRIGGERED = "{{ firing.triggered.strftime('%Y-%m-%d %H:%M:%S') }} UTC"
#: The parts of a message of ours, made when it was emitted: cut to the channel's limits, and safe in it.
MESSAGE = ("{{ event.payload.subject }}", "{{ event.payload.body }}")
#: What a state message may not hold; `{{` is a placeholder of Prefect's block.
QUOTED = {
    "discord": (("`", "'"), ("\n", " "), ("{{", "{ {")),
    "slack": (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("{{", "{ {")),
    "json": (),
}


def notification_block(url: str, kind: str) -> CustomWebhookNotificationBlock:
    """The channel's own JSON, around a subject and a body; the address is a secret of the block.

    Plain JSON is for programs: there the body is the whole document, as a run of ours would post it.
    """
    text = "{{subject}}\n{{body}}"
    forms: dict[str, dict[str, Any]] = {
        "discord": {"json_data": {"content": text, "allowed_mentions": {"parse": []}}},
        "slack": {"json_data": {"text": text, "mrkdwn": False}},
        "json": {"form_data": "{{body}}", "headers": {"Content-Type": "application/json"}},
    }
    return CustomWebhookNotificationBlock(
        name="dropship alerts", url="{{address}}", method="POST", secrets={"address": SecretStr(url)}, **forms[kind]
    )


def save_block(settings: Settings) -> UUID:
    """Store the block, as the settings have it now; its id stays the same."""
    kind, url = posting.channel(settings)
    saved = notification_block(url, kind).save(BLOCK, overwrite=True)
    assert isinstance(saved, UUID)
    return saved


def declared(settings: Settings, block_id: UUID) -> list[Automation]:
    """Every alert's automation, and one that lets a test of the silent one through."""
    kind, _ = posting.channel(settings)

    def tell(subject: str, body: str) -> list[SendNotification]:
        return [SendNotification(block_document_id=block_id, subject=subject, body=body)]

    def automation(alert: Alert) -> Automation:
        subject, body = MESSAGE if alert.seen is Seen.BY_A_STAGE else _of_the_server(kind, alert)
        return Automation(
            name=alert.name,
            description=f"{alert.severity}: {alert.rule}. See {alert.section}",
            trigger=_trigger(alert),
            actions=tell(subject, body),
        )

    by_hand = Automation(
        name="silence, sent by hand",
        description="Only for `pipeline automations test`: an event cannot fire what waits for events that do not come",
        trigger=_on({"dropship.silence.test"}, {"prefect.resource.id": MESSAGES}),
        actions=tell(*MESSAGE),
    )
    return [*(automation(alert) for alert in ALERTS), by_hand]


def _trigger(alert: Alert) -> EventTrigger:
    test = f"dropship.{alert.name}.test"
    runs = [FLOW_RUNS, MESSAGES]
    if alert.name == "silence":
        return EventTrigger(
            expect={"prefect.flow-run.Completed", "prefect.flow-run.PartiallyDone"},
            match=ResourceSpecification({"prefect.resource.id": FLOW_RUNS}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": "processing"}
            ),
            posture=Posture.Proactive,
            threshold=1,
            within=SILENT_AFTER,
        )
    if alert.name == "database":
        return _on({*ENDED_BADLY, test}, {"prefect.resource.id": runs, "prefect.state-message": DATABASE})
    if alert.name == "failed-run":  # told as the database's alert, and not as this one too
        return _on({*ENDED_BADLY, test}, {"prefect.resource.id": runs, "prefect.state-message": f"!{DATABASE}"})
    return _on(set(alert.events), {"prefect.resource.id": MESSAGES})


def _on(events: set[str], match: dict[str, str | list[str]]) -> EventTrigger:
    return EventTrigger(
        expect=events,
        match=ResourceSpecification(match),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _of_the_server(kind: str, alert: Alert) -> tuple[str, str]:
    """Subject and body as templates. No person wrote a state message: it is cut, and it is quoted."""
    pages = prefect_ui() or ""
    if alert.name == "silence":
        title = "No processing run finished for 30 minutes"
        text = "See that the Prefect server and a worker run, and that no schedule is paused."
        page, key = f"{pages}/deployments", "silence"
    else:
        name, state = _label(kind, "prefect.resource.name", 100), _label(kind, "prefect.state-name", 30)
        title, text = f"Flow run {name} is {state}", _label(kind, "prefect.state-message", MOST)
        run = "{{ event.resource['prefect.resource.id'].split('.')[-1] }}"
        page, key = f"{pages}/runs/flow-run/{run}", f"{alert.name}:{run}"
    lines = [
        text,
        f"Seen {TRIGGERED}.",
        f"Run: {posting.FORMS[kind].link.format(page)}",
        f"Runbook: {alert.section}",
        f"Type: {alert.command}",
    ]
    subject, body = f"[{alert.severity}] {title}", "\n".join(lines)
    if kind != "json":
        return subject, body
    whole = {"severity": alert.severity, "lot_id": None, "source": posting.SOURCE}
    texts = {"title": subject, "message": body, "dedup_key": key, "timestamp": TRIGGERED}
    made = "".join(f"{{% set {name} %}}{text}{{% endset %}}" for name, text in texts.items())
    fields = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in whole.items()]
    fields += [f'"{name}": {{{{ {name} | tojson }}}}' for name in texts]
    return subject, f"{made}{{{', '.join(fields)}}}"


def _label(kind: str, label: str, most: int) -> str:
    """A label of the event's resource: cut, and safe in the channel."""
    value = f"(event.resource['{label}'] or 'none')[:{most}]"
    for dangerous, instead in QUOTED[kind]:
        value += f" | replace({dangerous!r}, {instead!r})"
    return f"`{{{{ {value} }}}}`" if kind == "discord" else f"{{{{ {value} }}}}"
