"""Commands that look, and stop: status, pause, resume, migrate."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from typer import BadParameter

from deployments.commands.options import Json, word
from tasks.desk import prepare
from tasks.lots import pauses
from tasks.lots.engine import unreachable
from tasks.lots.stamp import StampMismatch
from tasks.settings import Settings, SettingsError

Scope = Annotated[str, typer.Argument(help="sourcing, buying, charging or all.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (status, pause, resume, migrate):
        app.command()(command)


def status(
    sale_id: Annotated[str | None, typer.Option("--sale-id", help="Basta's id of one sale.", metavar="ID")] = None,
    as_json: Json = False,
) -> int:
    """Show lots, trouble, money and CJ's quota. With --json it is one object always, with `error` where it failed."""
    from deployments.commands import dashboard

    try:
        view = _view(sale_id)
    except (BadParameter, SettingsError, StampMismatch, DBAPIError) as error:
        if as_json:
            typer.echo(json.dumps({**dashboard.NOTHING, "error": _why(error)}))
        raise
    unknown = sale_id is not None and not view["lots"]
    if as_json:
        typer.echo(json.dumps(view, default=str))
    elif not unknown:
        dashboard.show(Console(), view)
    if unknown:
        sys.stderr.write(f"No sale {sale_id!r} is on record.\n")
        return 2
    return 0


def _why(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return unreachable(error)
    return error.format_message() if isinstance(error, BadParameter) else str(error)


def _view(sale_id: str | None) -> dict[str, Any]:
    from deployments.commands import dashboard, schedule

    if sale_id is not None:
        try:
            sale_id = word(sale_id)
        except BadParameter as error:
            raise BadParameter(str(error), param_hint="--sale-id") from error
    settings = Settings.load()
    with prepare(settings).read() as session:
        view = dashboard.view(session, settings, sale_id)
    view["schedule"] = schedule.upcoming(settings)
    return view


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
