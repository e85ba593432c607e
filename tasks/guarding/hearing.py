"""Whether Stripe's webhooks reach us and are worked. Polling alone suffices, so a silence here would go unseen."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.desk import desk
from tasks.lots import inbox, incidents, refusals
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.models import Invoice
from tasks.lots.records import InboxEvent
from tasks.rules.thresholds import (
    SIGNATURES_FAILING,
    UNTOLD_PAYMENTS,
    WEBHOOK_LATE,
    WEBHOOK_WINDOW,
    WEBHOOK_WORKED_WITHIN,
)

PREFIX = "webhooks:stripe:"


def listen_for_stripe() -> None:
    """Report what is wrong with Stripe's webhooks, and close what is not wrong any more."""
    at = desk()
    expected = bool(at.settings.webhook_public_url and at.settings.stripe_webhook_secret)
    with at.record.write() as session:
        found = [*_signatures(session), *_handling(session), *(_untold(session) if expected else [])]
        incidents.settle(session, PREFIX, found)


def _trouble(what: str, title: str, text: str, cents: int | None = None) -> Trouble:
    return Trouble(
        key=f"{PREFIX}{what}",
        alert="stripe-webhooks",
        severity="HIGH",
        title=title,
        text=text,
        command="pipeline doctor",
        cents=cents,
    )


def _signatures(session: Session) -> list[Trouble]:
    """Signed, and not to be believed, several times, and nothing genuine since: a stranger's knocks are no alert."""
    held = refusals.signatures(session, "stripe", now() - WEBHOOK_WINDOW)
    if held.failing < SIGNATURES_FAILING or not held.is_failing:
        return []
    clock = " This machine's clock may be wrong." if held.stale else ""
    text = f"{held.failing} in 24 hours, and none that holds since. Is STRIPE_WEBHOOK_SECRET this endpoint's?{clock}"
    return [_trouble("signatures", "Stripe's webhooks come with signatures that do not hold", text)]


def _handling(session: Session) -> list[Trouble]:
    waiting = inbox.waiting(session, "stripe", inbox.ASKED)
    late = [one for one in waiting if one.received_at < now() - WEBHOOK_WORKED_WITHIN]
    if not late:
        return []
    text = f"The oldest came at {late[0].received_at:%Y-%m-%d %H:%M} UTC. The cycles' logs say why they fail."
    return [_trouble("handling", f"{len(late)} of Stripe's webhooks wait for their work", text)]


def _untold(session: Session) -> list[Trouble]:
    """Payments that are on record for long enough, and of which Stripe's events said nothing."""
    query = select(Invoice).where(Invoice.paid_at > now() - WEBHOOK_WINDOW, Invoice.paid_at < now() - WEBHOOK_LATE)
    told = select(InboxEvent.payload).where(
        InboxEvent.source == "stripe", InboxEvent.received_at > now() - WEBHOOK_WINDOW - timedelta(days=1)
    )
    named = {value for payload in session.scalars(told) for value in payload.values() if isinstance(value, str)}
    untold = [
        one
        for one in session.scalars(query)
        if not {one.stripe_invoice_id, one.payment_intent_id, one.charge_id} & named
    ]
    if len(untold) < UNTOLD_PAYMENTS:
        return []
    text = "Only the poll learned of them. See in Stripe's dashboard where the webhooks go, and whether we run there."
    cents = sum(one.paid_cents or 0 for one in untold)
    return [_trouble("silence", f"{len(untold)} payments in 24 hours came without a webhook", text, cents)]
