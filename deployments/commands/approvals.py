"""Questions that wait for a person: list them, and answer from a terminal."""

from __future__ import annotations

import getpass
import json
import shlex
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deployments.commands.options import Json, dollars, row_id
from tasks.desk import Desk, prepare, working_at
from tasks.lots import approvals
from tasks.lots.records import Approval
from tasks.rules.money import dollars as shown
from tasks.settings import Settings

app = typer.Typer(help="Questions that wait for a yes or no.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Show the newest questions, and what became of them."""
    with prepare(Settings.load()).read() as session:
        rows = approvals.newest(session)
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in rows]))
        return
    if not rows:
        typer.echo("Nobody was asked anything yet.")
        return
    table = Table("id", "question", "asked for", "answer", "by", "stands until")
    for row in rows:
        answer = {"ASKED": "waits", "USED": "yes, used"}.get(row.state, row.state.lower())
        until = f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(str(row.id), row.question, shown(row.amount_cents), answer, row.answered_by or "", until)
    Console().print(table)


def _plain(row: Approval) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "question": row.question,
        "reason": row.reason,
        "facts": row.facts,
        "amount_cents": row.amount_cents,
        "granted_cents": row.granted_cents,
        "state": row.state,
        "asked_at": row.asked_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
        "answered_by": row.answered_by,
    }


@app.command("answer")
def answer(
    approval_id: Annotated[int, typer.Argument(help="The question's id.", parser=row_id, metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes/--no", help="What to answer.")],
    amount: Annotated[
        float | None, typer.Option("--amount", help="Grant only so many dollars.", parser=dollars, metavar="USD")
    ] = None,
) -> int:
    """Answer one question. The first answer counts; a second one changes nothing and says so."""
    from tasks import approving

    settings = Settings.load()
    cents = None if amount is None else round(amount * 100)
    with working_at(Desk(settings, prepare(settings))) as desk:
        try:
            first = approving.decide(desk, approval_id, yes, terminal(), cents)
        except (LookupError, approving.WrongAmount) as error:
            raise typer.BadParameter(str(error.args[0])) from error
        given = approving.question(approval_id)
        if not first:
            raise typer.BadParameter(f"question {approval_id} was answered before: {given.outcome}.")
        approving.ask_people()  # its form, if one is open, ends
    typer.echo(f"{given.question} {given.outcome}.")
    if given.state == "YES":
        typer.echo(f"Now {_next(given.kind, given.facts)}.")
    return 0


def terminal() -> str:
    """Who answers here."""
    return f"{getpass.getuser()} at a terminal"


def _next(kind: str, facts: dict[str, Any]) -> str:
    if kind != "cost":
        return "the next processing cycle goes on with it: pipeline process"
    words = ["pipeline", "source", "--keyword", facts["keyword"], "--max-cost", f"{facts['max_cost']:g}"]
    words += ["--max-products", str(facts["max_products"]), *(["--publish"] if facts["publish"] else [])]
    return f"type: {shlex.join(words)}"
