"""`pipeline report`: margin and refund rate, on the terminal and as files. It asks no vendor and no Prefect."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployments.commands.options import Json, day, path
from tasks.desk import prepare
from tasks.lots.clock import now
from tasks.rules.money import dollars
from tasks.settings import Settings

if TYPE_CHECKING:  # frames and charts take half a second to import, which no other command shall wait for
    from tasks.reports.files import Report

FOLDER = Path("reports-out")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(report)


def report(
    since: Annotated[
        datetime | None,
        typer.Option("--since", help="Only lots paid since this day (UTC).", parser=day, metavar="YYYY-MM-DD"),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="The folder for the files, in the project's.", parser=path, metavar="DIR")
    ] = FOLDER,
    as_json: Json = False,
) -> None:
    """Margin and refund rate by keyword and month: a table, and a page with charts, CSV and Parquet files."""
    from tasks.reports.files import reckon, write
    from tasks.reports.money import lot_frame

    settings, began = Settings.load(), since
    with prepare(settings).read() as session:
        made = reckon(lot_frame(session, began), now(), began)
    if as_json:
        typer.echo(made.as_json())
        return
    try:
        files = write(made, settings.root / out)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise typer.BadParameter(f"no file can be written to {out}: {why}.", param_hint="--out") from error
    _show(Console(), made)
    typer.echo(f"{files[0]} and {len(files) - 1} files beside it.")


def _show(console: Console, made: Report) -> None:
    total = made.totals
    margin = "no income yet" if total.margin_rate is None else f"{total.margin_rate:.1%}"
    refunds = "no paid lot yet" if total.refund_rate is None else f"{total.refund_rate:.1%}"
    console.print(f"Margin {dollars(total.margin_cents)} ({margin}), refund rate {refunds} of {total.paid_lots} lots.")
    for name, frame in (("keyword", made.keywords), ("month", made.months)):
        table = Table(name, "lots", "income", "margin", "refunded")
        for row in frame.iter_rows(named=True):
            money = (dollars(row["income_cents"]), dollars(row["margin_cents"]))
            table.add_row(str(row[name]), str(row["lots"]), *money, str(row["refunded"]))
        if frame.height:
            console.print(table)
