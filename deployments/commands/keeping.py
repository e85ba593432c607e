"""Commands that keep the record: backup, and restore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.options import path
from tasks.desk import prepare
from tasks.lots import copies, restored
from tasks.lots.clock import now
from tasks.lots.engine import open_record
from tasks.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (backup, restore):
        app.command()(command)


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="The file; else one in backups/.", parser=path, metavar="FILE")
    ] = None,
) -> int:
    """Copy the whole record to a file, consistent while everything runs."""
    settings = Settings.load()
    target = to or settings.root / "backups" / f"record-{now():%Y%m%d-%H%M%S}.backup"
    try:
        copies.back_up(prepare(settings), target)
    except copies.NoCopy as error:
        raise typer.BadParameter(str(error)) from error
    except OSError as error:
        raise typer.BadParameter(
            f"{error.filename or 'it'} cannot be used: {(error.strerror or '').lower()}."
        ) from error
    typer.echo(f"The record is in {target} ({target.stat().st_size:,} bytes). It holds buyers' names and addresses.")
    return 0


def restore(
    given: Annotated[
        Path, typer.Option("--from", help="A file that `pipeline backup` wrote.", parser=path, metavar="FILE")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Ask no question.")] = False,
) -> int:
    """Put a copy back. Until `pipeline reconcile` is clean, every effect looks at its vendor first."""
    settings = Settings.load()
    record = prepare(settings)
    try:
        copies.check(record, given)
        with record.read() as session:
            runner = copies.running(session)
        if runner:
            raise copies.NoCopy(f"{runner} is running: let it end, or stop it, before the record is put back.")
        if not yes and not _sure(given):
            sys.stderr.write("Nothing was done.\n")
            return 1
        before = settings.root / "backups" / f"before-restore-{now():%Y%m%d-%H%M%S}.backup"
        copies.back_up(record, before)
        copies.put_back(record, given)
    except copies.NoCopy as error:
        raise typer.BadParameter(str(error)) from error
    except OSError as error:
        raise typer.BadParameter(
            f"{error.filename or 'it'} cannot be used: {(error.strerror or '').lower()}."
        ) from error
    open_record.cache_clear()
    with prepare(settings).write() as session:
        floor = restored.mark(session)
    typer.echo(f"The record is that of {given}; the one it replaced is in {before}.")
    typer.echo(f"Every effect looks first, nothing is sourced, and new rows begin at {floor}.")
    typer.echo("Next: pipeline reconcile")
    return 0


def _sure(given: Path) -> bool:
    if not sys.stdin.isatty():
        sys.stderr.write("Without a terminal, --yes must be given.\n")
        return False
    return typer.confirm(f"Replace the record by {given}? What happened since is found again at the vendors.")
