"""The operator's channel, with no word in it: Discord shows its webhook to whoever asks, Slack refuses empty texts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward

TEST = "pipeline automations test"
FIX = "make a new webhook in the channel, set ALERT_WEBHOOK_URL, and type pipeline automations apply"
SLACK_ALIVE = ("no_text", "invalid_payload", "missing_text_or_fallback_or_attachments")


def examine(ward: Ward) -> Iterator[Finding]:
    """One request that posts nothing; the address is a secret and stands in no line."""
    url = ward.settings.alert_webhook_url
    if url is None:
        yield warn("alerts", "no ALERT_WEBHOOK_URL: alerts go to the console only", "set it, and type pipeline setup")
        return
    address = url.get_secret_value()
    kind = ward.settings.alert_kind
    try:
        if kind == "discord":
            answer = ward.http.get(address)
            good = answer.status_code == 200
        elif kind == "slack":
            answer = ward.http.post(address, json={})
            good = answer.status_code == 400 and answer.text.strip() in SLACK_ALIVE
        else:
            answer = ward.http.head(address)
            good = answer.status_code not in (404, 410) and answer.status_code < 500
    except httpx.HTTPError as error:
        yield fail("alerts", f"the {kind} channel does not answer ({type(error).__name__})", "see ALERT_WEBHOOK_URL")
        return
    if good:
        yield ok("alerts", f"the {kind} channel is there ({TEST} posts to it)")
    elif answer.status_code == 429:
        yield warn("alerts", f"the {kind} channel is asked too often just now", "pipeline doctor, again in a minute")
    else:
        yield fail("alerts", f"the {kind} channel answers HTTP {answer.status_code}", FIX)
