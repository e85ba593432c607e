"""What a person sees of a watched sale: its lots as they are now, in a table that stays in its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import select

from deployments.commands.progress import lines_above
from tasks.lots import leases
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.models import Lot
from tasks.rules.money import dollars

LOOKS_PER_SECOND = 1.0


def sale_table(record: Record, sale_id: str) -> Table:
    """The lots of one sale, and when they were last worked on."""
    with record.read() as session:
        lots = list(session.scalars(select(Lot).where(Lot.basta_sale_id == sale_id).order_by(Lot.item_number, Lot.id)))
        worked = leases.last_finished(session, "processing")
    last = f"last cycle ended {worked:%H:%M:%S}" if worked else "no cycle has ended yet"
    table = Table(
        title=f"Sale {sale_id}", title_justify="left", caption=f"{now():%H:%M:%S} UTC, {last}", caption_justify="left"
    )
    for name in ("lot", "status", "since", "hammer", "title", "why it waits, or ended"):
        table.add_column(name, justify="right" if name in ("lot", "hammer") else "left", no_wrap=name != "title")
    for lot in lots:
        table.add_row(
            str(lot.id),
            str(lot.status),
            f"{lot.status_since:%d %b %H:%M}",
            dollars(lot.winning_bid_cents) if lot.winning_bid_cents else "",
            lot.title[:60],
            lot.hold_reason or (lot.error_message or "")[:60],
        )
    return table


@contextmanager
def sale_shown(record: Record, sale_id: str) -> Iterator[None]:
    """Keep the table up to date on a terminal while the work goes on; where nobody looks, the log has its lines."""
    if not sys.stderr.isatty():
        yield
        return
    live = Live(
        get_renderable=lambda: sale_table(record, sale_id),
        refresh_per_second=LOOKS_PER_SECOND,
        console=Console(stderr=True),
    )
    with live, lines_above(live.console):
        yield
