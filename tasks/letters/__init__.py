"""The mails to a buyer: rendered and frozen when they are planned, sent once, whatever happens between.

Each is an effect `mail:<template>:<subject>:<n>`, planned in the transaction of the fact that it tells of.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session

from tasks.lots import effects, restored
from tasks.rules.money import dollars

TEMPLATES = (
    "auction_won",
    "payment_received",
    "payment_reminder",
    "payment_failed",
    "address_needed",
    "order_shipped",
    "order_delivered",
    "order_refunded",
)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # The text parts are plain text, where escaping would show; the HTML part is escaped.
    environment = Environment(
        loader=PackageLoader("tasks.letters"),
        autoescape=lambda name: bool(name and name.endswith(".html")),  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["dollars"] = dollars
    return environment


def render(template: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Subject, text and HTML of one mail; a fact that the template misses is an error, not a gap."""
    text = _environment().get_template(f"{template}.txt").render(**facts)
    subject, _, body = text.partition("\n")
    html = _environment().get_template("letter.html").render(subject=subject, paragraphs=_paragraphs(body))
    return {"subject": subject.strip(), "text": body.strip() + "\n", "html": html}


def _paragraphs(body: str) -> list[list[str]]:
    return [part.strip().splitlines() for part in body.strip().split("\n\n") if part.strip()]


def post(
    session: Session,
    template: str,
    subject: str,
    *,
    to: str,
    facts: Mapping[str, Any],
    lot_id: int | None = None,
    invoice_id: int | None = None,
    n: int = 1,
) -> str:
    """Plan one mail in the caller's transaction; its effect's key. The same key is never planned anew.

    Args:
        subject: what it is about: "lot-7", "invoice-3", "parcel-<number>".
        to: the buyer's address; kept in the frozen request alone.
    """
    if template not in TEMPLATES:
        raise ValueError(f"there is no mail {template!r}")
    key = f"mail:{template}:{subject}:{n}"
    if effects.state_of(session, key) is None:
        request = {"template": template, "to": to, **render(template, facts)}
        effects.plan(session, key, request, lot_id=lot_id, invoice_id=invoice_id)
        if restored.since(session):
            effects.give_up(session, key, restored.MAYBE_SENT)
    return key
