"""Basta: the key, the buyer's premium against what we price with, and the action hooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward
from deployments.registering import BASTA_ACTIONS, address
from tasks.clients.basta.models import Fee
from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable
from tasks.lots.clock import now
from tasks.rules.money import dollars
from tasks.settings import SettingsError

LOOK_BACK = timedelta(hours=24)


def examine(ward: Ward) -> Iterator[Finding]:
    """Its own questions, none of which costs anything."""
    try:
        fees = ward.desk.basta.account_fees()
        yield ok("Basta key", f"it works for account {ward.settings.account_id}")
        yield _premium(ward, fees)
        yield from _hooks(ward)
    except SettingsError as error:
        yield fail("Basta key", str(error), "put it into .env.local")
    except (NotLetIn, ServiceRefused) as error:
        yield fail("Basta key", str(error), "see ACCOUNT_ID and API_KEY")
    except ServiceUnavailable as error:
        yield warn("Basta", f"it did not answer: {error}", "pipeline doctor, again in a minute")


def _premium(ward: Ward, fees: tuple[Fee, ...] | None) -> Finding:
    """Basta's own fees win wherever it keeps any: then ours are what an operator believes, and buyers do not pay."""
    ours = ward.settings.buyer_premium_bp
    if fees is None:
        return ok("buyer's premium", f"Basta keeps none for this account; BUYER_PREMIUM_BP is {ours / 100:g} %")
    theirs = ", ".join(
        f"{fee.name} {fee.value / 100:g} %" if fee.kind == "PERCENTAGE" else f"{fee.name} {dollars(fee.value)}"
        for fee in fees
    )
    flat = [fee.value for fee in fees if fee.kind == "PERCENTAGE" and fee.lower_cents == 0 and fee.upper_cents is None]
    if ours and (len(fees) != 1 or flat != [ours]):
        text = f"Basta adds {theirs or 'none'}, and BUYER_PREMIUM_BP says {ours / 100:g} %: Basta's holds"
        return warn("buyer's premium", text, "take BUYER_PREMIUM_BP out of .env.local, or mend the fees at Basta")
    return ok("buyer's premium", f"Basta adds {theirs or 'none'}, and lots are priced with it")


def _hooks(ward: Ward) -> Iterator[Finding]:
    public = ward.settings.webhook_public_url
    if public is None:
        yield ok("Basta hooks", "not wanted: there is no WEBHOOK_PUBLIC_URL, and the polls suffice")
        return
    url = address(public, "basta")
    known = ward.desk.basta.hooks()
    missing = [action for action in BASTA_ACTIONS if (action, url) not in known]
    if missing:
        yield fail("Basta hooks", f"{' and '.join(missing)} are not told to {url}", "pipeline setup")
        return
    given_up = ward.desk.basta.failed_hooks(now() - LOOK_BACK).count(url)
    if given_up:
        text = f"Basta gave up {given_up} of the latest in 24 hours"
        yield warn("Basta hooks", text, "see that `pipeline webhooks` runs, and its log")
    else:
        yield ok("Basta hooks", f"sales and lots are told to {url}")
