"""The pages of a run: links where there is something to look at, bars, and nobody's markup."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from tasks.lots import cj_calls
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.models import Buyer, Invoice, Lot, Sale
from tasks.lots.records import LedgerEntry
from tasks.lots.states import LotStatus
from tasks.reporting import pages
from tasks.settings import Settings
from tests.builders import LOT, make_lot

SANDBOX = {
    "CJ_API_URL": "http://127.0.0.1:1/cj",
    "BASTA_API_URL": "http://127.0.0.1:1/basta/graphql",
    "STRIPE_API_URL": "http://127.0.0.1:1/stripe",
    "RESEND_API_URL": "http://127.0.0.1:1/resend",
}


def settings(**values: str) -> Settings:
    return Settings.model_validate(values)


def test_a_lot_is_linked_to_its_pages_at_the_vendors(sqlite_record: Record) -> None:
    with sqlite_record.write() as session:
        make_lot(session, LotStatus.CJ_PAID, basta_sale_id="s", stripe_invoice_id="in_9", cj_order_id="77")
        live = pages.lots(session, settings(STRIPE_SECRET_KEY="sk_live.x"))
        test = pages.lots(session, settings(STRIPE_SECRET_KEY="sk_test_x"))
        sandbox = pages.lots(session, settings(**SANDBOX))
    assert "[Stripe](https://dashboard.stripe.com/invoices/in_9)" in live
    assert "[Stripe](https://dashboard.stripe.com/test/invoices/in_9)" in test
    for page in (live, test):
        assert "[Basta](https://dashboard.basta.app/)" in page
        assert "[CJ](https://cjdropshipping.com/)" in page
    assert "[sandbox](http://127.0.0.1:1/)" in sandbox


@pytest.mark.parametrize(
    "title", ["a | b", "![x](http://evil.invalid)", "<img src=x>", "# head", "`code`", "line\nbreak", "a **b** _c_"]
)
def test_a_suppliers_title_is_text_and_never_markup(sqlite_record: Record, title: str) -> None:
    with sqlite_record.write() as session:
        make_lot(session, title=title)
        page = pages.lots(session, settings(**SANDBOX))
    row = page.splitlines()[2]
    assert len(page.splitlines()) == 3
    for mark in "`*_[]<>#!|":
        bare = row.replace(f"\\{mark}", "").replace("[sandbox](http://127.0.0.1:1/)", "")
        assert mark not in bare or mark in "|_", row
    assert row.replace("\\|", "").count("|") == 8


def test_the_quota_page_draws_what_is_left(sqlite_record: Record) -> None:
    with sqlite_record.write() as session:
        for _ in range(10):
            cj_calls.count(session, "/product/query", allowed=10)
        page = pages.quota(session)
    assert f"`{'█' * 5}{'░' * 5}`" in page


def test_the_funnel_names_every_status_in_the_order_of_a_lots_life(sqlite_record: Record) -> None:
    with sqlite_record.write() as session:
        make_lot(session, LotStatus.PAID)
        rows = pages.funnel(session).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [str(status) for status in LotStatus]


def sell(session: Session, number: int, paid_at: datetime, keyword: str) -> None:
    """So many lots of one keyword that were paid then, each at $30.00 and bought for $10.00."""
    sale, buyer = (
        Sale(title=keyword, created_at=paid_at),
        Buyer(basta_user_id=keyword, name="A", email="a@b.invalid", created_at=paid_at),
    )
    session.add_all((sale, buyer))
    session.flush()
    bill = Invoice(sale_id=sale.id, buyer_id=buyer.id, seq=1, total_cents=3_000 * number, created_at=paid_at)
    session.add(bill)
    session.flush()
    moments = {"paid_at": paid_at, "status_since": paid_at, "created_at": paid_at, "updated_at": paid_at}
    lot = {**LOT, **moments, "keyword": keyword, "status": LotStatus.DELIVERED, "invoice_id": bill.id}
    ids = list(session.scalars(insert(Lot).returning(Lot.id), [lot] * number))
    booked = [
        {"fact": f"{kind}:{one}", "kind": kind, "cents": cents, "lot_id": one, "vendor": "v", "vendor_id": "1"}
        for one in ids
        for kind, cents in (("hammer", 3_000), ("goods", -1_000))
    ]
    session.execute(insert(LedgerEntry), [{**one, "invoice_id": bill.id, "at": paid_at} for one in booked])
    session.flush()


def steps(session: Session, since: datetime) -> tuple[int, str]:
    """What SQLite did for the page of the money, in hundreds of its own steps, and the page."""
    raw: Any = session.connection().connection.driver_connection
    count = [0]

    def step() -> None:
        count[0] += 1

    raw.set_progress_handler(step, 100)
    page = pages.money(session, since)
    raw.set_progress_handler(None, 0)
    return count[0], page


def test_a_cycles_page_of_money_costs_no_more_when_there_are_five_thousand_old_lots(sqlite_record: Record) -> None:
    month = now() - timedelta(days=30)
    with sqlite_record.write() as session:
        sell(session, 100, now() - timedelta(days=2), "usb hub")
        before, page = steps(session, month)
        assert "| $3,000.00 | -$1,000.00 | $0.00 | $0.00 | $2,000.00 (66.7%) | 0.0% |" in page
        sell(session, 5_000, now() - timedelta(days=90), "long ago")
        after, same = steps(session, month)
    assert same == page
    assert after < 1.2 * before
