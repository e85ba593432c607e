"""Margin and refund rate, on frames small enough to reckon by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.money import LEDGER, LOTS, by_keyword, margins, rates

AT = datetime(2026, 3, 2, tzinfo=UTC)


def lots(*rows: tuple[int, int | None, str, str, str | None]) -> pl.DataFrame:
    """lot, invoice, keyword, status, refund."""
    full = [(lot, invoice, word, status, 0, refund, AT, "sale") for lot, invoice, word, status, refund in rows]
    return pl.DataFrame(full, schema=LOTS, orient="row")


def ledger(*rows: tuple[int | None, int, str, int]) -> pl.DataFrame:
    """lot, invoice, kind, cents."""
    return pl.DataFrame([(*row, AT) for row in rows], schema=LEDGER, orient="row")


def test_the_margin_is_what_came_in_less_all_that_went_out_and_tax_is_neither() -> None:
    frame = margins(
        lots((1, 1, "lamp", "DELIVERED", None)),
        ledger((1, 1, "hammer", 3_000), (1, 1, "premium", 300), (1, 1, "tax", 200), (None, 1, "stripe_fee", -131),
               (1, 1, "goods", -1_000), (1, 1, "freight", -500)),
    )  # fmt: skip
    (row,) = frame.to_dicts()
    assert row["income_cents"] == 3_300
    assert row["cost_cents"] == -1_500
    assert row["margin_cents"] == 3_300 - 1_500 - 131


def test_a_refund_turns_income_into_a_loss_of_the_fee_alone() -> None:
    frame = margins(
        lots((1, 1, "lamp", "CANCELLED", "SUCCEEDED")),
        ledger((1, 1, "hammer", 3_000), (None, 1, "stripe_fee", -117), (1, 1, "refund", -3_000)),
    )
    total = rates(frame)
    assert (total.margin_cents, total.refunded_cents, total.refund_rate) == (-117, -3_000, 1.0)


def test_a_refund_takes_its_tax_with_it() -> None:
    frame = margins(
        lots((1, 1, "lamp", "CANCELLED", "SUCCEEDED")),
        ledger((1, 1, "hammer", 3_000), (1, 1, "tax", 247), (None, 1, "stripe_fee", -117), (1, 1, "refund", -3_247)),
    )
    total = rates(frame)
    assert (total.margin_cents, total.refunded_cents) == (-117, -3_247)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=8), st.integers(1, 9_999))
def test_the_shares_of_an_invoices_fee_add_up_to_the_fee(hammers: list[int], fee: int) -> None:
    rows = [(number, 1, "lamp", "PAID", None) for number in range(len(hammers))]
    booked = [(number, 1, "hammer", cents) for number, cents in enumerate(hammers)]
    frame = margins(lots(*rows), ledger(*booked, (None, 1, "stripe_fee", -fee)))
    assert frame["fee_cents"].sum() == -fee
    assert frame["margin_cents"].sum() == sum(hammers) - fee


def test_the_worst_keyword_is_named_first_and_unpaid_lots_count_nowhere() -> None:
    unpaid = lots((3, None, "chair", "PUBLISHED", None)).with_columns(paid_at=pl.lit(None, dtype=LOTS["paid_at"]))
    frame = margins(
        pl.concat([lots((1, 1, "lamp", "DELIVERED", None), (2, 2, "fan", "DELIVERED", None)), unpaid]),
        ledger((1, 1, "hammer", 1_000), (2, 2, "hammer", 1_000), (2, 2, "goods", -1_500)),
    )
    assert by_keyword(frame)["keyword"].to_list() == ["fan", "lamp"]
    total = rates(frame)
    assert (total.paid_lots, total.worst_keyword, total.margin_rate) == (2, "fan", 500 / 2_000)


def test_an_empty_record_has_no_rates_and_no_worst_keyword() -> None:
    total = rates(margins(lots(), ledger()))
    assert (total.margin_rate, total.refund_rate, total.worst_keyword) == (None, None, None)
