"""A report as files: one page for a person, tables for a program. A second run on the same day replaces them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from tasks.reports.money import Rates, by_keyword, by_month, rates
from tasks.rules.money import dollars

_PAGES = Environment(
    loader=PackageLoader("tasks.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.filters["dollars"] = dollars
_PAGES.filters["percent"] = lambda share: "none yet" if share is None else f"{share:.1%}"


@dataclass(frozen=True)
class Report:
    """Margin and refund rate of the lots paid since a moment (or ever), as they stood when it was made."""

    made_at: datetime
    since: datetime | None
    lots: pl.DataFrame
    totals: Rates
    keywords: pl.DataFrame
    months: pl.DataFrame

    def as_json(self) -> str:
        """For programs: totals, keywords and months, in cents."""
        totals = {**asdict(self.totals), "margin_rate": self.totals.margin_rate, "refund_rate": self.totals.refund_rate}
        tables = {"keywords": self.keywords.to_dicts(), "months": self.months.to_dicts()}
        since = self.since.isoformat() if self.since else None
        return json.dumps({"made_at": self.made_at.isoformat(), "since": since, "totals": totals, **tables})


def reckon(lots: pl.DataFrame, made_at: datetime, since: datetime | None = None) -> Report:
    """The report over `money.lot_frame`."""
    return Report(made_at, since, lots, rates(lots), by_keyword(lots), by_month(lots))


def write(report: Report, folder: Path) -> list[Path]:
    """Write the page, its charts and the tables; the files, the page first.

    Each is written beside its place and then moved, so that a reader never meets half a file.
    """
    from tasks.reports.charts import draw  # who draws nothing, as a cycle's process, need not load what draws

    folder.mkdir(parents=True, exist_ok=True)
    day = f"{report.made_at:%Y-%m-%d}"
    drawn = draw(report.keywords, report.months) if report.lots.height else {}
    page = _PAGES.get_template("report.html").render(report=report, charts=drawn.values())
    files = [_placed(folder / f"report-{day}.html", page.encode())]
    for name, svg in drawn.items():
        files.append(_placed(folder / f"{name}-{day}.svg", svg.encode()))
    for name, frame in (("keywords", report.keywords), ("months", report.months), ("lots", report.lots)):
        files.append(_placed(folder / f"{name}-{day}.csv", frame.write_csv().encode()))
    files.append(_placed_frame(folder / f"lots-{day}.parquet", report.lots))
    return files


def _placed(path: Path, content: bytes) -> Path:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)
    return path


def _placed_frame(path: Path, frame: pl.DataFrame) -> Path:
    beside = path.with_name(f".{path.name}.new")
    frame.write_parquet(beside)
    os.replace(beside, path)
    return path
