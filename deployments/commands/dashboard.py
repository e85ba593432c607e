"""The status page: what an operator looks at in the morning. It imports no Prefect, and makes no call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.lots import approvals, cj_calls, incidents, outbox, pauses
from tasks.lots.clock import now
from tasks.lots.leases import NO_FLOWS, RECEIVER
from tasks.lots.models import Invoice, Lot
from tasks.lots.records import FlowLease
from tasks.lots.states import LotStatus
from tasks.reports.money import lot_frame, rates
from tasks.rules.money import dollars
from tasks.rules.thresholds import STATUS_PAGE_HOURS, quota_verdict
from tasks.settings import Settings

SHOWN = 30
NAMED = 5
BEATS_MISSED = timedelta(minutes=2)
FAILED = (LotStatus.PAYMENT_FAILED, LotStatus.CJ_OUT_OF_STOCK, LotStatus.CJ_PRICE_CHANGED)
NEXT = {
    "PAYMENT_FAILED": "the buyer pays, or the card is tried again; voided at the deadline",
    "CJ_OUT_OF_STOCK": "the next cycle refunds it",
    "CJ_PRICE_CHANGED": "the next cycle refunds it",
    "AUCTION_CLOSED": "the next cycle invoices it, or its buyer pays",
    "PAID": "the next cycle orders it at CJ",
    "CJ_ORDERED": "the next cycle pays it at CJ",
}
COLUMNS = (
    "cj_pid",
    "cj_vid",
    "basta_sale_id",
    "basta_item_id",
    "winner_user_id",
    "winning_bid_cents",
    "stripe_invoice_id",
    "cj_order_number",
    "cj_order_id",
    "refund_status",
    "refund_cents",
    "landed_cents",
    "cj_amount_cents",
    "tracking_number",
    "keyword",
    "title",
)


#: What there is to see when nothing can be seen: the same fields, all empty.
NOTHING: dict[str, Any] = {
    **{name: [] for name in ("lots", "stuck", "failed", "negative_margin", "failed_invoices", "refunds", "quota")},
    **{name: [] for name in ("pauses", "approvals", "incidents")},
    **{name: {} for name in ("money", "flows", "receiver", "schedule")},
    "untold": None,
    "mode": None,
}


def view(session: Session, settings: Settings, sale_id: str | None = None) -> dict[str, Any]:
    """Everything the page shows, as plain values."""
    query = select(Lot).order_by(Lot.id)
    lots = list(session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query))
    frame = lot_frame(session)
    if sale_id:
        frame = frame.filter(frame["basta_sale_id"] == sale_id)
    total = rates(frame)
    losing = frame.filter(frame["margin_cents"] < 0)["lot_id"].to_list() if frame.height else []
    return {
        "lots": [_lot(lot) for lot in lots],
        "stuck": [lot.id for lot in lots if _is_stuck(lot)],
        "failed": [lot.id for lot in lots if lot.status in FAILED or lot.refund_status == "FAILED"],
        "negative_margin": [one for one in losing if _is_final(lots, one)],
        "failed_invoices": _failed_invoices(session, {lot.invoice_id for lot in lots} if sale_id else None),
        "refunds": [
            {"lot_id": lot.id, "status": lot.refund_status, "cents": lot.refund_cents or 0}
            for lot in lots
            if lot.refund_status
        ],
        "money": {
            "paid_lots": total.paid_lots,
            "refunded_lots": total.refunded_lots,
            "income_cents": total.income_cents,
            "cost_cents": total.cost_cents,
            "fee_cents": total.fee_cents,
            "refunded_cents": total.refunded_cents,
            "margin_cents": total.margin_cents,
            "margin_rate": total.margin_rate,
            "refund_rate": total.refund_rate,
        },
        "quota": [
            {
                "endpoint": one.endpoint,
                "calls": one.calls,
                "allowed": one.allowed,
                "regime": one.regime,
                "told_at": one.told_at.isoformat() if one.told_at else None,
                "verdict": quota_verdict(one.allowed, settings.quota_warning, settings.quota_critical),
            }
            for one in cj_calls.allowances(session)
        ],
        "flows": {
            lease.flow: _flow(lease) for lease in session.scalars(select(FlowLease)) if lease.flow not in NO_FLOWS
        },
        "receiver": _receiver(session),
        "pauses": [{"scope": one.scope, "since": one.since.isoformat()} for one in pauses.current(session)],
        "approvals": [{"id": one.id, "question": one.question} for one in approvals.open_ones(session)],
        "incidents": [
            {"severity": one.severity, "title": one.title, "text": one.text, "command": one.command}
            for one in incidents.open_ones(session)
        ],
        "untold": _untold(session),
        "mode": str(settings.mode),
    }


def _lot(lot: Lot) -> dict[str, Any]:
    row: dict[str, Any] = {"id": lot.id, "status": str(lot.status), "hold_reason": lot.hold_reason}
    row["error_message"] = lot.error_message
    row |= {name: getattr(lot, name) for name in COLUMNS}
    row["status_since"] = lot.status_since.isoformat()
    row["next"] = NEXT.get(str(lot.status))
    return row


def _is_stuck(lot: Lot) -> bool:
    limit = STATUS_PAGE_HOURS.get(str(lot.status))
    waits = lot.status is LotStatus.AUCTION_CLOSED and lot.stripe_invoice_id is not None
    return limit is not None and not waits and now() - lot.status_since > timedelta(hours=limit)


def _is_final(lots: list[Lot], lot_id: int) -> bool:
    """A lot whose refund is under way has no margin yet."""
    lot = next((one for one in lots if one.id == lot_id), None)
    return lot is not None and lot.refund_status is None


def _failed_invoices(session: Session, only: set[int | None] | None) -> list[dict[str, Any]]:
    """Those declined and those voided: of all sales, or only these."""
    failed = select(Invoice).where(Invoice.status.in_(("PAYMENT_FAILED", "VOID"))).order_by(Invoice.id)
    rows = [row for row in session.scalars(failed) if only is None or row.id in only]
    return [
        {"id": row.id, "stripe_invoice_id": row.stripe_invoice_id, "status": row.status, "cents": row.total_cents}
        for row in rows
    ]


def _receiver(session: Session) -> dict[str, Any]:
    """When the webhook receiver was last alive, and whether it is."""
    row = session.get(FlowLease, RECEIVER)
    seen = row.finished_at if row else None
    alive = seen is not None and now() - seen < BEATS_MISSED
    return {"alive": alive, "seen_at": seen.isoformat() if seen else None}


def _untold(session: Session) -> dict[str, Any] | None:
    """What the alert channel did not take, and why; None when it works."""
    late = outbox.waiting(session)
    return {"messages": late.number, "since": late.since.isoformat(), "error": late.error} if late else None


def _flow(lease: FlowLease) -> dict[str, Any]:
    return {
        "running": lease.runner if lease.owner and lease.until and lease.until > now() else None,
        "started_at": lease.started_at.isoformat() if lease.started_at else None,
        "finished_at": lease.finished_at.isoformat() if lease.finished_at else None,
        "outcome": lease.outcome,
    }


def show(console: Console, page: dict[str, Any]) -> None:
    """Print the page."""
    if untold := page["untold"]:
        console.print(
            f"[bold red]The alert channel fails:[/] {untold['messages']} messages wait since {untold['since'][:16]}: "
            f"{untold['error'] or 'nobody posted them'}",
            highlight=False,
        )
        console.print("    type: pipeline automations test", highlight=False)
    for pause in page["pauses"]:
        console.print(f"[bold red]{pause['scope']} is paused[/] since {pause['since']}")
    for flow, run in page["flows"].items():
        last = run["finished_at"] or "never"
        console.print(f"{flow}: {'running as ' + run['running'] if run['running'] else 'last finished ' + last}")
    if "processing" not in page["flows"]:
        console.print("processing: never ran here")
    _show_life(console, page)
    counts: dict[str, int] = {}
    for lot in page["lots"]:
        counts[lot["status"]] = counts.get(lot["status"], 0) + 1
    table = Table(*[str(status) for status in LotStatus if counts.get(status)], title="Lots by status")
    if counts:
        table.add_row(*[str(counts[status]) for status in LotStatus if counts.get(status)])
        console.print(table)
    if not counts.get("LISTED") and not counts.get("PUBLISHED"):
        console.print("[yellow]Storefront empty: source more products.[/]")
    _show_lots(console, page)
    for incident in page["incidents"]:
        console.print(f"[red]{incident['severity']}[/] {incident['title']}: {incident['text']}", highlight=False)
        if incident["command"]:
            console.print(f"    type: {incident['command']}", highlight=False)
    for question in page["approvals"]:
        console.print(f"[yellow]Waiting for a yes or no:[/] {question['question']}", highlight=False)
        console.print(f"    type: pipeline approvals answer {question['id']} --yes, or --no", highlight=False)
    _show_invoices(console, page["failed_invoices"])
    _show_refunds(console, page["refunds"])
    _show_money(console, page["money"])
    _show_quota(console, page["quota"])


def _show_life(console: Console, page: dict[str, Any]) -> None:
    """Who will run next, and whether the vendors' webhooks reach us."""
    plan = page.get("schedule") or {"server": "none", "next": {}}
    if plan["server"] == "none":
        console.print("next runs: none are scheduled, as PREFECT_API_URL is not set")
    elif plan["server"] == "away":
        console.print("[red]next runs: the Prefect server does not answer[/]")
    elif not plan["next"]:
        console.print("[yellow]next runs: none are scheduled: type pipeline setup[/]")
    for name, when in sorted(plan["next"].items()):
        told = when if when == "paused" else f"{when[:16].replace('T', ' ')} UTC"
        console.print(f"next {name}: {told}", highlight=False)
    receiver = page["receiver"]
    if receiver["alive"]:
        console.print("webhooks: the receiver is up")
    else:
        seen = f"last seen {receiver['seen_at'][:16].replace('T', ' ')} UTC" if receiver["seen_at"] else "never seen"
        console.print(f"webhooks: no receiver ({seen}); polling alone finds everything, later")


