"""The morning page: who runs next, whether webhooks reach us, and how long sourcing takes."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
from rich.console import Console

from deployments.commands import dashboard, schedule
from deployments.commands.progress import expected_calls, time_left
from tasks.lots import cj_calls, leases, ledger
from tasks.lots.engine import Record
from tasks.lots.ledger import Kind
from tasks.lots.models import Buyer, Invoice, Sale
from tasks.lots.states import LotStatus
from tasks.settings import Settings
from tests.builders import make_lot
from tests.conftest import HeldClock

SERVER = "http://127.0.0.1:4200/api"


def page(record: Record, plan: dict[str, Any] | None = None, *, coloured: bool = False) -> str:
    settings = Settings(STRIPE_SECRET_KEY="sk_test_x")
    with record.read() as session:
        view = dashboard.view(session, settings)
    if plan:
        view["schedule"] = plan
    out = io.StringIO()
    dashboard.show(
        Console(file=out, width=200, force_terminal=coloured, color_system="standard" if coloured else None), view
    )
    return out.getvalue()


def test_the_receiver_is_up_while_it_beats_and_missed_when_it_does_not(
    sqlite_record: Record, held_clock: HeldClock
) -> None:
    assert "no receiver (never seen)" in page(sqlite_record)
    leases.beat(sqlite_record, leases.RECEIVER)
    assert "the receiver is up" in page(sqlite_record)
    held_clock.advance(300)
    assert "no receiver (last seen 2026-11-23 12:00 UTC)" in page(sqlite_record)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        pytest.param({"server": "none", "next": {}}, "PREFECT_API_URL is not set", id="no server"),
        pytest.param({"server": "away", "next": {}}, "does not answer", id="away"),
        pytest.param({"server": "ok", "next": {}}, "type pipeline setup", id="nothing scheduled"),
        pytest.param(
            {"server": "ok", "next": {"sourcing/daily": "2026-11-24T08:00:00Z"}},
            "next sourcing/daily: 2026-11-24 08:00 UTC",
            id="scheduled",
        ),
        pytest.param(
            {"server": "ok", "next": {"sourcing/daily": "paused"}}, "next sourcing/daily: paused", id="paused"
        ),
    ],
)
def test_the_next_runs_are_shown_or_why_there_are_none(sqlite_record: Record, plan: dict[str, Any], says: str) -> None:
    assert says in page(sqlite_record, plan)


@respx.mock
def test_the_server_is_asked_for_the_next_run_of_each_deployment() -> None:
    deployments = [
        {"id": "d1", "name": "daily", "entrypoint": "flows.sourcing.sourcing", "paused": False},
        {"id": "d2", "name": "every-10-minutes", "entrypoint": "flows.processing.processing", "paused": True},
        {"id": "d3", "name": "weekly", "entrypoint": "flows.reporting.reporting_flow", "paused": False},
        {"id": "d4", "name": "somebody-else's", "entrypoint": None, "paused": False},
        {"id": "d5", "name": "every-minute", "entrypoint": "flows.late.late", "paused": False},
    ]
    runs = [
        *[{"deployment_id": "d5", "expected_start_time": f"2026-11-23T{hour:02}:00:00Z"} for hour in range(24)] * 10,
        {"deployment_id": "d3", "expected_start_time": "2026-11-24T07:00:00Z"},
        {"deployment_id": "d1", "expected_start_time": "2026-11-24T08:00:00Z"},
        {"deployment_id": "d1", "expected_start_time": "2026-11-25T08:00:00Z"},
    ]

    def found(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        wanted = asked["flow_runs"].get("deployment_id", {}).get("any_")
        rows = [run for run in runs if wanted is None or run["deployment_id"] in wanted]
        return httpx.Response(200, json=rows[: asked["limit"]])

    respx.post(f"{SERVER}/deployments/filter").mock(httpx.Response(200, json=deployments))
    respx.post(f"{SERVER}/flow_runs/filter").mock(side_effect=found)
    told = schedule.upcoming(Settings(PREFECT_API_URL=SERVER))
    assert told == {
        "server": "ok",
        "next": {
            "sourcing/daily": "2026-11-24T08:00:00Z",
            "processing/every-10-minutes": "paused",
            "reporting/weekly": "2026-11-24T07:00:00Z",
            "late/every-minute": "2026-11-23T00:00:00Z",
        },
    }
    assert schedule.upcoming(Settings()) == {"server": "none", "next": {}}


@respx.mock
def test_a_server_that_fails_is_away() -> None:
    respx.post(f"{SERVER}/deployments/filter").mock(httpx.Response(500))
    assert schedule.upcoming(Settings(PREFECT_API_URL=SERVER))["server"] == "away"


def test_the_time_left_is_the_calls_left_at_cjs_pace() -> None:
    assert expected_calls(5) == 12
    assert time_left(0, 12, 1.2) == "about 14 s left"
    assert time_left(11, 12, 1.2) == "about 1 s left"
    assert time_left(11, 12, 0.3) == "a moment left"
    assert time_left(12, 12, 1.2) == "nearly done"


def test_failed_invoices_refunds_and_lots_that_lose_are_named(sqlite_record: Record, held_clock: HeldClock) -> None:
    with sqlite_record.write() as session:
        lost = make_lot(session, LotStatus.DELIVERED, winning_bid_cents=700, paid_at=held_clock.now())
        gone = make_lot(session, LotStatus.CJ_OUT_OF_STOCK, refund_status="PENDING", refund_cents=1_500)
        sale = Sale(title="a sale", created_at=held_clock.now())
        buyer = Buyer(basta_user_id="u", name="Ada", email="ada@people.invalid", created_at=held_clock.now())
        session.add_all([sale, buyer])
        session.flush()
        for seq, status in enumerate(("PAYMENT_FAILED", "VOID")):
            session.add(
                Invoice(
                    sale_id=sale.id, buyer_id=buyer.id, seq=seq, status=status, total_cents=2_000, charges_tried=1,
                    told_by_webhook=False, created_at=held_clock.now(), stripe_invoice_id=f"in_{seq}",
                )
            )  # fmt: skip
        for kind, cents in ((Kind.HAMMER, 700), (Kind.GOODS, -900)):
            ledger.book(session, f"{kind}:1", kind, cents, vendor="a vendor", vendor_id="1", lot_id=lost.id)
        numbers = (lost.id, gone.id)
    shown = page(sqlite_record)
    assert "Invoices declined: 1, $20.00 (in_0): their buyers pay" in shown
    assert "Invoices voided: 1, $20.00 (in_1)" in shown
    assert f"Refunds pending: 1, $15.00 (lots {numbers[1]})." in shown
    assert "DELIVERED (negative margin)" in shown


def test_an_empty_storefront_is_named(sqlite_record: Record) -> None:
    assert "storefront empty" in page(sqlite_record).lower()
    with sqlite_record.write() as session:
        make_lot(session, LotStatus.PUBLISHED)
    assert "storefront empty" not in page(sqlite_record).lower()


def test_lots_that_are_stuck_or_failed_are_named_with_the_reason_and_what_comes_next(
    sqlite_record: Record, held_clock: HeldClock
) -> None:
    limits = {LotStatus.AUCTION_CLOSED: 1, LotStatus.PAID: 1, LotStatus.CJ_ORDERED: 4}
    with sqlite_record.write() as session:
        for status, hours in limits.items():
            for since in (hours + 0.1, hours - 0.1):
                lot = make_lot(session, status, title=f"{status} for {since:.1f} h")
                lot.status_since = held_clock.now() - timedelta(hours=since)
        waits = make_lot(session, LotStatus.AUCTION_CLOSED, stripe_invoice_id="in_1", title="its buyer has days")
        waits.status_since = held_clock.now() - timedelta(hours=30)
        make_lot(session, LotStatus.PAYMENT_FAILED, error_message="card_declined", title="declined")
        make_lot(session, LotStatus.CJ_OUT_OF_STOCK, error_message="the variant is gone", title="no stock")
        make_lot(session, LotStatus.PAID, hold_reason="no address", title="held")
        make_lot(session, LotStatus.SHIPPED, title="all is well")
    rows = [line for line in page(sqlite_record).splitlines() if "│" in line]
    stuck = sorted(line.split("│")[3].strip() for line in rows if "(stuck)" in line)
    assert stuck == ["AUCTION_CLOSED for 1.1 h", "CJ_ORDERED for 4.1 h", "PAID for 1.1 h"]
    named = {title: line for line in rows for title in ("declined", "no stock", "held") if f" {title} " in line}
    assert "card_declined" in named["declined"]
    assert "the buyer pays, or the card is" in named["declined"]
    assert "the variant is gone" in named["no stock"]
    assert "the next cycle refunds it" in named["no stock"]
    assert "no address" in named["held"]
    assert not any("all is well" in line or "its buyer has days" in line for line in rows)


def test_the_quota_stands_at_the_bottom_with_its_age_yellow_below_200_and_red_below_100(
    sqlite_record: Record, held_clock: HeldClock
) -> None:
    with sqlite_record.write() as session:
        for endpoint, allowed in (("/ample", 200), ("/little", 199), ("/least", 99)):
            cj_calls.told(session, {endpoint: allowed}, "total")
    shown = page(sqlite_record, coloured=True)
    lines = [line for line in shown.splitlines() if "/" in line][-3:]
    assert [line.count("2026-11-23 12:00") for line in lines] == [1, 1, 1]
    colour = {"/least": "31", "/little": "33", "/ample": "32"}
    for line, (endpoint, allowed) in zip(lines, (("/least", 99), ("/little", 199), ("/ample", 200)), strict=True):
        assert endpoint in line
        assert f"\x1b[{colour[endpoint]}m{allowed}" in line
    assert shown.splitlines().index(lines[-1]) == len(shown.splitlines()) - 2  # the table's own last rule follows
