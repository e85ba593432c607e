"""A message in the form that the operator's channel takes, within its limits, and unable to ping anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tasks.lots.clock import sleep
from tasks.rules.alerts import section
from tasks.rules.money import dollars
from tasks.settings import Settings

SOURCE = "dropship-auctions"
DEADLINE_SECONDS = 10.0
#: A channel that asks for a longer pause gets the message with the next cycle.
LONGEST_WAIT_SECONDS = 5.0
TITLE_LIMIT = 200
TOLD = {"over": "OVER", "reminder": "STILL", "worsened": "WORSE", "test": "TEST"}


def _plain(text: str) -> str:
    return text


def _no_markdown(text: str) -> str:
    """Discord: no mention, link, heading or quote can be made of it. `{{` is a placeholder of Prefect's block."""
    return re.sub(r"([\\`*_~|<>\[\]#@])", r"\\\1", text).replace("{{", "{ {")


def _no_entities(text: str) -> str:
    """Slack: its three control characters; the message itself says that it holds no markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("{{", "{ {")


@dataclass(frozen=True)
class Form:
    """What a kind of channel asks of a text."""

    limit: int  # UTF-16 units, the strictest way to count
    safe: Callable[[str], str]
    link: str  # Discord shows no preview of what stands in angle brackets


FORMS = {
    "discord": Form(2_000, _no_markdown, "<{}>"),
    "slack": Form(4_000, _no_entities, "{}"),
    "json": Form(32_000, _plain, "{}"),
}


def channel(settings: Settings) -> tuple[str, str]:
    """The kind and the address, which is a secret, of the operator's channel.

    Raises:
        SettingsError: there is none.
    """
    url = settings.need("ALERT_WEBHOOK_URL")
    return settings.alert_kind, url


def subject(message: Mapping[str, Any], kind: str = "json") -> str:
    """One line: severity, what became of it, and title."""
    told = TOLD.get(str(message.get("what")), "")
    title = " ".join(str(message["title"]).split())[:TITLE_LIMIT]
    return " ".join(part for part in (f"[{message['severity']}]", told, FORMS[kind].safe(title)) if part)


def body(message: Mapping[str, Any], kind: str = "json") -> str:
    """What happened, since when, what is at stake, where to look, and the command to type.

    A text that is too long loses its end, never what follows it.
    """
    form = FORMS[kind]
    ending = _ending(message, form)
    room = form.limit - _size(subject(message, kind)) - _size(ending) - 2
    return f"{_fit(str(message['text']), room, form.safe)}\n{ending}"


def _ending(message: Mapping[str, Any], form: Form) -> str:
    lines = [f"Since {str(message['since']).replace('T', ' ').replace('+00:00', ' UTC')}."]
    if message.get("cents"):
        lines.append(f"At stake: {dollars(int(message['cents']))}.")
    for name, title in (("run", "Run"), ("page", "Look at")):
        if message.get(name):
            lines.append(f"{title}: {form.link.format(message[name])}")
    lines.append(f"Runbook: {section(str(message.get('alert', 'unknown')))}")
    if message.get("command"):
        lines.append(f"Type: {form.safe(str(message['command']))}")
    return "\n".join(lines)


def _fit(text: str, room: int, safe: Callable[[str], str]) -> str:
    if _size(safe(text)) <= room:
        return safe(text)
    while text and _size(safe(text)) > room - 2:
        text = text[: len(text) - max(1, (_size(safe(text)) - room + 2) // 2)]
    return f"{safe(text)} …"


def _size(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def content(kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that a channel takes."""
    if kind == "json":
        return {
            "severity": message["severity"],
            "title": subject(message),
            "message": body(message),
            "lot_id": message.get("lot_id"),
            "dedup_key": message["key"],
            "timestamp": message["since"],
            "source": SOURCE,
        }
    text = f"{subject(message, kind)}\n{body(message, kind)}"
    return (
        {"content": text, "allowed_mentions": {"parse": []}} if kind == "discord" else {"text": text, "mrkdwn": False}
    )


def parts(kind: str, message: Mapping[str, Any]) -> dict[str, str]:
    """The subject and the body that Prefect's block puts into the channel's JSON (see `notification_block`)."""
    whole = json.dumps(content(kind, message), ensure_ascii=False) if kind == "json" else body(message, kind)
    return {"subject": subject(message, kind), "body": whole}


class NotDelivered(Exception):
    """The channel did not take a message; the text never names the address, which is a secret.

    `this_one` is True where the channel refused what was sent, rather than anything.
    """

    def __init__(self, sentence: str, *, this_one: bool = False) -> None:
        self.this_one = this_one
        super().__init__(sentence)


def post(http: httpx.Client, url: str, kind: str, message: Mapping[str, Any]) -> None:
    """Post a message, waiting once where the channel asks for a moment.

    Raises:
        NotDelivered: it was refused, or nobody answered.
    """
    answer = _post(http, url, kind, message)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        pause = _pause(answer)
        if pause <= LONGEST_WAIT_SECONDS:
            sleep(pause)
            answer = _post(http, url, kind, message)
    if answer.status_code >= 300:
        of_this = answer.status_code in (400, 413, 422)
        raise NotDelivered(f"the alert channel answered HTTP {answer.status_code}", this_one=of_this)


def _post(http: httpx.Client, url: str, kind: str, message: Mapping[str, Any]) -> httpx.Response:
    try:
        return http.post(url, json=content(kind, message), timeout=DEADLINE_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDelivered(f"the alert channel did not answer ({type(error).__name__})") from None


def _pause(answer: httpx.Response) -> float:
    """Discord tells seconds in its JSON, Slack in a header."""
    try:
        return float(answer.headers.get("retry-after") or answer.json()["retry_after"])
    except (ValueError, KeyError, TypeError):
        return LONGEST_WAIT_SECONDS + 1