def _show_lots(console: Console, page: dict[str, Any]) -> None:
    troubled = set(page["stuck"]) | set(page["failed"]) | set(page["negative_margin"])
    rows = [lot for lot in page["lots"] if lot["id"] in troubled or lot["hold_reason"]] or page["lots"][-SHOWN:]
    if not rows:
        return
    table = Table("lot", "status", "title", "hammer", "landed", "reason", "next")
    for lot in rows[-SHOWN:]:
        table.add_row(
            str(lot["id"]),
            lot["status"] + _marks(lot["id"], page),
            lot["title"][:36],
            dollars(lot["winning_bid_cents"]) if lot["winning_bid_cents"] else "",
            dollars(lot["landed_cents"]),
            lot["hold_reason"] or (lot["error_message"] or "")[:48],
            lot["next"] or "",
        )
    console.print(table)


def _marks(lot_id: int, page: dict[str, Any]) -> str:
    words = [name.replace("_", " ") for name in ("stuck", "negative_margin") if lot_id in page[name]]
    return f" ({', '.join(words)})" if words else ""


def _show_invoices(console: Console, failed: list[dict[str, Any]]) -> None:
    for status, words, what in (
        ("PAYMENT_FAILED", "declined", "their buyers pay, or the cards are tried again"),
        ("VOID", "voided", "nothing is owed on them any more"),
    ):
        if rows := [one for one in failed if one["status"] == status]:
            ids = ", ".join(one["stripe_invoice_id"] or str(one["id"]) for one in rows[-NAMED:])
            total = dollars(sum(one["cents"] for one in rows))
            console.print(f"Invoices {words}: {len(rows)}, {total} ({ids}): {what}.", highlight=False)


