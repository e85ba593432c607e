"""The day's cap on what is spent at CJ: above it a person is asked, once for all that waits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tasks.desk import Desk
from tasks.lots import approvals, restored, spending
from tasks.lots.clock import now
from tasks.lots.models import Lot
from tasks.lots.moving import hold
from tasks.lots.records import Effect
from tasks.lots.states import LotStatus
from tasks.rules.money import dollars

CAP = "daily cap"


def cap_cents(session: Session, desk: Desk) -> int | None:
    """What today may spend: the setting's, or more where a person granted it."""
    cap = desk.settings.daily_cap_cents
    return None if cap is None else max(cap, approvals.granted(session, spending.subject()))


def is_unsure(session: Session, desk: Desk) -> bool:
    """Whether there is a cap, and a restored record that does not know yet what today has spent of it."""
    return desk.settings.daily_cap_cents is not None and restored.since(session) is not None


def wait_for_look(session: Session, lot: Lot) -> None:
    """Hold the lot until a clean reconciliation has seen, and counted, every payment of the time that is lost."""
    why = "the restored record does not know what today has spent: it goes on when `pipeline reconcile` is clean"
    hold(session, lot.id, CAP, why)


def wait(session: Session, desk: Desk, lot: Lot) -> None:
    """Hold the lot until midnight, when a new day's cap begins, or until a person lets today spend more."""
    midnight = (now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    hold(session, lot.id, CAP, "the day's spend has reached DAILY_SPEND_CAP_USD", until=midnight)
    cap = desk.settings.daily_cap_cents or 0
    # All that waits for its payment today is asked for at once, not lot by lot.
    paid = select(Effect.lot_id).where(Effect.kind == "cj-pay", Effect.lot_id.is_not(None))
    waiting = select(Lot).where(Lot.status == LotStatus.CJ_ORDERED, Lot.refund_status.is_(None), Lot.id.not_in(paid))
    orders = list(session.scalars(waiting.where(or_(Lot.hold_reason.is_(None), Lot.hold_reason == CAP))))
    spent = spending.reserved(session)
    if (known := approvals.standing(session, spending.subject())) and known.state == "YES":
        approvals.use(session, known.id)  # it is spent, and for more a person is asked again
    total = spent + sum(one.cj_amount_cents or 0 for one in orders)
    approvals.ask(
        session,
        spending.subject(),
        kind="spend",
        question=f"Let today spend up to {dollars(total)} at CJ, above the {dollars(cap)} a day allowed?",
        reason=f"{dollars(spent)} are spent or promised today, and {len(orders)} paid lots wait for "
        f"{dollars(total - spent)} more. With a no they wait for tomorrow's cap.",
        amount_cents=total,
        facts={
            "daily_cap": dollars(cap),
            "spent_today": dollars(spent),
            "lots": [one.id for one in orders],
            "they_need": dollars(total - spent),
        },
        lasts=min(desk.settings.approval_lasts, midnight - now()),
    )
