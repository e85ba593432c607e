"""Commands that work: source, publish, process, monitor, run. Each is a flow run on the Prefect server."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import select
from typer.exceptions import Abort

from deployments.commands.approvals import terminal
from deployments.commands.options import (
    DryRun,
    Json,
    Keyword,
    MaxCost,
    MaxProducts,
    MaybeSaleId,
    PollInterval,
    Publish,
    SaleId,
)
from deployments.commands.progress import show_reconciled, sourcing_shown
from deployments.commands.watching import sale_shown
from deployments.prefect_here import must_answer, start_temporary_server
from tasks.desk import Desk
from tasks.lots.engine import Record
from tasks.lots.models import Lot
from tasks.lots.states import FINAL
from tasks.rules.selection import MOST_PRODUCTS
from tasks.settings import Settings

DrySearch = Annotated[bool, typer.Option("--dry-run", help="Search and price only; nothing is written.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (source, publish, process, monitor, run, reconcile):
        app.command()(command)


def source(
    keyword: Keyword = "wireless headphones",
    max_cost: MaxCost = "50",  # type: ignore[assignment] # typer parses the default like any other value
    max_products: MaxProducts = 5,
    publish: Publish = False,
    dry_run: DrySearch = False,
) -> int:
    """Turn a keyword into a sale of priced, pictured lots."""
    _check(max_products)
    if not dry_run:
        _may_begin(keyword, max_cost, max_products, publish)
    from flows.sourcing import sourcing
    from tasks.desk import prepare

    settings = _ready()
    with sourcing_shown(prepare(settings), max_products, settings.cj_min_interval_seconds):
        state = _flow(
            sourcing,
            keyword=keyword,
            max_cost=max_cost,
            max_products=max_products,
            publish=publish,
            dry_run=dry_run,
        )
    return _end(state)


def publish(sale_id: SaleId, dry_run: DryRun = False) -> int:
    """Publish a sale that was sourced without --publish."""
    settings = _ready()
    from tasks import listing
    from tasks.clients.service import ServiceError
    from tasks.desk import Unsettled, prepare, working_at
    from tasks.listing.publishing import NotPublished, preview
    from tasks.listing.publishing import publish as publish_now

    desk = Desk(settings, prepare(settings))
    with working_at(desk):
        row = listing.sale_of(sale_id)
        if row is None:
            raise typer.BadParameter(f"no sale {sale_id!r} is on record.", param_hint="--sale-id")
        if dry_run:
            shown, bare = (", ".join(map(str, lots)) or "none" for lots in preview(desk, row))
            typer.echo(f"Dry run, no call was made. Published would be lots {shown}; without a picture leave: {bare}.")
            return 0
        try:
            done = publish_now(desk, row, logging.getLogger("dropship.publish"))
        except (NotPublished, Unsettled, ServiceError) as error:
            sys.stderr.write(f"Not published: {' '.join(str(error).split())}\n")
            return 1
    typer.echo(f"Sale {done.sale_id} is published with {done.lots} lots, {done.note}.")
    return 0


def process(sale_id: MaybeSaleId = None, dry_run: DryRun = False) -> int:
    """Run one processing cycle: everything that can be done now for every open lot."""
    settings = _ready()
    if sale_id is not None:
        from tasks.desk import prepare

        _must_know(prepare(settings), sale_id)
    if dry_run:
        return _what_comes_next(settings, sale_id)
    from flows.processing import processing

    return _end(_flow(processing, sale_id=sale_id))


def _what_comes_next(settings: Settings, sale_id: str | None) -> int:
    """What each open lot is for the next cycle, by our record alone: what the vendors will answer, nobody knows."""
    from tasks import handling
    from tasks.desk import prepare

    desk = Desk(settings, prepare(settings))
    with desk.record.read() as session:
        query = select(Lot.id).where(Lot.status.not_in(FINAL)).order_by(Lot.id)
        lots = list(session.scalars(query.where(Lot.basta_sale_id == sale_id) if sale_id else query))
    typer.echo(f"Dry run, no call was made. {len(lots)} lots are open.")
    for told in (handling.story(desk, lot) for lot in lots):
        when = f", {told['next_at']}" if told["next_at"] else ""
        typer.echo(f"Lot {told['id']} is {told['status']}: {told['next']}{when}.")
    return 0


def monitor(
    sale_id: SaleId,
    poll_interval: PollInterval = 30,
    until: Annotated[str, typer.Option("--until", help="paid, or delivered.")] = "paid",
) -> int:
    """Drive one sale to its end, with a processing cycle at each poll."""
    if until not in ("paid", "delivered"):
        raise typer.BadParameter("it is paid or delivered.", param_hint="--until")
    settings = _ready()
    from tasks.desk import prepare

    record = prepare(settings)
    _must_know(record, sale_id)
    with sale_shown(record, sale_id):
        from flows.monitoring import monitoring

        try:
            state = _flow(monitoring, sale_id=sale_id, poll_interval_s=poll_interval, until=until)
        except KeyboardInterrupt:
            sys.stderr.write("Stopped watching. Nothing is lost: the same command, or the schedule, goes on.\n")
            raise
    return _end(state)


def run(
    keyword: Keyword = "wireless headphones",
    max_cost: MaxCost = "50",  # type: ignore[assignment] # typer parses the default like any other value
    max_products: MaxProducts = 5,
    publish: Publish = False,
    poll_interval: PollInterval = 30,
    dry_run: DrySearch = False,
) -> int:
    """Source a keyword, and follow its sale to the end."""
    if dry_run:
        return source(keyword, max_cost, max_products, publish, dry_run=True)
    _check(max_products)
    _may_begin(keyword, max_cost, max_products, publish)
    from flows.end_to_end import end_to_end

    return _end(
        _flow(
            end_to_end,
            keyword=keyword,
            max_cost=max_cost,
            max_products=max_products,
            publish=publish,
            poll_interval_s=poll_interval,
        )
    )


def reconcile(as_json: Json = False) -> int:
    """Compare our record with Stripe, CJ and Basta, to the cent. Exit status 1: something differs, and is named."""
    _ready()
    from flows.reconciling import reconciling

    state = _flow(reconciling)
    facts = state.result() if state.is_completed() else None
    if facts is None and as_json:
        typer.echo(json.dumps({"clean": None, "error": f"{state.name}: {state.message or ''}"}))
        return 1
    if facts is None:
        return _end(state)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        show_reconciled(Console(), facts)
    return 0 if facts["clean"] else 1


def _must_know(record: Record, sale_id: str) -> None:
    with record.read() as session:
        if session.execute(select(Lot.id).where(Lot.basta_sale_id == sale_id)).first() is None:
            raise typer.BadParameter(f"no sale {sale_id!r} is on record.", param_hint="--sale-id")


def _check(max_products: int) -> None:
    limit = min(Settings.load().max_products_per_run, MOST_PRODUCTS)
    if max_products > limit:
        raise typer.BadParameter(f"a run takes {limit} products at most.", param_hint="--max-products")


def _may_begin(keyword: str, max_cost: float, max_products: int, publish: bool) -> None:
    """Decide before Prefect starts, and before any call: the day's runs, and whether a person must say yes."""
    settings = _ready()
    from tasks.desk import prepare, working_at
    from tasks.sourcing.runs import AwaitingApproval, Refused, begin

    if settings.prefect_api_url and round(max_cost * 100) <= settings.max_cost_cents:  # else a person is asked first
        must_answer(settings.prefect_api_url)
    with working_at(Desk(settings, prepare(settings))) as desk:
        for again in (True, False):
            try:
                begin(keyword, round(max_cost * 100), max_products, publish)
                return
            except Refused as error:
                raise typer.BadParameter(str(error)) from error
            except AwaitingApproval as error:
                if again and _asked_here(desk, error.approval_id):
                    continue
                sys.stderr.write(f"Awaiting approval: {error}\n")
                raise typer.Exit(1) from error