def _show_refunds(console: Console, refunds: list[dict[str, Any]]) -> None:
    for status in dict.fromkeys(one["status"] for one in refunds):
        rows = [one for one in refunds if one["status"] == status]
        lots = ", ".join(str(one["lot_id"]) for one in rows[-NAMED:])
        total = dollars(sum(one["cents"] for one in rows))
        console.print(f"Refunds {status.lower()}: {len(rows)}, {total} (lots {lots}).", highlight=False)


def _show_money(console: Console, money: dict[str, Any]) -> None:
    margin = f"{money['margin_rate']:.1%}" if money["margin_rate"] is not None else "no income yet"
    refunds = f"{money['refund_rate']:.1%}" if money["refund_rate"] is not None else "no paid lot yet"
    console.print(
        f"Income {dollars(money['income_cents'])}, goods and freight {dollars(money['cost_cents'])}, "
        f"Stripe's fees {dollars(money['fee_cents'])}, refunded {dollars(money['refunded_cents'])}: "
        f"margin {dollars(money['margin_cents'])} ({margin}); refund rate {refunds} of {money['paid_lots']} paid lots.",
        highlight=False,
    )


def _show_quota(console: Console, quota: list[dict[str, Any]]) -> None:
    if not quota:
        console.print("CJ's quota: nothing was called yet.")
        return
    table = Table("CJ endpoint", "calls made", "still allowed", "as told by", "told at", title="CJ's quota")
    colours = {"critical": "red", "warning": "yellow", "ok": "green", "unknown": "yellow"}
    for one in quota:
        told = (one["told_at"] or "")[:16].replace("T", " ")
        allowed = f"[{colours[one['verdict']]}]{one['allowed']}[/]"
        table.add_row(one["endpoint"], str(one["calls"]), allowed, one["regime"], told)
    console.print(table)
