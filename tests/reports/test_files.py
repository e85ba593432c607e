"""The report's files: a page that needs nothing from outside, and tables that a program reads back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from tasks.reports.files import reckon, write
from tasks.reports.money import margins
from tests.reports.test_money import ledger, lots

AT = datetime(2026, 3, 9, 7, tzinfo=UTC)


def test_a_report_is_a_page_with_its_charts_inside_and_tables_beside_it(tmp_path: Path) -> None:
    frame = margins(
        lots((1, 1, "lamp <b>", "DELIVERED", None), (2, 2, "fan", "CANCELLED", "SUCCEEDED")),
        ledger((1, 1, "hammer", 3_000), (1, 1, "goods", -1_000), (2, 2, "hammer", 1_000), (2, 2, "refund", -1_000)),
    )
    files = write(reckon(frame, AT), tmp_path)
    page = files[0].read_text()
    assert files[0].name == "report-2026-03-09.html"
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is fetched from anywhere
    assert "lamp &lt;b&gt;" in page
    assert "$20.00" in page
    assert "50.0%" in page
    back = pl.read_parquet(tmp_path / "lots-2026-03-09.parquet")
    assert back["margin_cents"].sum() == 2_000
    assert pl.read_csv(tmp_path / "keywords-2026-03-09.csv")["keyword"].to_list() == ["fan", "lamp <b>"]
    assert not list(tmp_path.glob(".*.new"))


def test_a_second_report_of_the_day_replaces_the_first(tmp_path: Path) -> None:
    frame = margins(lots(), ledger())
    first, second = write(reckon(frame, AT), tmp_path), write(reckon(frame, AT), tmp_path)
    assert first == second
    assert "none yet" in second[0].read_text()
    assert sorted(tmp_path.iterdir()) == sorted(second)
