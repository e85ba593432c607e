"""Margin and refund rate, as Polars frames over the ledger. All sums are whole cents; rates are shares of 1."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from tasks.lots.models import Lot
from tasks.lots.records import LedgerEntry

LEDGER: dict[str, pl.DataType | type[pl.DataType]] = {
    "lot_id": pl.Int64,
    "invoice_id": pl.Int64,
    "kind": pl.String,
    "cents": pl.Int64,
    "at": pl.Datetime(time_zone="UTC"),
}
LOTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "lot_id": pl.Int64,
    "invoice_id": pl.Int64,
    "keyword": pl.String,
    "status": pl.String,
    "hammer_cents": pl.Int64,
    "refund_status": pl.String,
    "paid_at": pl.Datetime(time_zone="UTC"),
    "basta_sale_id": pl.String,
}
#: What the buyer paid us, what we spent, what went back; together they are the margin.
INCOME = ["hammer", "premium"]
COSTS = ["goods", "freight", "cj_credit"]
BACK = ["refund", "refund_failed", "dispute"]


def ledger_frame(session: Session, since: datetime | None = None) -> pl.DataFrame:
    """All ledger rows, or those of `lots_frame`: lot_id, invoice_id, kind, cents (signed), at."""
    query = select(LedgerEntry.lot_id, LedgerEntry.invoice_id, LedgerEntry.kind, LedgerEntry.cents, LedgerEntry.at)
    if since is not None:
        lots = select(Lot.id).where(_billed_with_paid(since))
        query = query.where(or_(LedgerEntry.lot_id.in_(lots), LedgerEntry.invoice_id.in_(_paid_invoices(since))))
    rows = session.execute(query).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=LEDGER, orient="row")


def lots_frame(session: Session, since: datetime | None = None) -> pl.DataFrame:
    """All lots, or those billed with one paid since: id, invoice, keyword, status, hammer, refund, paid_at, sale."""
    query = select(
        Lot.id,
        Lot.invoice_id,
        Lot.keyword,
        Lot.status,
        Lot.winning_bid_cents,
        Lot.refund_status,
        Lot.paid_at,
        Lot.basta_sale_id,
    )
    rows = session.execute(query if since is None else query.where(_billed_with_paid(since))).all()
    return pl.DataFrame([(*row[:3], str(row[3]), *row[4:]) for row in rows], schema=LOTS, orient="row")


def _paid_invoices(since: datetime) -> Select[tuple[int | None]]:
    return select(Lot.invoice_id).where(Lot.paid_at >= since)


def _billed_with_paid(since: datetime) -> ColumnElement[bool]:
    """An invoice's fee is shared by all of its lots, so they are read together."""
    return Lot.invoice_id.in_(_paid_invoices(since))


