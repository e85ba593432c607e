"""Stripe: the key, whose it is, and the endpoint: there, enabled, of our API version, and told what it must be told."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward
from deployments.registering import address
from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable
from tasks.clients.stripe import API_VERSION, Endpoint
from tasks.clients.stripe.webhooks import EVENTS
from tasks.settings import SettingsError

PAGE = "https://dashboard.stripe.com/webhooks"


def examine(ward: Ward) -> Iterator[Finding]:
    """Two reads."""
    try:
        account = ward.stripe.account_id()
        known = ward.stamped("stripe_account")
        if known is not None and known != account:
            text = f"it is of account {account}, and the database belongs to {known}"
            yield fail("Stripe key", text, "set DATABASE_URL to another one, or the key")
        else:
            yield ok("Stripe key", f"it works for account {account}, mode {ward.settings.mode}")
    except SettingsError as error:
        yield fail("Stripe key", str(error), "put it into .env.local")
        return
    except (NotLetIn, ServiceRefused) as error:
        yield fail("Stripe key", str(error), "see STRIPE_SECRET_KEY")
        return
    except ServiceUnavailable as error:
        yield warn("Stripe", f"it did not answer: {error}", "pipeline doctor, again in a minute")
        return
    yield _endpoint(ward)


def _endpoint(ward: Ward) -> Finding:
    public = ward.settings.webhook_public_url
    if public is None:
        return ok("Stripe endpoint", "not wanted: there is no WEBHOOK_PUBLIC_URL, and the polls suffice")
    url = address(public, "stripe")
    try:
        endpoints = ward.stripe.endpoints()
    except (NotLetIn, ServiceRefused):
        return warn("Stripe endpoint", "this restricted key may not look at it", f"look at {url} on {PAGE}")
    except ServiceUnavailable as error:
        return warn("Stripe endpoint", f"Stripe did not answer: {error}", "pipeline doctor, again in a minute")
    ours = [one for one in endpoints if one.url == url]
    if not ours:
        return fail("Stripe endpoint", f"there is none for {url}", "pipeline setup shows what to tick")
    return _judged(max(ours, key=lambda one: one.status == "enabled"))


def _judged(one: Endpoint) -> Finding:
    if one.status != "enabled":
        return fail("Stripe endpoint", f"it is {one.status}: Stripe tells nothing", f"enable it on {PAGE}")
    if one.api_version != API_VERSION:
        text = f"it tells events of version {one.api_version or 'the account'}, and we read {API_VERSION}"
        return fail("Stripe endpoint", text, f"make a new one of that version on {PAGE}")
    missing = [event for event in EVENTS if event not in one.events] if "*" not in one.events else []
    if missing:
        return warn("Stripe endpoint", f"it is not told {', '.join(missing)}", f"tick them on {PAGE}")
    return ok("Stripe endpoint", f"enabled, version {one.api_version}, all events")
