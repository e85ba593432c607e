"""CJ's oddities, met once: prices in strings, JSON inside strings, HTML texts, and five shapes of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from typing import Any

from tasks.clients import answers
from tasks.rules.money import MoneyError, decimal_cents, parse_price_range


def loads(body: bytes) -> Any:
    """JSON with exact decimals: a price must never pass through a float."""
    return answers.loads(body, parse_float=Decimal)


def price(value: Any) -> int | None:
    """One price in cents: a number, a text, or a text that is empty for "not known yet".

    Raises:
        MoneyError: a text that is no price, above all a range where one price is meant.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise MoneyError(value)
    if isinstance(value, int | Decimal):
        return decimal_cents(Decimal(value))
    try:
        return decimal_cents(Decimal(str(value).strip()))
    except InvalidOperation:
        raise MoneyError(value) from None


def price_range(value: Any) -> tuple[int, int] | None:
    """Low and high of a search price: a number, "8.70", "8.70 -- 10.19" or "1.55-3.35"."""
    if value is None or value == "":
        return None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        cents = decimal_cents(Decimal(value))
        return cents, cents
    return parse_price_range(str(value))


def whole(value: Any) -> int | None:
    """A count that may come as a number, a text or null."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        return int(Decimal(str(value)))
    except (InvalidOperation, ValueError):
        return None


def grams(value: Any) -> int | None:
    """A weight: a number, "100.0", or a range, whose heavier end counts."""
    if isinstance(value, str) and "-" in value.strip()[1:]:
        value = value.split("-")[-1].strip()
    return whole(value)


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts that may come as a list, as JSON inside a string, or as one plain text."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = answers.loads(value)
            except ValueError:
                return (value,)
        else:
            return (value,)
    if isinstance(value, Iterable):
        return tuple(str(one) for one in value if one not in (None, ""))
    return ()


def addresses(*values: Any) -> tuple[str, ...]:
    """Picture addresses, each once, in order; what is no web address is left out."""
    found = dict.fromkeys(one.strip() for value in values for one in texts(value))
    return tuple(one for one in found if one.startswith(("https://", "http://")))


def moment(value: Any) -> datetime | None:
    """A time in any of CJ's five shapes, aware, in UTC.

    ISO with an offset, "YYYY-MM-DD HH:MM:SS" (UTC, as order detail states), epoch milliseconds as a number or
    as text. What is none of them is None: no decision hangs on a time of CJ's.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal) or (isinstance(value, str) and value.strip().isdigit()):
        try:
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    try:
        parsed = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


class _Text(HTMLParser):
    BREAKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "table", "ul", "ol"})
    SILENT = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            self.silent += 1
        elif tag in self.BREAKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT and self.silent:
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def plain(html: Any) -> str:
    """The text of a supplier's HTML: no tags, no scripts, blank runs folded."""
    if not html:
        return ""
    parser = _Text()
    parser.feed(str(html))
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).splitlines())
    return "\n".join(line for line in lines if line)