def margins(lots: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """One row a lot that was ever paid: income, costs, refunded, stripe fee and margin, in cents.

    Stripe's fees (of the charge, of a dispute) are the invoice's; each of its lots bears the share of its own
    income, and the largest lot the odd cents, so that the shares add up.
    """
    per_lot = (
        ledger.filter(pl.col("lot_id").is_not_null())
        .group_by("lot_id")
        .agg(
            pl.col("cents").filter(pl.col("kind").is_in(INCOME)).sum().alias("income_cents"),
            pl.col("cents").filter(pl.col("kind").is_in(COSTS)).sum().alias("cost_cents"),
            pl.col("cents").filter(pl.col("kind").is_in(BACK)).sum().alias("back_cents"),
            pl.col("cents").filter(pl.col("kind") == "tax").sum().alias("tax_cents"),
        )
    )
    fees = (
        ledger.filter(pl.col("kind").is_in(["stripe_fee", "dispute_fee"]))
        .group_by("invoice_id")
        .agg(pl.col("cents").sum().alias("invoice_fee_cents"))
    )
    joined = (
        lots.filter(pl.col("paid_at").is_not_null())
        .join(per_lot, on="lot_id", how="left")
        .join(fees, on="invoice_id", how="left")
        .with_columns(pl.col("income_cents", "cost_cents", "back_cents", "tax_cents", "invoice_fee_cents").fill_null(0))
    )
    # Tax is the state's, so it is no margin; what went back to the buyer had its share of tax in it.
    billed = pl.max_horizontal(pl.col("income_cents") + pl.col("tax_cents"), pl.lit(1))
    joined = joined.with_columns((-pl.col("back_cents") * pl.col("tax_cents") // billed).alias("tax_back_cents"))
    whole = pl.col("income_cents").sum().over("invoice_id")
    share = (
        pl.when(whole > 0)
        .then((pl.col("invoice_fee_cents") * pl.col("income_cents")) // pl.max_horizontal(whole, pl.lit(1)))
        .otherwise(0)
    )
    shared = joined.with_columns(share.alias("fee_cents"))
    rest = pl.col("invoice_fee_cents") - pl.col("fee_cents").sum().over("invoice_id")
    largest = pl.col("lot_id") == pl.col("lot_id").sort_by("income_cents", "lot_id").last().over("invoice_id")
    return shared.with_columns(
        (pl.col("fee_cents") + pl.when(largest).then(rest).otherwise(0)).alias("fee_cents")
    ).with_columns(
        pl.sum_horizontal("income_cents", "cost_cents", "fee_cents", "back_cents", "tax_back_cents").alias(
            "margin_cents"
        )
    )


def lot_frame(session: Session, since: datetime | None = None) -> pl.DataFrame:
    """`margins` of the record, of lots paid since then."""
    frame = margins(lots_frame(session, since), ledger_frame(session, since))
    return frame if since is None else frame.filter(pl.col("paid_at") >= since)


@dataclass(frozen=True)
class Rates:
    """The figures an operator is judged by."""

    paid_lots: int
    refunded_lots: int
    income_cents: int
    cost_cents: int
    fee_cents: int
    refunded_cents: int
    margin_cents: int
    worst_keyword: str | None

    @property
    def margin_rate(self) -> float | None:
        """Margin as a share of income; None without income."""
        return self.margin_cents / self.income_cents if self.income_cents else None

    @property
    def refund_rate(self) -> float | None:
        """Refunded lots as a share of paid ones; None before the first."""
        return self.refunded_lots / self.paid_lots if self.paid_lots else None


def rates(frame: pl.DataFrame) -> Rates:
    """The totals over `lot_frame`."""
    refunded = frame.filter(pl.col("refund_status").is_in(["PENDING", "SUCCEEDED", "FAILED"]))
    keywords = by_keyword(frame)
    return Rates(
        paid_lots=frame.height,
        refunded_lots=refunded.height,
        income_cents=int(frame["income_cents"].sum()),
        cost_cents=int(frame["cost_cents"].sum()),
        fee_cents=int(frame["fee_cents"].sum()),
        refunded_cents=int(frame["back_cents"].sum()),
        margin_cents=int(frame["margin_cents"].sum()),
        worst_keyword=keywords["keyword"][0] if keywords.height else None,
    )


def by_keyword(frame: pl.DataFrame) -> pl.DataFrame:
    """Lots, income, margin and refunded lots a keyword, the worst margin first."""
    return (
        frame.group_by("keyword")
        .agg(
            pl.len().alias("lots"),
            pl.col("income_cents").sum(),
            pl.col("margin_cents").sum(),
            pl.col("refund_status").is_in(["PENDING", "SUCCEEDED", "FAILED"]).sum().alias("refunded"),
        )
        .sort("margin_cents", "keyword")
    )


def by_month(frame: pl.DataFrame) -> pl.DataFrame:
    """Lots, income, margin and refunded lots a month of payment (UTC), in order of time; rates are shares of 1."""
    return (
        frame.group_by(pl.col("paid_at").dt.strftime("%Y-%m").alias("month"))
        .agg(
            pl.len().alias("lots"),
            pl.col("income_cents").sum(),
            pl.col("margin_cents").sum(),
            pl.col("refund_status").is_in(["PENDING", "SUCCEEDED", "FAILED"]).sum().alias("refunded"),
        )
        .with_columns((pl.col("refunded") / pl.col("lots")).alias("refund_rate"))
        .sort("month")
    )
