"""`pipeline ...`: the operator's commands. Exit 0: done; 1: failed, or waiting; 2: bad input, and nothing done."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import typer
from sqlalchemy.exc import DBAPIError
from typer.exceptions import Abort, TyperException

from deployments.commands import (
    approvals,
    automations,
    checking,
    keeping,
    keywords,
    lots,
    report,
    services,
    state,
    work,
)
from deployments.prefect_here import at_our_server
from tasks.lots.engine import unreachable
from tasks.lots.stamp import StampMismatch
from tasks.settings import SettingsError

STOPPED = 130  # typer's word for Ctrl-C

app = typer.Typer(
    name="pipeline",
    help="Dropship auctions: from a keyword at CJ to a parcel at a buyer's door.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
work.add_to(app)
state.add_to(app)
services.add_to(app)
keeping.add_to(app)
report.add_to(app)
checking.add_to(app)
app.add_typer(keywords.app, name="keywords")
app.add_typer(lots.app, name="lot")
app.add_typer(automations.app, name="automations")
app.add_typer(approvals.app, name="approvals")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and turn whatever it refuses into one sentence on stderr and exit status 2."""
    if arguments is None:
        gc.freeze()  # what was imported lives to the end, where looking through it would take half a second
    try:
        with at_our_server():
            status = app(list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except TyperException as error:
        _refuse(error.format_message())
    except (SettingsError, StampMismatch) as error:
        _refuse(str(error))
    except DBAPIError as error:
        sys.stderr.write(f"{unreachable(error)}\n")
        sys.exit(1)
    except Abort:
        sys.stderr.write("Nobody answered, so nothing was done.\n")
        sys.exit(1)
    if status == STOPPED:
        sys.stderr.write("Stopped. What was under way is looked up before anything is done again.\n")
    sys.exit(status if isinstance(status, int) else 0)


def _refuse(sentence: str) -> None:
    """One sentence; the page of a command that was typed without its subcommand keeps its lines."""
    sys.stderr.write((sentence if sentence.startswith("Usage:") else " ".join(sentence.split())) + "\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
