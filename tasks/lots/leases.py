"""One run of a flow at a time, whoever starts it: a command, a worker or a webhook."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import Record, insert_once
from tasks.lots.records import FlowLease

#: The webhook receiver, which beats rather than runs.
RECEIVER = "receiver"
#: Held by `pipeline setup` while CJ tries the address of its callbacks, unsigned.
PROBE = "cj-probe"
#: Rows that are no flow's.
NO_FLOWS = (RECEIVER, PROBE)

# Each cycle asks them: built once.
_STARTED_AT = select(FlowLease.started_at).where(FlowLease.flow == bindparam("flow"))
_FINISHED_AT = select(FlowLease.finished_at).where(FlowLease.flow == bindparam("flow"))


class LeaseHeld(Exception):
    """Another run does this work now."""

    def __init__(self, flow: str, runner: str, since: str) -> None:
        self.flow, self.runner = flow, runner
        super().__init__(f"{flow} is already being run by {runner}, since {since}.")


class Overtaken(Exception):
    """What a late run was to do, another has done since the run was due."""

    def __init__(self, flow: str, runner: str) -> None:
        self.flow, self.runner = flow, runner
        super().__init__(f"{flow} was due before {runner} began, which did its work.")


def take(record: Record, flow: str, runner: str, hold: timedelta, due: datetime | None = None) -> str:
    """Take a flow's lease; the owner token to give it back with.

    Args:
        due: when this run should have begun, if it is one of many that a schedule made.

    Raises:
        LeaseHeld: another run has it, and its time is not over.
        Overtaken: a run that began after this one was due is done.
    """
    owner, at = secrets.token_hex(8), now()
    with record.write() as session:
        if session.get(FlowLease, flow) is None:
            insert_once(session, FlowLease, flow=flow)
        lease = _locked(session, flow)
        assert lease
        if lease.owner and lease.until and lease.until > at:
            since = lease.started_at.strftime("%H:%M:%S UTC") if lease.started_at else "a while"
            raise LeaseHeld(flow, lease.runner or "another run", since)
        elif due and lease.started_at and lease.started_at > due and lease.outcome == "done":
            raise Overtaken(flow, lease.runner or "another run")
        lease.owner, lease.runner, lease.until, lease.started_at = owner, runner, at + hold, at
    return owner


def renew(record: Record, flow: str, owner: str, hold: timedelta) -> bool:
    """Keep it for longer; False when it was lost."""
    with record.write() as session:
        lease = _locked(session, flow)
        if lease is None or lease.owner != owner:
            return False
        lease.until = now() + hold
        return True


def give_back(record: Record, flow: str, owner: str, outcome: str) -> None:
    """End the run; a lease that was lost meanwhile stays with its new owner."""
    with record.write() as session:
        lease = _locked(session, flow)
        if lease is not None and lease.owner == owner:
            lease.owner, lease.until, lease.finished_at, lease.outcome = None, None, now(), outcome


def _locked(session: Session, flow: str) -> FlowLease | None:
    """A lease, kept from everybody else until the transaction ends: another run may be just taking it.

    On SQLite the transaction itself (BEGIN IMMEDIATE) keeps them away.
    """
    lock = session.get_bind().dialect.name == "postgresql"
    return session.get(FlowLease, flow, populate_existing=True, with_for_update=lock)


def last_finished(session: Session, flow: str) -> datetime | None:
    """When a run of this flow last ended; None before the first."""
    return session.execute(_FINISHED_AT, {"flow": flow}).scalar_one_or_none()


def last_started(session: Session, flow: str) -> datetime | None:
    """When a run of this flow last began; None before the first."""
    return session.execute(_STARTED_AT, {"flow": flow}).scalar_one_or_none()


def beat(record: Record, name: str) -> None:
    """Write down that something which runs for ever is alive now."""
    with record.write() as session:
        if session.get(FlowLease, name) is None:
            insert_once(session, FlowLease, flow=name, started_at=now())
        row = session.get_one(FlowLease, name)
        row.finished_at, row.outcome = now(), "alive"


def is_held(record: Record, flow: str) -> bool:
    """Whether somebody holds it now."""
    with record.read() as session:
        lease = session.get(FlowLease, flow)
    return lease is not None and lease.owner is not None and lease.until is not None and lease.until > now()


@contextmanager
def held(record: Record, flow: str, runner: str, hold: timedelta, due: datetime | None = None) -> Iterator[str]:
    """Hold a flow's lease for the length of a block.

    Raises:
        LeaseHeld: another run has it. Overtaken: a later one did the work.
    """
    owner = take(record, flow, runner, hold, due)
    outcome = "failed"
    try:
        yield owner
        outcome = "done"
    finally:
        give_back(record, flow, owner, outcome)
