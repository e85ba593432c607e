"""What several commands take, parsed strictly: what is refused is refused in words, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tasks.rules.money import MoneyError, parse_cents
from tasks.rules.money import dollars as shown
from tasks.rules.selection import MOST_COST_CENTS, MOST_PRODUCTS

#: What PostgreSQL takes for an id, or for any other whole number.
LARGEST = 2**31 - 1
LARGEST_CENTS = 100_000_000_00
LONGEST = 200
#: Sandbox seconds per real second; a calendar has its end.
FASTEST = 100_000


def dollars(text: str, most: int = LARGEST_CENTS) -> float:
    """A positive amount of dollars, given as "15" or "15.50".

    Raises:
        typer.BadParameter: it is none, or more than `most` cents.
    """
    try:
        cents = parse_cents(str(text))
    except MoneyError:
        raise typer.BadParameter(f"{text!r} is not an amount of dollars.") from None
    if cents <= 0:
        raise typer.BadParameter(f"{text!r} is not more than nothing.")
    if cents > most:
        raise typer.BadParameter(f"{text!r} is more than {shown(most)}.")
    return cents / 100


def cost(text: str) -> float:
    """What a product may cost, in dollars: as much as the run form takes.

    Raises:
        typer.BadParameter: it is no such amount.
    """
    return dollars(text, MOST_COST_CENTS)


def line(text: str) -> str:
    """One line that can be printed, stored and sent; it may be empty.

    Raises:
        typer.BadParameter: it is none.
    """
    one = " ".join(text.split())
    if len(one) > LONGEST:
        raise typer.BadParameter(f"it has {len(one)} characters, and {LONGEST} are the most.")
    if not one.isprintable():
        raise typer.BadParameter(f"{one!a} has a character that cannot be printed.")
    return one


def word(text: str) -> str:
    """A text that says something.

    Raises:
        typer.BadParameter: it is empty, or no line.
    """
    one = line(text)
    if not one:
        raise typer.BadParameter("it is empty.")
    return one


def path(text: str | Path) -> Path:
    """Where a file is, or shall be.

    Raises:
        typer.BadParameter: it is empty.
    """
    if not str(text).strip():
        raise typer.BadParameter("it is empty.")
    return Path(text)


def day(text: str) -> datetime:
    """The first moment of a day, UTC.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{line(text)!r} is no day like 2026-11-23.") from None


def whole(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def number(text: str) -> int:
        bare = str(text).strip()
        sign, digits = ("-", bare[1:]) if bare.startswith("-") else ("", bare)
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 100:
            raise typer.BadParameter(f"{bare[:40]!r} is not a whole number.")
        value = int(sign + digits)
        if value < least:
            raise typer.BadParameter(f"{value} is too few: {least} is the least.")
        if value > most:
            raise typer.BadParameter(f"{value} is too many: {most} is the most.")
        return value

    return number


def pace(text: str) -> float:
    """How fast a clock goes; 0 holds it.

    Raises:
        typer.BadParameter: no clock goes so.
    """
    bare = str(text).strip()
    try:
        pace = float(bare)
    except ValueError:
        pace = -1.0
    if not 0 <= pace <= FASTEST:
        raise typer.BadParameter(f"{bare[:40]!r} is no pace of a clock: it is a number from 0 to {FASTEST}.")
    return pace


def row_id(text: str) -> int:
    """The id of a row of ours: any whole number, of which most are nobody's.

    Raises:
        typer.BadParameter: no row can have it.
    """
    bare = str(text).strip()
    if not (bare.isascii() and bare.isdecimal()) or len(bare) > 10 or not 0 < int(bare) <= LARGEST:
        raise typer.BadParameter(f"{bare[:40]!r} is no id: ids are whole numbers from 1.")
    return int(bare)


Keyword = Annotated[str, typer.Option("--keyword", help="CJ search term.", parser=word, metavar="TERM")]
MaxCost = Annotated[
    float,
    typer.Option(
        "--max-cost",
        help="The most a product may cost landed, in dollars; above $50 a person is asked first.",
        parser=cost,
        metavar="USD",
    ),
]
MaxProducts = Annotated[
    int,
    typer.Option(
        "--max-products",
        help=f"How many products become lots: 1 to {MOST_PRODUCTS}, which spares CJ's quota.",
        parser=whole(1),
        metavar="N",
    ),
]
Publish = Annotated[bool, typer.Option("--publish", help="Publish the sale immediately.")]
SaleId = Annotated[str, typer.Option("--sale-id", help="Basta's id of the sale.", parser=word, metavar="ID")]
MaybeSaleId = Annotated[
    str | None, typer.Option("--sale-id", help="Basta's id of one sale.", parser=word, metavar="ID")
]
PollInterval = Annotated[
    int,
    typer.Option("--poll-interval", help="Seconds between polls: 1 to 3600.", parser=whole(1, 3600), metavar="SECONDS"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
