"""Reporting: what a run did, as artifacts of the run — lots, funnel, money, quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.cycling import Tally
from tasks.desk import desk
from tasks.lots import cj_calls
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tasks.reports.money import by_keyword, lot_frame, rates
from tasks.rules.money import dollars

SHOWN = 200


def show_cycle(tallies: Sequence[Tally]) -> None:
    """The artifacts of one cycle: what each stage did, the lots, the funnel, the money and CJ's quota."""
    worked = [tally for tally in tallies if tally.counts or tally.failures or tally.left]
    if not worked:
        return  # a quiet cycle changes nothing worth a new version
    with desk().record.read() as session:
        create_table_artifact(table=_stages(tallies), key="stages", description="What each stage of the cycle did")
        create_table_artifact(table=lots_table(session), key="lots", description="The newest lots")
        create_table_artifact(table=funnel(session), key="funnel", description="Lots by status")
        create_markdown_artifact(money(session), key="money", description="Margin and refund rate")
        create_table_artifact(table=quota(session), key="quota", description="What CJ still allows, in calls")


def _stages(tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    return [
        {
            "stage": tally.stage,
            "done": ", ".join(f"{number} {what}" for what, number in sorted(tally.counts.items())),
            "failed": len(tally.failures),
            "left": tally.left,
        }
        for tally in tallies
    ]


def lots_table(session: Session) -> list[dict[str, Any]]:
    """One row a lot, the newest first."""
    lots = session.scalars(select(Lot).order_by(Lot.id.desc()).limit(SHOWN))
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
        for lot in lots
    ]


def funnel(session: Session) -> list[dict[str, Any]]:
    """How many lots are in each status, in the order of a lot's life."""
    counts = {row[0]: row[1] for row in session.execute(select(Lot.status, func.count()).group_by(Lot.status))}
    return [{"status": str(status), "lots": counts.get(status, 0)} for status in LotStatus]


def money(session: Session) -> str:
    """Margin and refund rate, in words and by keyword."""
    frame = lot_frame(session)
    total = rates(frame)
    margin = f"{total.margin_rate:.1%}" if total.margin_rate is not None else "no income yet"
    refunds = f"{total.refund_rate:.1%}" if total.refund_rate is not None else "no paid lot yet"
    lines = [
        "| income | goods and freight | Stripe's fees | refunded | margin | refund rate |",
        "|---|---|---|---|---|---|",
        f"| {dollars(total.income_cents)} | {dollars(total.cost_cents)} | {dollars(total.fee_cents)} "
        f"| {dollars(total.refunded_cents)} | {dollars(total.margin_cents)} ({margin}) | {refunds} |",
        "",
        "| keyword | lots | income | margin | refunded |",
        "|---|---|---|---|---|",
    ]
    for row in by_keyword(frame).iter_rows(named=True):
        lines.append(
            f"| {row['keyword']} | {row['lots']} | {dollars(row['income_cents'])} "
            f"| {dollars(row['margin_cents'])} | {row['refunded']} |"
        )
    return "\n".join(lines)


def quota(session: Session) -> list[dict[str, Any]]:
    """What CJ still allows, the scarcest endpoint first."""
    return [
        {"endpoint": one.endpoint, "calls made": one.calls, "still allowed": one.allowed, "as told by": one.regime}
        for one in cj_calls.allowances(session)
    ]
