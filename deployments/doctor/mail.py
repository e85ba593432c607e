"""Resend: the key, and whether the sender's domain is verified, where the key may ask. No mail is sent."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr

import httpx

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward


def examine(ward: Ward) -> Iterator[Finding]:
    """One read. A key that may only send is refused by name, which shows that it is one."""
    settings = ward.settings
    if settings.resend_api_key is None:
        yield warn("Resend key", "no RESEND_API_KEY: mails are logged, not sent", "put it into .env.local")
        return
    key = {"authorization": f"Bearer {settings.resend_api_key.get_secret_value()}"}
    try:
        answer = ward.http.get(f"{settings.resend_api_url.rstrip('/')}/domains", headers=key)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield warn("Resend", f"it did not answer ({type(error).__name__})", "pipeline doctor, again in a minute")
        return
    if answer.status_code == 401 and body.get("name") == "restricted_api_key":
        yield ok("Resend key", "it works, and may only send")
    elif answer.status_code == 429:
        yield warn("Resend key", "Resend was asked too often just now", "pipeline doctor, again in a minute")
    elif answer.status_code != 200:
        yield fail("Resend key", f"Resend says {body.get('name') or answer.status_code}", "see RESEND_API_KEY")
    else:
        yield _sender(settings.resend_from, body.get("data") or [])


def _sender(sender: str, domains: list[dict[str, object]]) -> Finding:
    ours = parseaddr(sender)[1].rpartition("@")[2].lower()
    states = {str(one.get("name")).lower(): str(one.get("status")) for one in domains}
    if states.get(ours) == "verified":
        return ok("Resend key", f"it works, and {ours} is verified")
    text = f"it works, but {ours} is {states.get(ours, 'unknown there')}"
    return warn("Resend key", text, "verify the domain of RESEND_FROM at https://resend.com/domains")