def _asked_here(desk: Desk, approval_id: int) -> bool:
    """Ask whoever sits at this terminal; where nobody does, the question goes out as a form and an alert."""
    from tasks import approving, notifying

    if not sys.stdin.isatty():
        with notifying.operator_told():
            approving.ask_people()
        return False
    given = approving.question(approval_id)
    typer.echo(given.reason)
    try:
        yes = typer.confirm(given.question)
    except Abort:  # Ctrl-C or Ctrl-D is no answer: the question waits, and the next cycle sends it out
        return False
    approving.decide(desk, approval_id, yes, terminal())
    return True


def _ready() -> Settings:
    settings = Settings.load()
    for name in ("CJ_API_KEY", "ACCOUNT_ID", "API_KEY", "STRIPE_SECRET_KEY"):
        settings.need(name)
    return settings


def _flow(flow: Any, **parameters: Any) -> Any:
    """Run a flow on the server that PREFECT_API_URL names, or on a temporary one, saying so."""
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        sys.stderr.write("PREFECT_API_URL is not set: this run has a temporary Prefect server of its own.\n")
        start_temporary_server()
    try:
        return flow(**parameters, return_state=True)
    except RuntimeError as error:
        if not str(error).startswith("Failed to reach API"):  # Prefect has no class of its own for it
            raise
        sys.stderr.write(
            f"{error}: no Prefect server answers there, and no vendor was called. Type this again once it does.\n"
        )
        raise typer.Exit(1) from error


def _end(state: Any) -> int:
    """A flow's state as a line and an exit status: lots that failed are named, and the cycle is done all the same."""
    typer.echo(f"{state.name}: {state.message or 'done'}")
    return 0 if state.is_completed() else 1
