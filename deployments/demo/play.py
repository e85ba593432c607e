"""The play itself: three keywords sourced, fought over, closed, and processed until all is quiet."""

from __future__ import annotations

import faulthandler
import threading
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.demo.receiving import receiving, taken
from deployments.demo.stage import SHORTENED, Stage, built

LONGEST = {False: 115.0, True: 235.0}
BETWEEN_CYCLES = 0.5


def play(*, keep: bool = False, real_pace: bool = False) -> int:
    """Run the demo; 0 only if every promise was kept and every lot came to its end."""
    faulthandler.enable()  # a crash below Python tells where it was
    console, began = Console(highlight=False), time.monotonic()
    console.print("[bold]Dropship auctions, the whole path on this machine.[/] No keys, no network.")
    pace = "CJ's real pace of 1.2 s is kept" if real_pace else "CJ's interval is 0.3 s"
    console.print(f"Shortened for the demo, by settings: auctions of 5 s, deadlines of seconds; {pace}.")
    console.print(f"[dim]{', '.join(SHORTENED)}[/]")
    with built(real_pace=real_pace) as stage, receiving(stage):
        console.print(f"{_since(began)} sandbox and Prefect server are up: {stage.sandbox_url} and {stage.server_url}")
        console.print(f"{_since(began)} the vendors send their webhooks to {stage.receiver_url}")
        finished = _perform(console, stage, began, LONGEST[real_pace])
        kept = _verdict(console, stage)
        console.print(f"{_since(began)} done.")
        if keep:
            _stay(console, stage)
    return 0 if finished and kept else 1


def _since(began: float) -> str:
    return f"[dim]{time.monotonic() - began:6.1f} s[/]"


def _perform(console: Console, stage: Stage, began: float, longest: float) -> bool:
    """Source in one thread while the first sales are processed in this one; whether all lots came to an end."""
    from deployments.demo import cast
    from deployments.demo.watching import Watch
    from flows.processing import processing
    from flows.sourcing import sourcing
    from tasks.desk import desk

    cast.introduce(stage.world)
    desk()  # made before the second thread asks for it
    failures: list[str] = []

    def source() -> None:
        for keyword in cast.KEYWORDS:
            state: Any = sourcing(keyword=keyword, max_cost=45, max_products=5, publish=True, return_state=True)
            if not state.is_completed():
                failures.append(f"{keyword}: {state.message}")
            cast.trouble(stage.world, keyword)

    watch = Watch(console, began)
    watch.start()
    sourcer = threading.Thread(target=source, name="sourcing", daemon=True)
    sourcer.start()
    over = False
    while not over and time.monotonic() - began < longest:
        time.sleep(BETWEEN_CYCLES)
        if watch.has_sale():
            processing(return_state=True)
        over = not sourcer.is_alive() and watch.is_over()
    sourcer.join(timeout=5)
    watch.stop()
    for failure in failures:
        console.print(f"[red]{failure}[/]")
    if not over:
        console.print("[red]Not every lot came to its end in time.[/]")
    return over and not failures


def _verdict(console: Console, stage: Stage) -> bool:
    """The lots, the money, and a line per promise; whether all were kept, and all was seen that was to be seen."""
    from deployments.demo.invariants import check
    from deployments.demo.programme import shown
    from tasks.desk import desk
    from tasks.reporting import lots_table
    from tasks.reports.money import lot_frame, rates
    from tasks.rules.money import dollars

    with desk().record.read() as session:
        rows, money = lots_table(session), rates(lot_frame(session))
        came, missed = shown(session)
    table = Table(title="Lots", title_justify="left")
    for name in ("lot", "status", "title", "hammer", "landed", "note"):
        table.add_column(name, justify="right" if name in ("lot", "hammer", "landed") else "left", max_width=44)
    for row in reversed(rows):
        table.add_row(*(str(row[name]) for name in ("lot", "status", "title", "hammer", "landed", "note")))
    console.print(table)
    margin = f"{money.margin_rate:.1%}" if money.margin_rate is not None else "none"
    refunds = f"{money.refund_rate:.1%}" if money.refund_rate is not None else "none"
    console.print(
        f"Income {dollars(money.income_cents)}, goods and freight {dollars(money.cost_cents)}, Stripe's fees "
        f"{dollars(money.fee_cents)}, refunded {dollars(money.refunded_cents)}: margin "
        f"[bold]{dollars(money.margin_cents)}[/] ({margin}), refund rate [bold]{refunds}[/] "
        f"of {money.paid_lots} paid lots."
    )
    console.print(f"Among them: {'; '.join(came)}.")
    for what in missed:
        console.print(f"[red]Not among them: {what}.[/]")
    told = taken(stage)
    silent = [vendor for vendor in ("stripe", "basta", "cj") if not told[vendor]]
    counts = ", ".join(f"{number} of {vendor}" for vendor, number in sorted(told.items()))
    console.print(f"Signed webhooks that the receiver took: {counts or 'none'}.")
    for vendor in silent:
        console.print(f"[red]No webhook of {vendor} was taken.[/]")
    results = check(stage)
    for number, (promise, broken) in enumerate(results, start=1):
        mark = "[green]kept[/]  " if not broken else "[red]BROKEN[/]"
        console.print(f"{mark} {number:2}. {promise}")
        for one in broken[:5]:
            console.print(f"           [red]{one}[/]")
    return not silent and not missed and not any(broken for _, broken in results)


def _stay(console: Console, stage: Stage) -> None:
    console.print(f"Prefect's UI: {stage.server_url}/v2/runs")
    console.print(f"The outside world: {stage.sandbox_url}/")
    console.print("Ctrl-C ends both.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Ended.")
