"""Margin and refund rate as pictures, drawn here: no browser, no network."""

from __future__ import annotations

import altair as alt
import polars as pl
import vl_convert

from tasks.rules.thresholds import REFUND_RATE_LIMIT

WIDTH, HEIGHT = 560, 220
GAIN, LOSS = "#2a9d6f", "#c8553d"


def draw(keywords: pl.DataFrame, months: pl.DataFrame) -> dict[str, str]:
    """Every picture of a report as SVG, by its name."""
    shown: dict[str, alt.Chart | alt.LayerChart] = {
        "margin-by-keyword": margin_by_keyword(keywords),
        "margin-by-month": margin_by_month(months),
        "refunds-by-month": refunds_by_month(months, REFUND_RATE_LIMIT),
    }
    return {name: str(vl_convert.vegalite_to_svg(chart.to_json())) for name, chart in shown.items()}


def margin_by_keyword(keywords: pl.DataFrame) -> alt.Chart:
    """A bar a keyword, in dollars, the worst first; losses have a colour of their own."""
    frame = keywords.select("keyword", dollars=pl.col("margin_cents") / 100)
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            alt.X("dollars:Q", title="margin in dollars"),
            alt.Y("keyword:N", title=None, sort=frame["keyword"].to_list()),
            color=alt.condition("datum.dollars < 0", alt.value(LOSS), alt.value(GAIN)),
        )
        .properties(width=WIDTH, height=alt.Step(24), title="Margin by keyword")
    )
    return chart


def margin_by_month(months: pl.DataFrame) -> alt.Chart:
    """A bar a month, in dollars."""
    frame = months.select("month", dollars=pl.col("margin_cents") / 100)
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            alt.X("month:O", title=None),
            alt.Y("dollars:Q", title="margin in dollars"),
            color=alt.condition("datum.dollars < 0", alt.value(LOSS), alt.value(GAIN)),
        )
        .properties(width=WIDTH, height=HEIGHT, title="Margin by month")
    )
    return chart


def refunds_by_month(months: pl.DataFrame, limit: float) -> alt.LayerChart:
    """The share of paid lots that were refunded, a month, and the line above which the operator is told."""
    frame = months.select("month", share=pl.col("refund_rate"))
    rates = (
        alt.Chart(frame)
        .mark_line(point=True, color=LOSS)
        .encode(alt.X("month:O", title=None), alt.Y("share:Q", title="refunded", axis=alt.Axis(format="%")))
    )
    line = alt.Chart(pl.DataFrame({"limit": [limit]})).mark_rule(strokeDash=[4, 4]).encode(alt.Y("limit:Q"))
    both: alt.LayerChart = (rates + line).properties(width=WIDTH, height=HEIGHT, title="Refund rate by month")
    return both
