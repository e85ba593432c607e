"""Whether the vendors let us in. What needs one that does not waits, and no lot suffers for a key of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from tasks.clients.service import NotLetIn, ServiceError
from tasks.desk import Desk, desk
from tasks.lots import incidents
from tasks.lots.incidents import Trouble

PREFIX = "login:"
KEY = f"{PREFIX}cj"
#: service -> what waits until it works, and what to look at.
WAITS = {
    "CJ": "Nothing is bought until it works: see CJ_API_KEY, then delete .cj-token.json.",
    "Stripe": "Nobody is billed, charged or refunded until it works: see STRIPE_SECRET_KEY.",
    "Basta": "No sale is listed or read until it works: see ACCOUNT_ID and API_KEY.",
    "Resend": "No mail goes out until it works: see RESEND_API_KEY.",
}
#: One cheap read that needs the key. CJ's is the hourly reading of its quota; mails prove themselves.
PROOFS: dict[str, Callable[[Desk], object]] = {
    "Stripe": lambda at: at.stripe.account_id(),
    "Basta": lambda at: at.basta.account_fees(),
    "Resend": lambda at: None,
}


def watch_login(met: Sequence[Exception]) -> None:
    """Report every vendor that refused our key, and end the incidents of those that let us in again.

    Args:
        met: what this cycle's subjects failed with; what their effects met, the desk knows.
    """
    at = desk()
    refusals = {error.service: error for error in met if isinstance(error, NotLetIn)} | at.kept_out
    at.kept_out = {}
    with at.record.write() as session:
        for service, error in refusals.items():
            incidents.report(session, _trouble(service, error))
        missed = [one.key.removeprefix(PREFIX) for one in incidents.open_ones(session, PREFIX)]
    for service, proof in PROOFS.items():
        if service.lower() in missed and service not in refusals and _lets_in(at, proof):
            with at.record.write() as session:
                incidents.over(session, f"{PREFIX}{service.lower()}")


def _trouble(service: str, error: NotLetIn) -> Trouble:
    key, text = f"{PREFIX}{service.lower()}", f"{error}. {WAITS[service]}"
    if service == "CJ":
        return Trouble(
            key=key,
            alert="cj-login",
            severity="CRITICAL",
            title="CJ refuses our login",
            text=text,
            command="pipeline process",
        )
    return Trouble(
        key=key,
        alert="vendor-login",
        severity="CRITICAL",
        title=f"{service} refuses our key",
        text=text,
        command="pipeline doctor",
    )


def _lets_in(at: Desk, proof: Callable[[Desk], object]) -> bool:
    try:
        proof(at)
    except ServiceError:
        return False  # still shut, or away: the next cycle asks again
    return True


def refused(session: Session) -> bool:
    """Whether CJ refuses us now."""
    return bool(incidents.open_ones(session, KEY))


def works(session: Session) -> None:
    """CJ answered a call that needs a token."""
    incidents.over(session, KEY)
