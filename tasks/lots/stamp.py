"""Whose record this is: a process of another mode or account refuses it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots.clock import now
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
    known = {row.name: row.value for row in session.scalars(select(Stamp))}
    for name, value in ours.items():
        if name in known and known[name] != value:
            raise StampMismatch(name, known[name], value)
    for name, value in ours.items():
        if name not in known:
            session.add(Stamp(name=name, value=value, since=now()))
    session.flush()
