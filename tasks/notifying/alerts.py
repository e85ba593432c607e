"""Messages to the operator: a log line first, then an event for the automations, or a post of our own."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from tasks.desk import Desk, desk
from tasks.lots import outbox
from tasks.lots.records import OutboxMessage
from tasks.notifying import automations, links, posting
from tasks.notifying.gathering import TOLD_APART, together
from tasks.notifying.posting import NotDelivered
from tasks.retrying import ACTING, task

LEVELS = {"CRITICAL": logging.CRITICAL, "HIGH": logging.ERROR, "MEDIUM": logging.WARNING, "WARNING": logging.WARNING}
NAMESPACE = uuid.UUID("6f2f3a52-52b0-4b43-9d7a-3f0f0f4d5a11")  # any, so long as it never changes
#: After so many events that came to nothing, the run posts the message itself, and learns why.
EVENTS_TRIED = 2
#: Messages that are looked at together; a night in which everything stops makes hundreds.
MOST_AT_ONCE = 5_000
_logger = logging.getLogger("dropship.alerts")


def messages_due() -> list[str]:
    """The operator's channel, when there is something to tell it; what the server posted is written down first."""
    at = desk()
    _confirm(at)
    with at.record.read() as session:
        return ["operator"] if outbox.due(session, 1) else []


@task(task_run_name="tell the operator", **ACTING)
def tell(_whom: str = "operator") -> str:
    """Send every message that is due. What does not go stays due, and the next run sends it.

    Raises:
        NotDelivered: the channel did not take one; that stops no other work.
    """
    return send_due(desk())


@contextmanager
def operator_told() -> Iterator[None]:
    """Send what is due when the work inside ends, however it ends. A channel that refuses is no error of the work."""
    try:
        yield
    finally:
        try:
            if messages_due():
                send_due(desk())
        except NotDelivered as error:
            _logger.error("%s", error)


def send_due(at: Desk) -> str:
    """Send what is due, the oldest first, and stop where the channel takes nothing: the rest would fare no better.

    Raises:
        NotDelivered: with how many wait, and why.
    """
    _gather(at)
    with at.record.read() as session:
        messages = outbox.due(session)
    sent, refused = 0, None
    for message in messages:
        try:
            sent += _send(at, message)
        except NotDelivered as error:
            refused = error
            with at.record.write() as session:
                outbox.failed(session, message.id, str(error))
            if not error.this_one:
                break
    if refused:
        left = len(messages) - sent
        raise NotDelivered(f"{left} {'message waits' if left == 1 else 'messages wait'} for the operator: {refused}")
    return "told"


def _gather(at: Desk) -> None:
    """Forty lots that get stuck in one night are one message, not forty; nothing that was tried once is touched."""
    with at.record.read() as session:
        kinds: dict[str, list[OutboxMessage]] = {}
        for one in outbox.due(session, MOST_AT_ONCE):
            if one.tries == 0 and one.payload["severity"] != "INFO" and "gathered" not in one.payload:
                kinds.setdefault(one.event, []).append(one)
    for messages in kinds.values():
        if len(messages) <= TOLD_APART:
            continue
        for one in messages:
            _note(one.payload)
        first, *others = messages
        with at.record.write() as session:
            outbox.gather(session, first.id, together([one.payload for one in messages]), [one.id for one in others])


def _note(payload: dict[str, Any]) -> None:
    _logger.log(LEVELS.get(payload["severity"], logging.INFO), "%s: %s", posting.subject(payload), payload["text"])


def event_id(message: OutboxMessage, tries: int | None = None) -> uuid.UUID:
    """The same message is the same event, however often it is emitted; a new try is a new one.

    The record's own time is part of it, as two records may both have a first message.
    """
    name = f"{message.created_at.isoformat()}:{message.id}:{message.tries if tries is None else tries}"
    return uuid.uuid5(NAMESPACE, name)


def _send(at: Desk, message: OutboxMessage) -> bool:
    payload = message.payload
    told = payload["severity"] != "INFO"  # else an event for whoever watches, and no message for the operator
    if message.tries == 0:
        payload = {**payload, **links.of(at, payload)}
        with at.record.write() as session:
            outbox.complete(session, message.id, payload)
        _note(payload)
    if not told and automations.has_server():
        emit_event(message.event, resource=_resource(message), payload=payload, id=event_id(message))
    if not told or at.settings.alert_webhook_url is None:
        _done(at, message)  # without an address: console only, as the operator was promised
        return True
    kind, url = posting.channel(at.settings)
    if message.tries < EVENTS_TRIED and automations.is_watched(payload["alert"]):
        whole = {**payload, **posting.parts(kind, payload)}
        emit_event(message.event, resource=_resource(message), payload=whole, id=event_id(message))
        with at.record.write() as session:
            outbox.emitted(session, message.id)
        return True
    posting.post(at.web, url, kind, payload)
    _done(at, message)
    return True


def _done(at: Desk, message: OutboxMessage) -> None:
    with at.record.write() as session:
        outbox.delivered(session, message.id)


def _resource(message: OutboxMessage) -> dict[str, str]:
    return {
        "prefect.resource.id": f"dropship.message.{message.id}",
        "prefect.resource.name": str(message.payload["title"])[:200],
    }


def _confirm(at: Desk) -> None:
    """Ask the server which of the emitted messages its automations have posted."""
    with at.record.read() as session:
        waiting = {str(event_id(message, message.tries - 1)): message for message in outbox.unconfirmed(session)}
    if not waiting or not automations.has_server():
        return
    try:
        found = automations.outcomes(waiting)
    except (PrefectException, httpx.HTTPError, OSError) as error:
        _logger.warning("the server did not say which messages arrived: %s", type(error).__name__)
        return
    with at.record.write() as session:
        for name, why_not in found.items():
            if why_not is None:
                outbox.delivered(session, waiting[name].id)
            else:
                _logger.warning("the server could not post message %s: %s", waiting[name].id, why_not)
                outbox.refused(session, waiting[name].id, why_not)
