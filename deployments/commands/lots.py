"""One lot, by hand: show, retry, cancel, refund, address. With --dry-run each says what it would do, and does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from deployments.commands.options import DryRun, Json, line, row_id
from tasks.desk import Desk, Unsettled, prepare, working_at
from tasks.rules.money import dollars
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.handling import Plan

app = typer.Typer(help="One lot, by hand.", no_args_is_help=True, rich_markup_mode=None)
#: What every address needs, and is asked for where it was not given.
ASKED = {
    "name": "Name",
    "line1": "Street and number",
    "city": "City",
    "zip_code": "Postal code",
    "country": "Country (two letters)",
}
OF_A_LINE: Any = {"parser": line, "metavar": "TEXT"}
LotId = Annotated[int, typer.Argument(help="The lot's id.", parser=row_id, metavar="ID")]


@contextmanager
def _at_the_desk() -> Iterator[Desk]:
    """A desk to work at; a lot that nobody knows is bad input."""
    from tasks.handling import UnknownLot

    settings = Settings.load()
    with working_at(Desk(settings, prepare(settings))) as desk:
        try:
            yield desk
        except UnknownLot as error:
            raise typer.BadParameter(str(error)) from error


@app.command()
def show(lot_id: LotId, as_json: Json = False) -> None:
    """Show a lot's life: when, at whom, for how much, why it waits, and what comes next."""
    from tasks import handling

    with _at_the_desk() as desk:
        told = handling.story(desk, lot_id)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _print(Console(), told)


@app.command()
def retry(lot_id: LotId, dry_run: DryRun = False) -> int:
    """End what a lot waits for, so that the next cycle tries now."""
    from tasks import handling

    with _at_the_desk() as desk:
        plan = handling.plan_retry(desk, lot_id)
        return _carry_out(plan, dry_run, lambda: handling.retry(desk, plan))


@app.command()
def cancel(lot_id: LotId, dry_run: DryRun = False) -> int:
    """Cancel a lot, where its status allows it: out of the sale, off the bill, or back to the buyer."""
    from tasks import handling

    with _at_the_desk() as desk:
        plan = handling.cancel_plan(desk, lot_id)
        return _carry_out(plan, dry_run, lambda: handling.cancel(desk, plan))


@app.command()
def refund(lot_id: LotId, dry_run: DryRun = False) -> int:
    """Give a lot's own share back to its buyer, where no CJ order may live."""
    from tasks import handling

    with _at_the_desk() as desk:
        plan = handling.refund_plan(desk, lot_id)
        return _carry_out(plan, dry_run, lambda: handling.cancel(desk, plan))


@app.command()
def address(
    lot_id: LotId,
    name: Annotated[str | None, typer.Option("--name", help="Who receives it.", **OF_A_LINE)] = None,
    line1: Annotated[
        str | None, typer.Option("--line1", help="Street and number.", parser=line, metavar="TEXT")
    ] = None,
    city: Annotated[str | None, typer.Option("--city", help="City.", **OF_A_LINE)] = None,
    zip_code: Annotated[str | None, typer.Option("--zip", help="Postal code.", **OF_A_LINE)] = None,
    country: Annotated[str | None, typer.Option("--country", help="Two letters.", **OF_A_LINE)] = None,
    line2: Annotated[str, typer.Option("--line2", help="Flat, floor.", **OF_A_LINE)] = "",
    province: Annotated[str, typer.Option("--province", help="State or province.", **OF_A_LINE)] = "",
    phone: Annotated[str, typer.Option("--phone", help="Phone.", **OF_A_LINE)] = "",
    dry_run: DryRun = False,
) -> int:
    """Set or replace where a lot goes, before its order exists. What is left out is asked for, and nothing is shown."""
    from tasks import handling

    with _at_the_desk() as desk:
        plan = handling.plan_address(desk, lot_id)
        if plan.refused:
            raise _no_good(plan.refused)
        needed = {"name": name, "line1": line1, "city": city, "zip_code": zip_code, "country": country}
        given = {
            part: typer.prompt(ASKED[part], value_proc=line) if value is None else value
            for part, value in needed.items()
        }
        try:
            where = handling.address_of({**given, "line2": line2, "province": province, "phone": phone})
        except handling.Refused as error:
            raise typer.BadParameter(str(error)) from error
        return _carry_out(plan, dry_run, lambda: handling.set_address(desk, plan, where))


