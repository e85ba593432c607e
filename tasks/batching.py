"""Which refunds a cycle may make without a person: all, until their sum passes REFUND_BATCH_LIMIT_USD.

The whole batch then waits for one answer. A yes lets its lots go, within the amount; a no keeps them until it
stands no more, and then the question is asked anew, as somebody's money is waited for.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tasks.desk import Desk
from tasks.lots import approvals
from tasks.lots.clock import now
from tasks.lots.models import Invoice, InvoiceLine, Lot
from tasks.lots.records import Approval, Effect
from tasks.rules.money import dollars

SUBJECT = "refunds"
WAITS = "refund batch"


def allowed(at: Desk, lots: list[Lot]) -> set[int]:
    """Those of the lots to be refunded whose refund may go now; the others wait, and a person is asked.

    What has begun goes on: a refund on its way is followed whatever its sum.
    """
    limit = at.settings.refund_limit_cents
    everything = {lot.id for lot in lots}
    if limit is None:
        return everything
    with at.record.write() as session:
        fresh = [lot for lot in lots if not _begun(session, lot)]
        due = {lot.id: cents for lot in fresh if (cents := _due_cents(session, lot))}
        yes, kept = _answered(session, due)
        rest = {lot_id: cents for lot_id, cents in due.items() if lot_id not in yes and lot_id not in kept}
        waiting = set(kept)
        if sum(rest.values()) > limit:
            _ask(session, at, rest, limit)
            waiting |= set(rest)
        _mark(session, waiting, everything - waiting)
    return everything - waiting


def _mark(session: Session, waiting: set[int], free: set[int]) -> None:
    """Say which lots wait. Why each is refunded stands in its own words, which the buyer is told: untouched."""
    held = update(Lot).where(Lot.id.in_(waiting)).values(hold_reason=WAITS, hold_until=None)
    freed = update(Lot).where(Lot.id.in_(free), Lot.hold_reason == WAITS).values(hold_reason=None)
    for change in (held, freed):
        session.execute(change.execution_options(synchronize_session=False))


def _begun(session: Session, lot: Lot) -> bool:
    effect = session.get(Effect, f"refund:{lot.id}:1")
    return lot.refund_status == "PENDING" or (effect is not None and effect.attempts > 0)


def _due_cents(session: Session, lot: Lot) -> int:
    """What of a lot's share may be captured money; a share that nobody paid goes back to nobody."""
    if lot.invoice_id is None or not session.get_one(Invoice, lot.invoice_id).paid_cents:
        return 0
    lines = session.scalars(select(InvoiceLine).where(InvoiceLine.lot_id == lot.id))
    return sum(line.cents + line.tax_cents for line in lines)


def _answered(session: Session, due: dict[int, int]) -> tuple[set[int], set[int]]:
    """Lots that an answer in force lets go, within what it granted, and those that it keeps."""
    yes: set[int] = set()
    kept: set[int] = set()
    query = select(Approval).where(Approval.kind == SUBJECT, Approval.expires_at > now()).order_by(Approval.id)
    for row in session.scalars(query.where(Approval.state.in_(("YES", "NO")))):
        theirs = [lot_id for lot_id in row.facts["lots"] if lot_id in due]
        if row.state == "NO":
            kept |= set(theirs) - yes
            continue
        # What this yes has let go already counts against it.
        left = (row.granted_cents or 0) - sum(
            row.facts["cents"][str(one)] for one in row.facts["lots"] if one not in due
        )
        for lot_id in theirs:
            if due[lot_id] <= left:
                left -= due[lot_id]
                yes.add(lot_id)
            else:
                kept.add(lot_id)
        kept -= yes
        if not theirs:
            approvals.use(session, row.id)
    return yes, kept


def _ask(session: Session, at: Desk, batch: dict[int, int], limit: int) -> None:
    """Ask for the batch as it is now; while a question waits, what joins it waits as well."""
    waiting = [row for row in approvals.open_ones(session) if row.kind == SUBJECT]
    if waiting:
        return
    total = sum(batch.values())
    lots = sorted(batch)
    approvals.ask(
        session,
        f"{SUBJECT}:{'-'.join(str(one) for one in lots)}"[:200],
        kind=SUBJECT,
        question=f"Refund {len(lots)} lots, {dollars(total)} in all, above the {dollars(limit)} a cycle allowed?",
        reason="So many at once may be a mistake of ours: look at the lots before the money leaves.",
        amount_cents=total,
        facts={"lots": lots, "cents": {str(one): batch[one] for one in lots}, "limit": dollars(limit)},
        lasts=at.settings.approval_lasts,
    )


__all__ = ["SUBJECT", "WAITS", "allowed"]
