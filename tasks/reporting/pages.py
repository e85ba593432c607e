"""The pages of a run: lots, funnel, money and CJ's quota, as markdown.

Markdown and not Prefect's tables, as the tables of its second UI show a link as bare text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.lots import cj_calls
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tasks.reports.money import by_keyword, lot_frame, rates
from tasks.rules import pages
from tasks.rules.money import dollars
from tasks.settings import Mode, Settings

SHOWN = 200
BAR = 10


def lots(session: Session, settings: Settings) -> str:
    """The newest lots, each linked to its pages at the vendors; a lot that waits says what for."""
    newest = session.scalars(select(Lot).order_by(Lot.id.desc()).limit(SHOWN))
    rows = [
        (
            lot.id,
            str(lot.status),
            _plain(lot.title[:60]),
            dollars(lot.winning_bid_cents) if lot.winning_bid_cents else "",
            dollars(lot.landed_cents),
            _links(lot, settings),
            _plain(" ".join(part for part in (lot.hold_reason, lot.error_message) if part)[:120]),
        )
        for lot in newest
    ]
    return _table(("lot", "status", "title", "hammer", "landed", "at", "waits for, or ended as"), rows)


def _links(lot: Lot, settings: Settings) -> str:
    """A sandbox has one page for all of its vendors."""
    if settings.mode is Mode.SANDBOX:
        return f"[sandbox]({settings.basta_api_url.split('/basta', 1)[0]}/)"
    found = [f"[Basta]({pages.BASTA})"] if lot.basta_sale_id else []
    if lot.stripe_invoice_id:
        page = pages.stripe_page(lot.stripe_invoice_id, test=settings.mode is Mode.TEST)
        found.append(f"[Stripe]({page})")
    if lot.cj_order_id:
        found.append(f"[CJ]({pages.CJ})")
    return " ".join(found)


def funnel(session: Session) -> str:
    """How many lots are in each status, in the order of a lot's life."""
    counts = {row[0]: row[1] for row in session.execute(select(Lot.status, func.count()).group_by(Lot.status))}
    most = max(counts.values(), default=0)
    rows = [(str(one), counts.get(one, 0), _bar(counts.get(one, 0), most)) for one in LotStatus]
    return _table(("status", "lots", ""), rows)


def money(session: Session, since: datetime | None) -> str:
    """Margin and refund rate of the lots paid since then, or ever, in all and by keyword, the worst first."""
    frame = lot_frame(session, since)
    total = rates(frame)
    margin = f"{total.margin_rate:.1%}" if total.margin_rate is not None else "no income yet"
    refunds = f"{total.refund_rate:.1%}" if total.refund_rate is not None else "no paid lot yet"
    whole = (
        dollars(total.income_cents),
        dollars(total.cost_cents),
        dollars(total.fee_cents),
        dollars(total.refunded_cents),
        f"{dollars(total.margin_cents)} ({margin})",
        refunds,
    )
    words = [
        (
            _plain(row["keyword"]),
            row["lots"],
            dollars(row["income_cents"]),
            dollars(row["margin_cents"]),
            row["refunded"],
        )
        for row in by_keyword(frame).iter_rows(named=True)
    ]
    return "\n\n".join(
        (
            _table(("income", "goods and freight", "Stripe's fees", "refunded", "margin", "refund rate"), [whole]),
            _table(("keyword", "lots", "income", "margin", "refunded"), words),
        )
    )


def quota(session: Session) -> str:
    """What CJ still allows, in calls, the scarcest endpoint first, with a bar of what is left."""
    rows = [
        (
            f"`{one.endpoint}`",
            one.calls,
            one.allowed,
            _bar(one.allowed, one.calls + one.allowed),
            _plain(one.regime),
        )
        for one in cj_calls.allowances(session)
    ]
    return _table(("endpoint", "calls made", "still allowed", "left", "as told by"), rows)


def products(chosen: Sequence[dict[str, Any]]) -> str:
    """What was chosen, with its pictures."""
    rows = [
        (
            _plain(str(product["title"])),
            dollars(product["goods_cents"]),
            dollars(product["freight_cents"]),
            dollars(product["landed_cents"]),
            product["from_country"],
            f"![picture]({product['image_urls'][0]})" if product["image_urls"] else "",
        )
        for product in chosen
    ]
    return _table(("product", "goods", "freight", "landed", "from", "picture"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _bar(part: int, whole: int) -> str:
    full = round(BAR * part / whole) if whole else 0
    return f"`{'█' * full}{'░' * (BAR - full)}`"


def _plain(text: str) -> str:
    """A supplier's text as text: nothing in it is markup, and it stays within its cell."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>|#!":
        flat = flat.replace(mark, f"\\{mark}")
    return flat