def _no_good(why: str) -> typer.BadParameter:
    return typer.BadParameter(f"{why[0].upper()}{why[1:]}")


def _carry_out(plan: Plan, dry_run: bool, do: Callable[[], str]) -> int:
    """Show the plan, or do it: 0 done, 1 a vendor did not say or said no, 2 refused before anything was done."""
    from tasks.clients.service import ServiceError
    from tasks.handling import Refused

    if plan.refused:
        raise _no_good(plan.refused)
    if dry_run:
        _show_plan(Console(), plan)
        return 0
    try:
        typer.echo(f"Lot {plan.lot_id}: {do()}.")
    except (Refused, Unsettled, ServiceError) as error:
        sys.stderr.write(f"Not done: {' '.join(str(error).split())}\n")
        return 1
    return 0


def _show_plan(console: Console, plan: Plan) -> None:
    console.print(f"Dry run, nothing was sent. Lot {plan.lot_id} is {plan.status}: {plan.does}.", highlight=False)
    if not plan.calls:
        console.print("No call changes anything outside.")
    for number, call in enumerate(plan.calls, start=1):
        money = f", {dollars(call.cents)} ({call.cents} cents) at most" if call.cents is not None else ""
        line = f"{number}. {call.vendor}: {call.operation} of {call.subject}{money}, once, as {call.key}"
        console.print(line, highlight=False, soft_wrap=True)


def _print(console: Console, told: dict[str, Any]) -> None:
    waits = f"\nWaits for {told['waits_for']}: {told['why'] or ''}" if told["waits_for"] else ""
    when = f", {_when(told['next_at'])}" if told["next_at"] else ""
    refund = f"\nRefund {told['refund_status']}, {dollars(told['refund_cents'] or 0)}" if told["refund_status"] else ""
    prices = ", ".join(
        f"{name.removesuffix('_cents').replace('_', ' ')} {dollars(cents)}"
        for name, cents in told["prices"].items()
        if cents is not None
    )
    text = f"{told['title']}\n{prices}; address {told['address']}{refund}{waits}\nNext: {told['next']}{when}"
    console.print(Panel(text, title=f"Lot {told['id']}: {told['status']} since {_when(told['status_since'])}"))
    _table(console, "Timeline", ("when", "status", "why"), [
        (_when(one["at"]), one["to"], one["why"] or "") for one in told["timeline"]
    ])  # fmt: skip
    _table(console, "At the vendors", ("what", "id"), [
        (name.replace("_", " "), value) for name, value in told["ids"].items() if value
    ])  # fmt: skip
    columns = ("effect", "state", "tries", "settled", "vendor's id", "error")
    fields = ("key", "state", "attempts", "settled_at", "vendor_id", "error")
    _table(console, "Effects", columns, [tuple(_when(one[name]) for name in fields) for one in told["effects"]])
    total = sum(one["cents"] for one in told["money"])
    rows = [(_when(one["at"]), one["kind"], _signed(one["cents"]), one["vendor_id"]) for one in told["money"]]
    if rows:
        rows.append(("", "in all, Stripe's fee apart", _signed(total), ""))
    _table(console, "Money", ("when", "what", "sum", "vendor's id"), rows)
    for one in told["incidents"]:
        console.print(f"[red]{one['severity']}[/] {one['title']}", highlight=False)


def _table(console: Console, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _signed(cents: int) -> str:
    return f"-{dollars(-cents)}" if cents < 0 else dollars(cents)


def _when(at: Any) -> str:
    """A time as people read it; whatever else it is stays as it is."""
    text = "" if at is None else str(at)
    return f"{text[:16].replace('T', ' ')} UTC" if text.startswith("20") and text[10:11] == "T" else text
