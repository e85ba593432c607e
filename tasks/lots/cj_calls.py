"""CJ's pace and CJ's allowance, shared by every process through the record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.orm import Session

from tasks.lots.clock import now, sleep
from tasks.lots.engine import Record, database_milliseconds, insert_once
from tasks.lots.records import CjEndpoint, CjSlot

SLOT = "cj"
#: Reserved this much wide, so that a late waking cannot push two calls together at CJ's door.
MARGIN_SECONDS = 0.02
#: Woken later than this, a slot is given up and a new one taken; below the margin, for the way to the wire.
LATE_SECONDS = 0.015
#: An account that tells no quota gets this many calls an endpoint, for life.
SILENT_ALLOWANCE = 1_000
#: How we know an allowance: by the account's points, not at all, as the endpoint costs none, or by CJ's refusal.
POINTS, FREE, REFUSED = "points", "free", "refused"
#: Where CJ counts the calls of an endpoint itself, no points say more.
COUNTED = CjEndpoint.regime.not_in((POINTS, FREE, REFUSED))
#: Allowances that are full again tomorrow, or have no number.
PLENTY = (FREE, POINTS, "day", "hour")
#: What CJ said of a used-up allowance holds for so long, unless it says something else: its period may be over then.
HOLDS_FOR = timedelta(hours=1)

# Asked before every call to CJ: built once.
_SLOT = select(CjSlot).where(CjSlot.name == SLOT)
_SPENT_SINCE = select(CjEndpoint.told_at).where(CjEndpoint.endpoint == bindparam("endpoint"), CjEndpoint.allowed == 0)


# Counted with every call to CJ: built once. `of` is the endpoint, `at` the moment.
_AT = bindparam("at", type_=CjEndpoint.told_at.type)
_ONE_LESS = case((CjEndpoint.allowed > 0, CjEndpoint.allowed - 1), else_=CjEndpoint.allowed)
_ONE_MORE = (
    update(CjEndpoint)
    .where(CjEndpoint.endpoint == bindparam("of"))
    .values(calls=CjEndpoint.calls + 1, last_called_at=_AT)
    .returning(CjEndpoint.endpoint)
    .execution_options(synchronize_session=False)
)
_COUNTED = _ONE_MORE.values(allowed=_ONE_LESS)
_COUNTED_REFUSED = _ONE_MORE.values(allowed=0, regime=REFUSED, told_at=_AT)
_COUNTED_TOLD = _ONE_MORE.values(
    allowed=case((COUNTED, _ONE_LESS), else_=bindparam("left", type_=CjEndpoint.allowed.type)),
    regime=case((COUNTED, CjEndpoint.regime), else_=bindparam("how", type_=CjEndpoint.regime.type)),
    told_at=case((COUNTED, CjEndpoint.told_at), else_=_AT),
)


def reserve(record: Record, interval_seconds: float) -> datetime:
    """Reserve the next slot: our time at which it comes, reckoned from when the database's clock was read.

    What passes after that, the commit included, is lateness: a slow disk must not bring two calls together.
    """
    width = math.ceil((interval_seconds + MARGIN_SECONDS) * 1000)
    with record.write() as session:
        if session.get(CjSlot, SLOT) is None:
            insert_once(session, CjSlot, name=SLOT, next_at_ms=0)
    with record.write() as session:
        # The row's lock comes first: the clock is read only when it is ours.
        slot = session.scalars(_SLOT.with_for_update() if record.dialect == "postgresql" else _SLOT).one()
        asked_at, at, read_at = now(), database_milliseconds(session), now()
        start = max(slot.next_at_ms, at)
        # An answer that was under way for long makes this call so much later: the next one keeps its distance to it.
        slot.next_at_ms = start + width + int((read_at - asked_at).total_seconds() * 1000)
        return read_at + timedelta(milliseconds=start - at)


def wait_for_slot(record: Record, interval_seconds: float) -> None:
    """Block until this process may call CJ; a slot that was overslept is given up and reserved anew."""
    if interval_seconds <= 0:
        return
    while True:
        slot = reserve(record, interval_seconds)
        sleep((slot - now()).total_seconds())
        if (now() - slot).total_seconds() <= LATE_SECONDS:
            return


def count(
    session: Session,
    endpoint: str,
    *,
    allowed: int | None = None,
    free: bool = False,
    refused: bool = False,
    spent: tuple[str, ...] = (),
) -> None:
    """Count one call to an endpoint, and keep what CJ told with it: the calls that its points still allow, or none.

    A free endpoint's allowance has no number. Where CJ counts calls, or told nothing now, the allowance that it told
    before is one call less.

    Args:
        refused: CJ said that the allowance is used up.
        spent: endpoints for which the account's points are too few now.
    """
    at = now()
    values: dict[str, Any] = {"of": endpoint, "at": at}
    counted = _COUNTED
    if refused:
        counted = _COUNTED_REFUSED
    elif allowed is not None or free:
        counted, values = _COUNTED_TOLD, {**values, "left": allowed, "how": FREE if free else POINTS}
    if session.execute(counted, values).first() is None:
        insert_once(session, CjEndpoint, endpoint=endpoint, calls=0)
        session.execute(counted, values)
    if spent:
        poor = update(CjEndpoint).where(CjEndpoint.endpoint.in_(spent), CjEndpoint.allowed > 0)
        session.execute(poor.values(allowed=0, told_at=at).execution_options(synchronize_session=False))


def allows(session: Session, endpoint: str) -> bool:
    """Whether an endpoint may be called: not where CJ told, not long ago, that nothing is left."""
    since = session.execute(_SPENT_SINCE, {"endpoint": endpoint}).scalar_one_or_none()
    return since is None or now() - since >= HOLDS_FOR


def is_scarce(session: Session, endpoint: str) -> bool:
    """Whether calls of an endpoint do not come back soon: they are counted for life, for a month, or by us alone."""
    row = session.get(CjEndpoint, endpoint)
    return row is not None and row.regime not in PLENTY


def used_up(session: Session) -> bool:
    """Whether nothing is left of any endpoint, by what CJ told."""
    return session.scalars(select(CjEndpoint.endpoint).where(CjEndpoint.allowed == 0).limit(1)).first() is not None


def is_told(session: Session) -> bool:
    """Whether CJ told what it still allows, of any endpoint; a silent account's calls are counted by us alone."""
    return (
        session.scalars(select(CjEndpoint.endpoint).where(CjEndpoint.regime.is_not(None)).limit(1)).first() is not None
    )


