"""What a person sees of long work: a bar on what calls CJ at its pace, and the end of a reconciliation."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select

from tasks.lots.engine import Record
from tasks.lots.records import CjEndpoint
from tasks.rules.money import dollars

EVERY_SECONDS = 0.25
#: What a run may cost at most: two calls a product, the search and the quota.
CALLS_PER_PRODUCT, CALLS_PER_RUN = 2, 2


def expected_calls(products: int) -> int:
    """Calls of CJ that a sourcing run for so many products makes."""
    return CALLS_PER_PRODUCT * products + CALLS_PER_RUN


def time_left(done: int, expected: int, interval_seconds: float) -> str:
    """In words: what is left of the calls, at CJ's pace."""
    left = max(expected - done, 0) * interval_seconds
    return "nearly done" if left <= 0 else f"about {left:.0f} s left" if left >= 1 else "a moment left"


class _Left(ProgressColumn):
    def __init__(self, interval_seconds: float) -> None:
        super().__init__()
        self._interval = interval_seconds

    def render(self, task: Any) -> Text:
        return Text(time_left(int(task.completed), int(task.total or 0), self._interval))


def _made(record: Record) -> int:
    with record.read() as session:
        return int(session.execute(select(func.coalesce(func.sum(CjEndpoint.calls), 0))).scalar_one())


@contextmanager
def lines_above(drawn_on: Console) -> Iterator[None]:
    """Let log lines stand above what is drawn on a console, not in the middle of it: that console prints them."""
    from prefect.logging.configuration import setup_logging
    from prefect.logging.handlers import PrefectConsoleHandler

    setup_logging()  # a run does it anyway, and then finds it done
    names = [None, *logging.root.manager.loggerDict]
    handlers = {one for name in names for one in logging.getLogger(name).handlers}
    ours = {one: one.console for one in handlers if isinstance(one, PrefectConsoleHandler)}
    for handler in ours:
        handler.console = drawn_on
    try:
        yield
    finally:
        for handler, before in ours.items():
            handler.console = before


@contextmanager
def sourcing_shown(record: Record, products: int, interval_seconds: float) -> Iterator[None]:
    """Show a bar on the terminal while the work inside calls CJ; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield
        return
    before, ended = _made(record), threading.Event()
    columns = (TextColumn("calls of CJ"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    shown = Progress(*columns, _Left(interval_seconds), console=Console(stderr=True), transient=True)
    with shown as bar, lines_above(bar.console):
        task = bar.add_task("", total=expected_calls(products))

        def look() -> None:
            while not ended.wait(EVERY_SECONDS):
                bar.update(task, completed=min(_made(record) - before, expected_calls(products)))

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def show_reconciled(console: Console, facts: dict[str, Any]) -> None:
    """Our sums beside the vendors', and below them whatever differs."""
    books = Table(title="Books, in dollars", title_justify="left")
    for heading in ("vendor", "what", "here", "there", "difference"):
        books.add_column(heading, justify="right" if heading in ("here", "there", "difference") else "left")
    for row in facts["books"]:
        sums = (dollars(row[name]) for name in ("ours_cents", "theirs_cents", "difference_cents"))
        books.add_row(row["vendor"], row["what"], *sums)
    console.print(books)
    if facts["differences"]:
        found = Table(title="What differs", title_justify="left")
        for heading in ("vendor", "what", "about", "in words"):
            found.add_column(heading, overflow="fold")
        for row in facts["differences"]:
            found.add_row(row["vendor"], row["what"], row["about"], row["text"])
        console.print(found)
    for row in [*facts["unknown_yet"], *facts["undone"]]:
        console.print(f"{row['about']}: {row['text']}", markup=False)
    for vendor, why in facts["unread"].items():
        console.print(f"{vendor} could not be read: {why}", markup=False)
    console.print(facts["sentence"], markup=False)
