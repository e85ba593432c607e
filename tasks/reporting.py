"""Reporting: what a run did, as artifacts of the run — lots, funnel, money, quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run
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
ENDS = {
    "paid": {"CJ_PAID", "SHIPPED", "DELIVERED", "RESERVE_NOT_MET", "CANCELLED"},
    "delivered": {"DELIVERED", "RESERVE_NOT_MET", "CANCELLED"},
}


def show_cycle(tallies: Sequence[Tally]) -> None:
    """The artifacts of one cycle: what each stage did, the lots, the funnel, the money and CJ's quota."""
    worked = [tally for tally in tallies if tally.counts or tally.failures or tally.left]
    if not worked or not flow_run.id:
        return  # a quiet cycle changes nothing worth a new version; and artifacts belong to a run
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


def show_products(chosen: Sequence[dict[str, Any]]) -> None:
    """What was chosen, with its pictures, as an artifact of the run."""
    if not flow_run.id:
        return
    rows = ["| product | goods | freight | landed | from | picture |", "|---|---|---|---|---|---|"]
    for product in chosen:
        picture = f"![picture]({product['image_urls'][0]})" if product["image_urls"] else ""
        title = str(product["title"]).replace("|", "/")
        rows.append(
            f"| {title} | {dollars(product['goods_cents'])} | {dollars(product['freight_cents'])} "
            f"| {dollars(product['landed_cents'])} | {product['from_country']} | {picture} |"
        )
    create_markdown_artifact("\n".join(rows), key="products", description="The products that became lots")
