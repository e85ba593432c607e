"""CJ's purse: whether it holds what the paid lots need, and what CJ gave back for cancelled orders.

Too little holds the pays, before one is tried.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.desk import desk
from tasks.lots import incidents, purse
from tasks.lots.incidents import Trouble
from tasks.lots.models import Lot
from tasks.lots.moving import hold, release
from tasks.lots.states import LotStatus
from tasks.pursing import look_into
from tasks.retrying import READING, task
from tasks.rules.money import dollars

SHORT = "balance short"


def _unpaid_orders(session: Session, sale_id: str | None = None) -> list[Lot]:
    query = select(Lot).where(Lot.status == LotStatus.CJ_ORDERED, Lot.cj_amount_cents.is_not(None)).order_by(Lot.id)
    return list(session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query))


def balance_due(sale_id: str | None = None) -> list[str]:
    """Asked when an order waits for its payment, or CJ's credit is due; and once where it was never read."""
    with desk().record.read() as session:
        waits = _unpaid_orders(session, sale_id) or purse.owed(session, sale_id, recent=True)
        return ["cj"] if waits or (_is_bought(session) and not purse.is_known(session)) else []


def _is_bought(session: Session) -> bool:
    bought = select(Lot.id).where(Lot.status.in_((LotStatus.CJ_ORDERED, LotStatus.CJ_PAID)))
    return session.execute(bought.limit(1)).first() is not None


@task(name="check balance", task_run_name="check CJ's balance", **READING)
def check_balance(_vendor: str = "cj") -> str:
    """Read CJ's balance, book what changed it, and hold the orders that it does not cover, the newest first."""
    at = desk()
    left = look_into(at)
    with at.record.write() as session:
        lots = _unpaid_orders(session)
        needed = sum(lot.cj_amount_cents or 0 for lot in lots)
        for lot in lots:
            cents = lot.cj_amount_cents or 0
            if cents <= left:
                left -= cents
                release(session, lot.id, SHORT)
            elif lot.hold_reason is None:
                hold(session, lot.id, SHORT, f"CJ's balance does not cover its {dollars(cents)}: top it up")
        short = [lot for lot in lots if lot.hold_reason == SHORT]
        trouble = Trouble(
            key="balance:cj",
            alert="cj-balance",
            severity="CRITICAL",
            title="CJ's balance does not cover the paid lots",
            text=f"{len(short)} orders wait for their payment; all that are open need {dollars(needed)}.",
            command="pipeline status",
            cents=sum(lot.cj_amount_cents or 0 for lot in short),
        )
        incidents.settle(session, "balance:", [trouble] if short else [])
    return "short" if short else "enough"