def tells_only(session: Session, endpoints: list[str]) -> None:
    """Forget the counts of all other endpoints: CJ does not tell them any more, as the account is another kind."""
    silent = update(CjEndpoint).where(COUNTED, CjEndpoint.endpoint.not_in(endpoints))
    silent = silent.values(allowed=None, regime=None, told_at=None)
    session.execute(silent.execution_options(synchronize_session=False))


def told(session: Session, allowed: Mapping[str, int], regime: str) -> None:
    """Keep what CJ told of endpoints' allowances, without a call to them."""
    at = now()
    asked = select(CjEndpoint).where(CjEndpoint.endpoint.in_(sorted(allowed))).order_by(CjEndpoint.endpoint)
    missing = sorted(set(allowed) - {row.endpoint for row in session.scalars(asked)})
    for endpoint in missing:
        insert_once(session, CjEndpoint, endpoint=endpoint, calls=0)
    for row in session.scalars(asked):
        row.allowed, row.regime, row.told_at = allowed[row.endpoint], regime, at
    session.flush()


@dataclass(frozen=True)
class Allowance:
    """What one endpoint still allows, in calls, and how we know."""

    endpoint: str
    calls: int
    allowed: int
    regime: str  # points, total, year, ..., or "own count"
    told_at: datetime | None


def allowances(session: Session) -> list[Allowance]:
    """Every endpoint that has an allowance, the scarcest first; where CJ tells nothing, our count against 1,000."""
    rows = [row for row in session.scalars(select(CjEndpoint)) if row.regime != FREE]
    found = [
        Allowance(row.endpoint, row.calls, row.allowed, row.regime or "told", row.told_at)
        if row.allowed is not None and not _is_over(row)
        else Allowance(row.endpoint, row.calls, max(SILENT_ALLOWANCE - row.calls, 0), "own count", row.last_called_at)
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.allowed, one.endpoint))


def _is_over(row: CjEndpoint) -> bool:
    """Whether a refusal is so old that it tells nothing of now."""
    return row.regime == REFUSED and row.told_at is not None and now() - row.told_at >= HOLDS_FOR
