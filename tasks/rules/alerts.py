"""Every alert, declared once: what it says, how loud it is, and where the runbook tells what to do.

The automations, the links in a message and the runbook's sections all follow this table; an incident's `alert` is
a name in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RUNBOOK = "deployments/RUNBOOK.md"
AUTOMATION_PREFIX = "dropship: "
#: A flow run whose message says this failed as the database does not work.
DATABASE_DOWN = "DatabaseDown"
#: What may be said of an incident; `test` is a message sent by hand.
OCCASIONS = ("opened", "worsened", "reminder", "over", "test")


class Seen(StrEnum):
    """Who notices: a stage, which keeps an incident, or the Prefect server by itself."""

    BY_A_STAGE = "stage"
    BY_THE_SERVER = "server"


@dataclass(frozen=True)
class Alert:
    """One alert. `original` is the operator's old name of it, where it had one; `page` is where to look first."""

    name: str
    severity: str
    rule: str
    page: str | None = None
    original: str | None = None
    seen: Seen = Seen.BY_A_STAGE
    #: What to type, where the server tells it; a stage knows better what its finding needs.
    command: str = "pipeline status"

    @property
    def events(self) -> list[str]:
        """The events that carry it."""
        return [f"dropship.{self.name}.{occasion}" for occasion in OCCASIONS]

    @property
    def section(self) -> str:
        """Where the runbook tells what to do."""
        return section(self.name)


def automation_name(name: str) -> str:
    """What the automation of that name is called on the server; others there are somebody else's."""
    return f"{AUTOMATION_PREFIX}{name}"


def section(name: str) -> str:
    """The runbook's section for an alert: one anchor a name."""
    return f"{RUNBOOK}#alert-{name}"


CJ = "https://cjdropshipping.com/"
BASTA = "https://dashboard.basta.app/"
STRIPE = "https://dashboard.stripe.com/"

ALERTS: tuple[Alert, ...] = (
    Alert(
        "quota",
        "WARNING, then CRITICAL",
        "an endpoint of CJ allows fewer than 200 calls, or fewer than 100, or nobody can tell",
        CJ,
        "CJ API quota below 200; CJ API quota below 100",
    ),
    Alert(
        "fulfilment-failures",
        "HIGH",
        "more than 3 lots could not be bought in 24 hours, or an order does not get paid",
        CJ,
        "Multiple fulfillment failures (>3/day)",
    ),
    Alert("refund-rate", "HIGH", "more than 20 % of the paid lots were refunded", STRIPE, "Refund rate above 20%"),
    Alert(
        "margin", "HIGH, then CRITICAL", "the margin is negative; louder after 24 hours", None, "Negative profit margin"
    ),
    Alert(
        "lot-stuck",
        "MEDIUM, then HIGH",
        "a lot does not move for 4 hours, a parcel for days, or a sale does not close",
        BASTA,
        "Lot stuck >4 hours",
    ),
    Alert(
        "stripe-webhooks",
        "HIGH",
        "Stripe's webhooks fail, or the poll learned of payments that no webhook told",
        "https://dashboard.stripe.com/webhooks",
        "Stripe webhook failures",
    ),
    Alert("cj-balance", "CRITICAL", "CJ's balance is below what the paid lots need", CJ, "CJ balance insufficient"),
    Alert("cj-login", "CRITICAL", "CJ refuses our key or token", CJ),
    Alert("vendor-login", "CRITICAL", "Stripe, Basta or Resend refuses our key"),
    Alert(
        "sourcing",
        "MEDIUM",
        "sourcing failed, listed nothing, or did not run by 08:30 UTC",
        CJ,
        "Auto-source cron failure",
    ),
    Alert("refund-failed", "CRITICAL", "a refund failed, or cannot be made before a person acts", STRIPE),
    Alert("dispute", "CRITICAL", "a buyer's bank disputes a payment", "https://dashboard.stripe.com/disputes"),
    Alert("refund", "CRITICAL", "somebody else refunded a payment of ours", STRIPE),
    Alert("duplicate", "CRITICAL", "something was bought, charged or refunded twice", STRIPE),
    Alert("books", "CRITICAL", "our ledger and a vendor differ", STRIPE),
    Alert("invoice-voided", "HIGH", "somebody else voided an invoice of ours", STRIPE),
    Alert(
        "invoice-refused",
        "HIGH",
        "an invoice cannot be billed: Stripe or Basta refuses it, or Stripe cannot tax it",
        STRIPE,
    ),
    Alert("order-cancelled", "HIGH", "CJ cancelled an order", CJ),
    Alert("approval", "MEDIUM", "a question waits for a person's yes or no"),
    Alert(
        "silence",
        "HIGH",
        "no processing run finished for 30 minutes",
        seen=Seen.BY_THE_SERVER,
        command="pipeline doctor",
    ),
    Alert("failed-run", "HIGH", "a flow run failed, crashed or took too long", seen=Seen.BY_THE_SERVER),
    Alert(
        "database",
        "CRITICAL",
        "a flow run failed as the database does not work",
        seen=Seen.BY_THE_SERVER,
        command="pipeline doctor",
    ),
)

NAMED = {alert.name: alert for alert in ALERTS}
