"""Which lots are before a person: an open incident, or a question, keeps this very lot from its end as it stands.

That something else about a lot is told, or that it is told to be stuck, excuses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.batching import WAITS
from tasks.fulfilment.capping import CAP
from tasks.lots.models import Invoice, Lot
from tasks.lots.records import Approval, Incident
from tasks.lots.states import LotStatus
from tasks.refunding import UNDELIVERABLE
from tasks.reversals import LOST, REFUNDED, UNSHIPPED
from tasks.settling import DISPUTE, UNPAID
from tests.simulation.rehearsal import Rehearsal

Keeps = Callable[[Lot], bool]


def _is_owed(lot: Lot) -> bool:
    return lot.refund_status == "PLANNED" or (lot.status in UNDELIVERABLE and lot.refund_status is None)


#: The key of an incident about a lot, before the lot's id; and how a lot stands that it keeps.
ABOUT_A_LOT: dict[str, Keeps] = {
    "pay:lot": lambda lot: lot.status is LotStatus.CJ_ORDERED,
    "not-shown:lot": lambda lot: lot.status in (LotStatus.CJ_PAID, LotStatus.SHIPPED),
    "order-lives:lot": lambda lot: lot.status in UNSHIPPED and lot.hold_reason in (REFUNDED, LOST),
    "refund:failed": lambda lot: lot.refund_status == "FAILED",
    "refund:disputed": _is_owed,
    "refund:unproven": _is_owed,
}
#: The same for an incident about an invoice: what follows the invoice's id in its key.
ABOUT_AN_INVOICE: dict[str, Keeps] = {
    what: lambda lot: lot.status in UNPAID for what in ("voided", "credited", "underpaid", "refused", "tax")
}
#: And for one that names Stripe's id of an invoice in its title: the beginning of its key.
ABOUT_A_PAYMENT: dict[str, Keeps] = {
    "dispute:": lambda lot: lot.status in UNSHIPPED and lot.hold_reason == DISPUTE,
    "refund:by-hand:": lambda lot: lot.status in UNSHIPPED[:2] and lot.hold_reason == REFUNDED,
}
#: A question about several lots: its kind, and why such a lot waits for the answer.
ASKED = {"spend": CAP, "refunds": WAITS}


def held(stage: Rehearsal) -> set[int]:
    """Lots that a person must set going."""
    with stage.record.read() as session:
        open_ones = list(session.scalars(select(Incident).where(Incident.closed_at.is_(None))))
        asked = list(_asked(session, stage))
        return {
            lot.id
            for lot, invoice in session.execute(select(Lot, Invoice).outerjoin(Invoice, Lot.invoice_id == Invoice.id))
            if lot.hold_reason in (ASKED[one.kind] for one in asked if lot.id in one.facts["lots"])
            or any(_keeps(one, lot, invoice) for one in open_ones)
        }


def _keeps(incident: Incident, lot: Lot, invoice: Invoice | None) -> bool:
    about, _, last = incident.key.rpartition(":")
    if about in ABOUT_A_LOT and last == str(lot.id):
        return ABOUT_A_LOT[about](lot)
    if invoice is None:
        return False
    if about == f"invoice:{invoice.id}":
        return last in ABOUT_AN_INVOICE and ABOUT_AN_INVOICE[last](lot)
    if re.search(rf"\b{invoice.stripe_invoice_id}\b", incident.title):
        return any(incident.key.startswith(one) and keeps(lot) for one, keeps in ABOUT_A_PAYMENT.items())
    return False


def _asked(session: Session, stage: Rehearsal) -> Iterator[Approval]:
    now = stage.clock.now()
    for one in session.scalars(select(Approval).where(Approval.state == "ASKED")):
        if one.kind in ASKED and one.expires_at > now:
            yield one
