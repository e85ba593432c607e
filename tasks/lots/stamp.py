"""Whose record this is: a process of another mode or account refuses it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
from tasks.lots.engine import insert_once
from tasks.lots.records import Stamp

NAMES = {
    "mode": "mode",
    "basta_account": "Basta account",
    "stripe_account": "Stripe account",
    "cj_open_id": "CJ account",
}


class StampMismatch(Exception):
    """The record belongs to another mode or account."""

    def __init__(self, name: str, stamped: str, ours: str) -> None:
        self.name, self.stamped, self.ours = name, stamped, ours
        secret = name == "cj_open_id"  # it signs CJ's webhooks
        tail = "another one" if secret else f"{stamped}, and the settings say {ours}"
        where = "DATABASE_URL, or TURSO_DATABASE_URL, to another one"
        super().__init__(f"This database belongs to the {NAMES[name]} {tail}: set {where}.")


def confirm(session: Session, **ours: str) -> None:
    """Stamp what is not stamped yet, and compare what is.

    Raises:
        StampMismatch: one of them differs; nothing is written.
    """
    known = _known(session)
    for name, value in ours.items():
        if name in known and known[name] != value:
            raise StampMismatch(name, known[name], value)
    fresh = {name: value for name, value in ours.items() if name not in known}
    for name, value in fresh.items():
        if not insert_once(session, Stamp, name=name, value=value, since=now()):
            stamped = _known(session)[name]  # another process was first
            if stamped != value:
                raise StampMismatch(name, stamped, value)


def _known(session: Session) -> dict[str, str]:
    return {row.name: row.value for row in session.execute(select(Stamp.name, Stamp.value))}
