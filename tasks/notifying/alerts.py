"""Messages to the operator: a log line first, then an event for the automations, or a post of our own."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.events import emit_event
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL

from tasks.desk import Desk, desk
from tasks.lots import outbox
from tasks.lots.records import OutboxMessage
from tasks.notifying import posting
from tasks.notifying.automations import delivered_keys, is_watched
from tasks.retrying import is_inline

LEVELS = {"CRITICAL": logging.CRITICAL, "HIGH": logging.ERROR, "MEDIUM": logging.WARNING, "WARNING": logging.WARNING}
NAMESPACE = uuid.UUID("6f2f3a52-52b0-4b43-9d7a-3f0f0f4d5a11")  # any, so long as it never changes
_logger = logging.getLogger("dropship.alerts")


def tell_operator() -> None:
    """Send every message that is due. One that fails stays due; a dead channel stops no work."""
    at = desk()
    _confirm(at)
    with at.record.read() as session:
        messages = outbox.due(session)
    for message in messages:
        _send(at, message)


@contextmanager
def operator_told() -> Iterator[None]:
    """Send what is due when the work inside ends, however it ends."""
    try:
        yield
    finally:
        tell_operator()


def event_id(message: OutboxMessage) -> uuid.UUID:
    """The same message is the same event, however often it is emitted."""
    return uuid.uuid5(NAMESPACE, f"{message.id}:{message.tries}")


def _send(at: Desk, message: OutboxMessage) -> None:
    payload = message.payload
    if message.tries == 0:
        level = LEVELS.get(payload["severity"], logging.INFO)
        _logger.log(level, "%s: %s", posting.subject(payload), payload["text"])
    if payload["severity"] == "INFO":  # an event for whoever watches, not a message for the operator
        if _server():
            emit_event(message.event, resource=_resource(message), payload=payload, id=event_id(message))
        _done(at, message)
        return
    url = at.settings.alert_webhook_url
    if url is None:
        _done(at, message)  # console only, as the operator was promised
        return
    if _server() and is_watched(message.event):
        emit_event(message.event, resource=_resource(message), payload=_event(payload), id=event_id(message))
        with at.record.write() as session:
            outbox.emitted(session, message.id)
        return
    try:
        kind = posting.kind_of(url.get_secret_value(), at.settings.alert_webhook_kind)
        posting.post(at.web, url.get_secret_value(), kind, payload)
    except posting.NotDelivered as error:
        _logger.warning("%s", error)
        with at.record.write() as session:
            outbox.failed(session, message.id, str(error))
        return
    _done(at, message)


def _server() -> bool:
    """Whether there is a Prefect server that could post for us."""
    return bool(PREFECT_API_URL.value()) and not is_inline()


def _done(at: Desk, message: OutboxMessage) -> None:
    with at.record.write() as session:
        outbox.delivered(session, message.id)


def _resource(message: OutboxMessage) -> dict[str, str]:
    return {
        "prefect.resource.id": f"dropship.message.{message.id}",
        "prefect.resource.name": str(message.payload["title"])[:200],
    }


def _event(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "subject": posting.subject(payload), "body": posting.body(payload)}


def _confirm(at: Desk) -> None:
    """Ask the server which of the emitted messages its automations have posted."""
    with at.record.read() as session:
        waiting = outbox.unconfirmed(session)
    if not waiting or not _server():
        return
    try:
        outcomes = delivered_keys({str(event_id_before(message)) for message in waiting})
    except (PrefectException, OSError) as error:
        _logger.warning("the server did not say which messages arrived: %s", error)
        return
    with at.record.write() as session:
        for message in waiting:
            outcome = outcomes.get(str(event_id_before(message)))
            if outcome is True:
                outbox.delivered(session, message.id)
            elif outcome is False:
                outbox.failed(session, message.id, "the automation's action failed")


def event_id_before(message: OutboxMessage) -> uuid.UUID:
    """The event of the last emission: `tries` was counted up after it."""
    return uuid.uuid5(NAMESPACE, f"{message.id}:{message.tries - 1}")
