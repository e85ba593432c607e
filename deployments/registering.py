"""Having the vendors tell us: what is missing is added through their own APIs, and nothing is added twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx

from tasks.clients.service import ServiceError
from tasks.clients.stripe import API_VERSION
from tasks.clients.stripe.webhooks import EVENTS
from tasks.desk import Desk
from tasks.lots import leases

#: What closing learns from; the rest of Basta's actions changes nothing that we would not read anyway.
BASTA_ACTIONS = ("SALE_STATUS_CHANGED", "ITEMS_STATUS_CHANGED")
CJ_TOPICS = ("order", "logistics")
#: CJ tries the address while it answers `webhook/set`; the window is closed as soon as it has.
PROBE_WINDOW = timedelta(seconds=60)
DEADLINE_SECONDS = 5.0


@dataclass(frozen=True)
class Registered:
    """What became of one vendor's registration, in a sentence for the operator."""

    vendor: str
    text: str
    ok: bool = True


def address(public_url: str, source: str) -> str:
    """Where a vendor finds us."""
    return f"{public_url.rstrip('/')}/webhooks/{source}"


def register(at: Desk) -> Iterator[Registered]:
    """Look at what each vendor has, and add what is missing. Twice changes nothing.

    Raises:
        SettingsError: WEBHOOK_PUBLIC_URL is not set.
    """
    public = at.settings.need("WEBHOOK_PUBLIC_URL")
    if (away := _away(public)) is not None:
        first = "start `pipeline webhooks` behind it first"
        yield Registered("receiver", f"nobody answers at {public} ({away}): {first}", False)
        return
    for vendor, act in (("Basta", _basta), ("CJ", _cj), ("Stripe", _stripe)):
        try:
            yield Registered(vendor, act(at, address(public, vendor.lower())))
        except ServiceError as error:
            yield Registered(vendor, f"not registered: {error}", False)


def _away(public: str) -> str | None:
    """Why the receiver cannot be reached from here, or None."""
    try:
        answer = httpx.get(f"{public.rstrip('/')}/healthz", timeout=DEADLINE_SECONDS)
    except httpx.HTTPError as error:
        return type(error).__name__
    return None if answer.status_code == 200 else f"HTTP {answer.status_code}"


def _basta(at: Desk, url: str) -> str:
    known = at.basta.hooks()
    missing = [action for action in BASTA_ACTIONS if (action, url) not in known]
    for action in missing:
        at.basta.subscribe(action, url)
    return f"{', '.join(missing)} added" if missing else "already told of everything"


def _cj(at: Desk, url: str) -> str:
    callbacks = at.cj.account().callbacks
    if all(url in callbacks.get(topic, ()) for topic in CJ_TOPICS):
        return "already told of orders and parcels"
    with leases.held(at.record, leases.PROBE, "pipeline setup", PROBE_WINDOW):
        at.cj.set_webhooks(url, keep=callbacks)
    return "orders and parcels are told from now on"


def _stripe(at: Desk, url: str) -> str:
    """Stripe's endpoint is made by hand, as its secret is shown there once."""
    try:
        endpoints = at.stripe.endpoints()
    except ServiceError:
        endpoints = ()  # a restricted key may not look
    if any(one.url == url and one.status == "enabled" for one in endpoints):
        return "already has the endpoint; `pipeline doctor` looks at its events and version"
    return "\n".join(
        [
            f"add the endpoint {url} under Developers > Webhooks, with API version {API_VERSION} and these events:",
            *(f"  {event}" for event in EVENTS),
            "  then put its signing secret into .env.local as STRIPE_WEBHOOK_SECRET, and start the receiver anew",
        ]
    )
