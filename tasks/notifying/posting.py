"""A message in the form that the operator's channel takes, within its limits, and unable to ping anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from tasks.rules.money import dollars

DISCORD_LIMIT, SLACK_LIMIT = 2_000, 4_000
DEADLINE_SECONDS = 10.0


def kind_of(url: str, given: str | None) -> str:
    """discord, slack or json: by the host alone, unless it is given."""
    if given:
        return given
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in ("discord.com", "discordapp.com") or host.endswith((".discord.com", ".discordapp.com")):
        return "discord"
    return "slack" if host in ("hooks.slack.com", "hooks.slack-gov.com") else "json"


def subject(message: Mapping[str, Any]) -> str:
    """One line: severity and title."""
    told = {"over": "OVER", "reminder": "STILL", "worsened": "WORSE"}.get(str(message.get("what")), "")
    return " ".join(part for part in (f"[{message['severity']}]", told, str(message["title"])) if part)


def body(message: Mapping[str, Any]) -> str:
    """What happened, since when, what it costs, and the command to type."""
    lines = [str(message["text"]), f"Since {message['since']}."]
    if message.get("cents"):
        lines.append(f"At stake: {dollars(int(message['cents']))}.")
    if message.get("command"):
        lines.append(f"Type: {message['command']}")
    return "\n".join(lines)


def content(kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that a channel takes."""
    text = f"{subject(message)}\n{body(message)}"
    if kind == "discord":
        return {"content": cut(text, DISCORD_LIMIT), "allowed_mentions": {"parse": []}}
    if kind == "slack":
        plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": cut(plain, SLACK_LIMIT)}
    return {
        "severity": message["severity"],
        "title": subject(message),
        "message": body(message),
        "lot_id": message.get("lot_id"),
        "dedup_key": message["key"],
        "timestamp": message["since"],
        "source": "dropship-auctions",
    }


def cut(text: str, limit: int) -> str:
    """The text within a limit, saying that it was cut."""
    return text if len(text) <= limit else text[: limit - 2] + " …"


class NotDelivered(Exception):
    """The channel did not take a message; the text never names the address, which is a secret."""


def post(http: httpx.Client, url: str, kind: str, message: Mapping[str, Any]) -> None:
    """Post a message.

    Raises:
        NotDelivered: it was refused, or nobody answered.
    """
    try:
        answer = http.post(url, json=content(kind, message), timeout=DEADLINE_SECONDS)
    except httpx.HTTPError as error:
        raise NotDelivered(f"the alert channel did not answer ({type(error).__name__})") from None
    if answer.status_code >= 300:
        raise NotDelivered(f"the alert channel answered HTTP {answer.status_code}")
