"""Commands that look, and stop: status, pause, resume, migrate."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from deployments.commands.options import Json, MaybeSaleId
from tasks.desk import prepare
from tasks.lots import pauses
from tasks.settings import Settings

Scope = Annotated[str, typer.Argument(help="sourcing, buying, charging or all.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (status, pause, resume, migrate):
        app.command()(command)


def status(sale_id: MaybeSaleId = None, as_json: Json = False) -> int:
    """Show lots, trouble, money and CJ's quota."""
    from deployments.commands import dashboard, schedule

    settings = Settings.load()
    with prepare(settings).read() as session:
        view = dashboard.view(session, settings, sale_id)
    view["schedule"] = schedule.upcoming(settings)
    unknown = sale_id is not None and not view["lots"]
    if as_json:
        typer.echo(json.dumps(view, default=str))
    elif not unknown:
        dashboard.show(Console(), view)
    if unknown:
        sys.stderr.write(f"No sale {sale_id!r} is on record.\n")
        return 2
    return 0


def pause(scope: Scope) -> None:
    """Stop part of the work before its next effect; records, polls and refunds go on."""
    _switch(scope, on=False)


def resume(scope: Scope) -> None:
    """Let it go on."""
    _switch(scope, on=True)


def _switch(scope: str, *, on: bool) -> None:
    record = prepare(Settings.load())
    try:
        with record.write() as session:
            changed = pauses.resume(session, scope) if on else pauses.pause(session, scope)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    word = "goes on" if on else "is paused"
    typer.echo(f"{', '.join(changed)} {word}." if changed else f"Nothing changed: {scope} was so before.")


def migrate() -> None:
    """Bring the database up to date."""
    prepare(Settings.load())
    typer.echo("The database is up to date.")
