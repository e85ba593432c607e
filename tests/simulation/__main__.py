"""`python -m tests.simulation crash`: kill the process at every point that a run has, and check every promise."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from tests.simulation.crash import prove

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def simulate() -> None:
    """Simulations of the whole pipeline, in one process and without a clock."""
    logging.disable(logging.CRITICAL)


@app.command()
def crash(
    start: Annotated[int, typer.Option("--from", help="The first point.", min=1)] = 1,
    step: Annotated[int, typer.Option("--step", help="Every how many points.", min=1)] = 1,
) -> None:
    """Die at every outside call, before and after it, and around every commit; exit 1 where a promise broke."""
    sys.exit(1 if prove(start, step) else 0)


app()
