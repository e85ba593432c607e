"""`pipeline ...`: the operator's commands. Exit 0: done; 1: failed, or waiting; 2: bad input, and nothing done."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
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
from tasks.lots.stamp import StampMismatch
from tasks.settings import SettingsError

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
    try:
        status = app(list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except TyperException as error:
        _refuse(error.format_message())
    except (SettingsError, StampMismatch) as error:
        _refuse(str(error))
    except Abort:
        sys.stderr.write("Nobody answered, so nothing was done.\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _refuse(sentence: str) -> None:
    sys.stderr.write(" ".join(sentence.split()) + "\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
