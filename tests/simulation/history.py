"""What happened, in lines: the same seed and commit give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from deployments.sandbox.control import state
from tasks.lots.models import History, Lot
from tasks.lots.records import Effect, Incident, LedgerEntry, OutboxMessage
from tests.simulation.rehearsal import Rehearsal

#: Random by nature: they name a worker, and nothing of the world depends on them.
HIDDEN = {"owner", "lease_until"}


def written(stage: Rehearsal) -> list[str]:
    """The calls in their order, every row that matters, and what the outside says in the end."""
    return list(_lines(stage))


def digest(lines: list[str]) -> str:
    """A fingerprint of a history."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _lines(stage: Rehearsal) -> Iterator[str]:
    for call in stage.world.calls:
        fault = f" {call.fault}" if call.fault else ""
        yield f"call {call.at.isoformat()} {call.vendor} {call.operation} {call.status}{fault}"
    with stage.record.read() as session:
        for table in (History, Effect, LedgerEntry, Incident, OutboxMessage):
            name = table.__tablename__
            key = "key" if table is Effect else "id"
            for row in session.scalars(select(table).order_by(getattr(table, key))):
                yield f"{name} {_json(_plain(row))}"
        for lot in session.scalars(select(Lot).order_by(Lot.id)):
            yield f"end {lot.id} {lot.status} {lot.refund_status or '-'} {_json(_plain(lot))}"
    for mail in stage.post.mails:
        yield f"mail {mail.key}"
    for post in stage.sink.posts:
        yield f"alert {post}"
    yield f"world {_json(state(stage.world))}"


def _plain(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in HIDDEN}


def _json(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)
