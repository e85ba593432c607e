"""`pipeline doctor`: one line a check, with the command that mends it."""

from __future__ import annotations

import json
import time

import typer
from rich.console import Console
from rich.markup import escape

from deployments.commands.options import Json
from tasks.settings import Settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
#: Exit statuses; 2 is bad input's.
STATUS = {"ok": 0, "warn": 3, "fail": 1}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> int:
    """Look at keys, webhooks, clock, CJ, database, Prefect and alerts; exit status 1: one fails; 3: one warns."""
    from deployments.doctor import time_left

    return look(Settings.load(), as_json=as_json, deadline=time_left())


def look(settings: Settings, *, as_json: bool = False, deadline: float | None = None) -> int:
    """Examine and show; the exit status that says the worst."""
    from deployments.doctor import DEADLINE_SECONDS, examine, worst

    began = time.monotonic()
    findings = examine(settings, deadline or DEADLINE_SECONDS)
    level, seconds = worst(findings), time.monotonic() - began
    if as_json:
        checks = [{"level": str(one.level), "name": one.name, "text": one.text, "fix": one.fix} for one in findings]
        typer.echo(json.dumps({"worst": str(level), "seconds": round(seconds, 2), "checks": checks}))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for one in findings:
            colour = COLOURS[one.level]
            console.print(f"[{colour}]{one.level:<5}[/{colour}] {escape(one.name)}: {escape(one.text)}")
            if one.fix:
                console.print(f"        -> {escape(one.fix)}", style="bold")
        console.print(f"{len(findings)} checks in {seconds:.1f} s; the worst is {level}.")
    return STATUS[level]
