"""Lots as a terminal shows them, and one sale that is watched: its lots, and whether it is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.desk import desk
from tasks.lots.models import Lot
from tasks.rules.money import dollars

SHOWN = 200
ENDS = {
    "paid": {"CJ_PAID", "SHIPPED", "DELIVERED", "RESERVE_NOT_MET", "CANCELLED"},
    "delivered": {"DELIVERED", "RESERVE_NOT_MET", "CANCELLED"},
}


def lots_table(session: Session) -> list[dict[str, Any]]:
    """One row a lot, the newest first."""
    return [
        {
            "lot": lot.id,
            "status": str(lot.status),
            "title": lot.title[:60],
            "hammer": dollars(lot.winning_bid_cents) if lot.winning_bid_cents else "",
            "landed": dollars(lot.landed_cents),
            "waits for": lot.hold_reason or "",
            "note": (lot.error_message or "")[:120],
        }
        for lot in session.scalars(select(Lot).order_by(Lot.id.desc()).limit(SHOWN))
    ]


class UnknownSale(ValueError):
    """No sale of ours has this id."""


def must_know(sale_id: str) -> None:
    """See that a sale is ours.

    Raises:
        UnknownSale: it is not.
    """
    with desk().record.read() as session:
        if session.execute(select(Lot.id).where(Lot.basta_sale_id == sale_id)).first() is None:
            raise UnknownSale(f"No sale {sale_id!r} is on record.")


def _lots(sale_id: str) -> list[Lot]:
    with desk().record.read() as session:
        return list(session.scalars(select(Lot).where(Lot.basta_sale_id == sale_id).order_by(Lot.id)))


def sale_lines(sale_id: str) -> list[str]:
    """A line a lot, for the log of a watched sale."""
    return [
        f"lot {lot.id} {lot.status}{f' ({lot.hold_reason})' if lot.hold_reason else ''}: {lot.title[:60]}"
        for lot in _lots(sale_id)
    ]


def is_over(sale_id: str, until: str) -> bool:
    """Whether nothing is left to do for a sale; a refund on its way is."""
    return all(
        str(lot.status) in ENDS[until] and lot.refund_status not in ("PLANNED", "PENDING") for lot in _lots(sale_id)
    )


def sale_summary(sale_id: str) -> str:
    """How many lots ended how."""
    counts: dict[str, int] = {}
    for lot in _lots(sale_id):
        counts[str(lot.status)] = counts.get(str(lot.status), 0) + 1
    return ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
