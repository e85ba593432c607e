"""The record: there, of this code's revision, writable, and ours."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward
from tasks.lots.clock import now
from tasks.lots.engine import database_milliseconds
from tasks.lots.migrate import revision
from tasks.lots.migrations import NEWEST
from tasks.lots.records import FlowLease

CLOCKS_APART_SECONDS = 5.0


class _Undo(Exception):
    """Nothing of a trial write stays."""


def examine(ward: Ward) -> Iterator[Finding]:
    """The database, from the outside in."""
    try:
        yield from _examine(ward)
    finally:
        ward.tell_record(False)  # unless it was told before


def _examine(ward: Ward) -> Iterator[Finding]:
    url = ward.record.engine.url
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        yield fail("database", f"there is no {Path(url.database).name} yet", "pipeline migrate")
        return
    try:
        theirs = revision(ward.record)
    except SQLAlchemyError as error:
        yield fail("database", f"it cannot be used: {_said(error)}", "see DATABASE_URL, its permissions, that it runs")
        return
    ward.tell_record(True)
    if theirs != NEWEST:
        yield fail("database", f"it is at revision {theirs or 'none'}, and this code at {NEWEST}", "pipeline migrate")
        return
    yield _written(ward)
    yield _stamped(ward)


def _written(ward: Ward) -> Finding:
    try:
        with ward.record.write() as session:
            apart = abs(database_milliseconds(session) / 1000 - now().timestamp())
            session.add(FlowLease(flow=f"doctor-{secrets.token_hex(4)}", started_at=now()))
            session.flush()
            raise _Undo
    except _Undo:
        pass
    except SQLAlchemyError as error:
        text = f"it cannot be written: {_said(error)}"
        return fail("database", text, "see its permissions, and that its disk has room")
    if ward.record.dialect == "postgresql" and apart > CLOCKS_APART_SECONDS:
        return warn("database", f"its clock and ours are {apart:.0f} s apart", "see NTP on both hosts")
    return ok("database", f"{ward.record.dialect}, of this code's revision, writable")


def _said(error: SQLAlchemyError) -> str:
    """The driver's own first line: it names hosts and reasons, and no password."""
    lines = str(getattr(error, "orig", None) or type(error).__name__).splitlines()
    return lines[0] if lines else type(error).__name__


def _stamped(ward: Ward) -> Finding:
    settings = ward.settings
    wanted = {"mode": str(settings.mode)} if settings.stripe_secret_key else {}
    if settings.account_id:
        wanted["basta_account"] = settings.account_id
    for name, value in wanted.items():
        known = ward.stamped(name)
        if known is not None and known != value:
            text = f"it belongs to the {name.replace('_', ' ')} {known}, and the settings say {value}"
            return fail("database stamp", text, "set DATABASE_URL to another one")
    return ok("database stamp", f"mode {settings.mode}, and no other account's")
