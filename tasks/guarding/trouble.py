"""What a person should look at: stuck lots, lost parcels, failures, rates. Findings become incidents."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.desk import desk
from tasks.lots import incidents, leases
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.models import History, Lot, Sale
from tasks.lots.states import LotStatus
from tasks.reports.money import lot_frame, rates
from tasks.rules.thresholds import (
    FULFILMENT_FAILURES_PER_DAY,
    PARCEL_LIMITS,
    REFUND_RATE_LIMIT,
    stuck_severity,
)
from tasks.settling import NOT_CONFIRMED, TOO_DEAR

SALE_LATE = timedelta(hours=1)
#: A margin that is still negative then is a developer's matter.
LOUDER_AFTER = timedelta(hours=24)
#: Holds that a person ends -> what is wrong with the lot's order.
WAIT_FOR_A_PERSON = {TOO_DEAR: "too dear, and is not deleted", NOT_CONFIRMED: "not confirmed"}


def look_for_trouble() -> None:
    """Look at the whole record, report what is wrong, and close what is not wrong any more."""
    at = desk()
    with at.record.write() as session:
        stuck = [*_stuck(session), *_refused_at_cj(session), *_late_sales(session), *_lost_parcels(session)]
        incidents.settle(session, "stuck:", stuck)
        incidents.settle(session, "failures:", _failures(session, timedelta(hours=at.settings.failure_window_hours)))
        if _is_new_hour(session):  # a month's rates change slowly, and all its lots are read for them
            incidents.settle(session, "rates:", _rates(session))


def _is_new_hour(session: Session) -> bool:
    """Whether no cycle has ended in this hour yet."""
    before = leases.last_finished(session, "processing")
    return before is None or before < now().replace(minute=0, second=0, microsecond=0)


def _stuck(session: Session) -> list[Trouble]:
    watched = (LotStatus.AUCTION_CLOSED, LotStatus.PAID, LotStatus.CJ_ORDERED)
    found = []
    for lot in session.scalars(select(Lot).where(Lot.status.in_(watched), Lot.hold_reason.is_(None))):
        if lot.status is LotStatus.AUCTION_CLOSED and lot.stripe_invoice_id:
            continue  # waiting for its buyer, who has days
        hours = (now() - lot.status_since).total_seconds() / 3600
        if severity := stuck_severity(lot.status, hours):
            found.append(
                Trouble(
                    key=f"stuck:lot:{lot.id}",
                    alert="lot-stuck",
                    severity=severity,
                    title=f"Lot {lot.id} has been {lot.status} for {hours:.0f} hours",
                    text=lot.error_message or "No error is on record.",
                    command=f"pipeline lot show {lot.id}",
                    lot_id=lot.id,
                    cents=lot.winning_bid_cents,
                )
            )
    return found


def _refused_at_cj(session: Session) -> list[Trouble]:
    """Paid lots that wait for a person, as CJ said no to a call that their order cannot do without."""
    query = select(Lot).where(Lot.status == LotStatus.PAID, Lot.hold_reason.in_(WAIT_FOR_A_PERSON))
    return [
        Trouble(
            key=f"stuck:refused:{lot.id}",
            alert="fulfilment-failures",
            severity="HIGH",
            title=f"CJ order {lot.cj_order_id} of lot {lot.id} is {WAIT_FOR_A_PERSON[str(lot.hold_reason)]}",
            text=f"{lot.error_message} Nothing is paid for it, and its buyer waits. The command has it tried again. "
            "Or delete it at CJ by hand: that is adopted, and the buyer gets the money back.",
            command=f"pipeline lot retry {lot.id}",
            lot_id=lot.id,
            cents=lot.cj_amount_cents,
        )
        for lot in session.scalars(query.order_by(Lot.id))
    ]


def _late_sales(session: Session) -> list[Trouble]:
    late = session.scalars(
        select(Sale).where(Sale.closes_at < now() - SALE_LATE, Sale.closed_at.is_(None), Sale.published_at.is_not(None))
    )
    return [
        Trouble(
            key=f"stuck:sale:{sale.id}",
            alert="lot-stuck",
            severity="MEDIUM",
            title=f"Sale {sale.basta_sale_id} should have closed",
            text=f"It was to close at {sale.closes_at:%Y-%m-%d %H:%M} UTC, and Basta still shows it open.",
            command=f"pipeline status --sale-id {sale.basta_sale_id}",
        )
        for sale in late
    ]


def _lost_parcels(session: Session) -> list[Trouble]:
    found = []
    for status, limit in PARCEL_LIMITS.items():
        query = select(Lot).where(Lot.status == LotStatus(status), Lot.status_since < now() - limit)
        found += [
            Trouble(
                key=f"stuck:parcel:{lot.id}",
                alert="lot-stuck",
                severity="HIGH",
                title=f"Lot {lot.id} has been {lot.status} for more than {limit.days} days",
                text=f"CJ order {lot.cj_order_id}: ask CJ, or open a dispute there.",
                command=f"pipeline lot show {lot.id}",
                lot_id=lot.id,
                cents=lot.cj_amount_cents,
            )
            for lot in session.scalars(query)
        ]
    return found


def _failures(session: Session, window: timedelta) -> list[Trouble]:
    refused = (LotStatus.CJ_OUT_OF_STOCK, LotStatus.CJ_PRICE_CHANGED)
    lots = set(
        session.scalars(select(History.lot_id).where(History.to.in_(refused), History.at > now() - window).distinct())
    )
    if len(lots) <= FULFILMENT_FAILURES_PER_DAY:
        return []
    return [
        Trouble(
            key="failures:fulfilment",
            alert="fulfilment-failures",
            severity="HIGH",
            title=f"{len(lots)} lots could not be bought in {window.total_seconds() / 3600:.0f} hours",
            text=f"Lots {', '.join(str(one) for one in sorted(lots))}: look for one cause at CJ.",
            command="pipeline status",
        )
    ]


def _rates(session: Session) -> list[Trouble]:
    settings = desk().settings
    since = now() - timedelta(days=settings.rate_window_days)
    paid = session.execute(select(func.count()).select_from(Lot).where(Lot.paid_at >= since)).scalar_one()
    found: list[Trouble] = []
    if paid < settings.rate_minimum_lots:  # too few to judge by: no frame is made for nothing
        return found
    now_rates = rates(lot_frame(session, since=since))
    if now_rates.refund_rate is not None and now_rates.refund_rate > REFUND_RATE_LIMIT:
        found.append(
            Trouble(
                key="rates:refund",
                alert="refund-rate",
                severity="HIGH",
                title=f"{now_rates.refund_rate:.0%} of the paid lots were refunded",
                text=f"Worst keyword: {now_rates.worst_keyword}. Its products may be unreliable: pause sourcing it.",
                command="pipeline keywords list",
            )
        )
    if now_rates.margin_cents < 0:
        lasts = _open_for(session, "rates:margin")
        found.append(
            Trouble(
                key="rates:margin",
                alert="margin",
                severity="CRITICAL" if lasts >= LOUDER_AFTER else "HIGH",
                title="The margin is negative" if lasts < LOUDER_AFTER else "The margin has been negative for a day",
                text=f"Worst keyword: {now_rates.worst_keyword}. Consider RESERVE_RATIO=1.50.",
                command="pipeline report",
                cents=now_rates.margin_cents,
            )
        )
    return found


def _open_for(session: Session, key: str) -> timedelta:
    opened = [incident.opened_at for incident in incidents.open_ones(session, key)]
    return now() - min(opened) if opened else timedelta(0)
