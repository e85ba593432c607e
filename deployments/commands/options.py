"""What several commands take, parsed strictly."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.rules.money import MoneyError, parse_cents


def dollars(text: str) -> float:
    """A positive amount of dollars, given as "15" or "15.50".

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        cents = parse_cents(text)
    except MoneyError:
        raise typer.BadParameter(f"{text!r} is not an amount of dollars.") from None
    if cents <= 0:
        raise typer.BadParameter(f"{text!r} is not more than nothing.")
    return cents / 100


def word(text: str) -> str:
    """A text that says something.

    Raises:
        typer.BadParameter: it is empty.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty.")
    return " ".join(text.split())


Keyword = Annotated[str, typer.Option("--keyword", help="CJ search term.", parser=word, metavar="TERM")]
MaxCost = Annotated[
    float, typer.Option("--max-cost", help="Max landed cost in dollars.", parser=dollars, metavar="USD")
]
MaxProducts = Annotated[int, typer.Option("--max-products", help="Max 5 per run, to conserve CJ's quota.", min=1)]
Publish = Annotated[bool, typer.Option("--publish", help="Publish the sale immediately.")]
SaleId = Annotated[str, typer.Option("--sale-id", help="Basta's id of the sale.", parser=word, metavar="ID")]
MaybeSaleId = Annotated[
    str | None, typer.Option("--sale-id", help="Basta's id of one sale.", parser=word, metavar="ID")
]
PollInterval = Annotated[int, typer.Option("--poll-interval", help="Seconds between polls.", min=1, max=3600)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
