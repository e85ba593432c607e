"""The pages of a run: links where there is something to look at, bars, and nobody's markup."""

from __future__ import annotations

import pytest

from tasks.lots import cj_calls
from tasks.lots.engine import Record
from tasks.lots.states import LotStatus
from tasks.reporting import pages
from tasks.settings import Settings
from tests.builders import make_lot

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
    assert f"`{'█' * 10}{'░' * 10}`" in page


def test_the_funnel_names_every_status_in_the_order_of_a_lots_life(sqlite_record: Record) -> None:
    with sqlite_record.write() as session:
        make_lot(session, LotStatus.PAID)
        rows = pages.funnel(session).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [str(status) for status in LotStatus]
