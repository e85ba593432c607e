"""Our receiver, from outside: it answers, its secrets are these, and what the vendors sign holds.

The round trip is a body that each vendor's secret signs and that says of itself that it is a test: the receiver
answers it with 204 and keeps nothing. It proves our half; the vendor's half shows in the last genuine event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
from sqlalchemy.exc import SQLAlchemyError

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward
from deployments.registering import address
from tasks.clients.basta import webhooks as basta
from tasks.clients.cj import webhooks as cj
from tasks.clients.cj.tokens import TokenFile
from tasks.clients.signing import SELF_TEST
from tasks.clients.stripe import webhooks as stripe
from tasks.lots import refusals
from tasks.lots.clock import now

LOOK_BACK = timedelta(hours=24)
START = "pipeline webhooks, behind WEBHOOK_PUBLIC_URL"
SECRETS = {"stripe": "STRIPE_WEBHOOK_SECRET", "basta": "BASTA_WEBHOOK_SECRET", "cj": "CJ's login"}


def examine(ward: Ward) -> Iterator[Finding]:
    """Healthy, then a round trip for each vendor."""
    public = ward.settings.webhook_public_url
    if public is None:
        text = "there is no WEBHOOK_PUBLIC_URL: payments and parcels are learned from polls, minutes or hours later"
        yield warn("webhooks", text, "set WEBHOOK_PUBLIC_URL, start pipeline webhooks, and type pipeline setup")
        return
    try:
        healthy = ward.http.get(f"{public.rstrip('/')}/healthz")
    except httpx.HTTPError as error:
        yield fail("receiver", f"nobody answers at {public} ({type(error).__name__})", START)
        return
    if healthy.status_code != 200:
        yield fail("receiver", f"{public} answers HTTP {healthy.status_code}", START)
        return
    yield ok("receiver", f"it answers at {public}")
    for source in SECRETS:
        yield _round_trip(ward, public, source)


def _round_trip(ward: Ward, public: str, source: str) -> Finding:
    name = f"{source} webhooks"
    headers = _signed(ward, source)
    if headers is None:
        if source == "cj":
            text = "CJ signs with the account's id, which comes with the first login"
            return warn(name, text, "pipeline doctor, again")
        return fail(name, f"{SECRETS[source]} is not set: nothing is let in", "put it into .env.local")
    try:
        answer = ward.http.post(address(public, source), content=SELF_TEST, headers=headers)
    except httpx.HTTPError as error:
        return fail(name, f"no answer ({type(error).__name__})", START)
    if answer.status_code == 401:
        text = f"the receiver has another secret than these settings ({SECRETS[source]})"
        return fail(name, text, "start pipeline webhooks anew")
    if answer.status_code != 204:
        return fail(name, f"a signed test came back with HTTP {answer.status_code}", START)
    return _heard(ward, name, source)


def _signed(ward: Ward, source: str) -> dict[str, str] | None:
    settings, at = ward.settings, int(now().timestamp())
    if source == "cj":
        tokens = TokenFile(settings.token_path, now).read()
        return {"sign": cj.signature(SELF_TEST, tokens.open_id.get_secret_value())} if tokens else None
    if source == "stripe":
        key = settings.stripe_webhook_secret.get_secret_value()
        return {"stripe-signature": f"t={at},v1={stripe.signature(SELF_TEST, key, at)}"} if key else None
    key = settings.basta_webhook_secret.get_secret_value()
    return {"x-basta-signature": f"t={at},v1={basta.signature(SELF_TEST, key, at)}"} if key else None


def _heard(ward: Ward, name: str, source: str) -> Finding:
    """What the vendor itself sent of late."""
    unread = warn(name, "a signed test came through; what was refused could not be read", "see the database's own line")
    if not ward.has_record():
        return unread
    try:
        with ward.record.read() as session:
            seen = refusals.signatures(session, source, now() - LOOK_BACK)
    except SQLAlchemyError:
        return unread
    if not seen.is_failing:
        told = f"{seen.genuine} genuine events in 24 hours"
        return ok(name, f"a signed test came through; {told}")
    if seen.stale * 2 > seen.failing:
        return fail(name, f"{seen.failing} of the vendor's were of another time: our clock is wrong", "see NTP")
    text = f"a signed test came through, but {seen.failing} webhooks in 24 hours were signed with another secret"
    return fail(name, text, f"compare {SECRETS[source]} with the vendor's page")
