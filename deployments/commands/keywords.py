"""The keyword rotation: list, add, remove, enable, disable."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployments.commands.options import DryRun, Json, Keyword, MaxCost, row_id, whole
from tasks.desk import prepare
from tasks.lots import keywords
from tasks.rules.money import dollars
from tasks.settings import Settings

KeywordId = Annotated[int, typer.Option("--id", help="The word's id.", parser=row_id, metavar="ID")]
app = typer.Typer(help="The keyword rotation.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Show the rotation, and when each word was last sourced."""
    with prepare(Settings.load()).read() as session:
        rows = keywords.every(session)
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {
                        "id": row.id,
                        "keyword": row.keyword,
                        "max_cost_cents": row.max_cost_cents,
                        "priority": row.priority,
                        "active": row.active,
                        "last_sourced_at": row.last_sourced_at.isoformat() if row.last_sourced_at else None,
                    }
                    for row in rows
                ]
            )
        )
        return
    if not rows:
        typer.echo("The rotation is empty: add a word with pipeline keywords add --keyword TERM.")
        return
    table = Table("id", "keyword", "max cost", "priority", "active", "last sourced")
    for row in rows:
        last = f"{row.last_sourced_at:%Y-%m-%d %H:%M} UTC" if row.last_sourced_at else "never"
        active = "yes" if row.active else "no"
        table.add_row(str(row.id), row.keyword, dollars(row.max_cost_cents), str(row.priority), active, last)
    Console().print(table)


@app.command()
def add(
    keyword: Keyword,
    max_cost: MaxCost = "50",  # type: ignore[assignment] # typer parses the default like any other value
    priority: Annotated[
        int, typer.Option("--priority", help="Higher comes sooner: 0 to 1000.", parser=whole(0, 1000), metavar="N")
    ] = 0,
) -> None:
    """Put a word into the rotation."""
    with prepare(Settings.load()).write() as session:
        try:
            row = keywords.add(session, keyword, round(max_cost * 100), priority)
        except keywords.KeywordExists as error:
            raise typer.BadParameter(str(error), param_hint="--keyword") from error
    typer.echo(f"Keyword {row.id}, {row.keyword!r}, is in the rotation.")


@app.command()
def remove(keyword_id: KeywordId) -> None:
    """Take a word out of the rotation."""
    with prepare(Settings.load()).write() as session:
        word = keywords.remove(session, keyword_id)
    if word is None:
        raise typer.BadParameter(f"no keyword has the id {keyword_id}.", param_hint="--id")
    typer.echo(f"{word!r} is out of the rotation.")


@app.command()
def enable(keyword_id: KeywordId, dry_run: DryRun = False) -> None:
    """Let a word take its turns again."""
    _switch(keyword_id, on=True, dry_run=dry_run)


@app.command()
def disable(keyword_id: KeywordId, dry_run: DryRun = False) -> None:
    """Let a word rest; it keeps its place, and when it was last sourced."""
    _switch(keyword_id, on=False, dry_run=dry_run)


def _switch(keyword_id: int, *, on: bool, dry_run: bool) -> None:
    record = prepare(Settings.load())
    with record.read() as session:
        row = next((one for one in keywords.every(session) if one.id == keyword_id), None)
    if row is None:
        raise typer.BadParameter(f"no keyword has the id {keyword_id}.", param_hint="--id")
    word = "takes its turns" if on else "rests"
    if row.active is on:
        typer.echo(f"Nothing changes: {row.keyword!r} {word} already.")
        return
    if dry_run:
        typer.echo(f"Dry run: {row.keyword!r} {word} from now on. No call is made, and nothing was changed.")
        return
    with record.write() as session:
        keywords.switch(session, keyword_id, on=on)
    typer.echo(f"{row.keyword!r} {word} from now on.")
