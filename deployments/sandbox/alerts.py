"""The alert sink: a Discord, Slack or JSON channel with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

DISCORD_CONTENT, SLACK_TEXT = 2_000, 40_000


@dataclass(frozen=True)
class Post:
    """A message that arrived."""

    kind: str
    text: str
    pings: bool
    at: float


class Alerts:
    """The vendor, as the world knows it."""

    name = "alerts"

    def __init__(self, world: World) -> None:
        self.world = world
        self.posts: list[Post] = []
        self.gone = False  # the channel's webhook was deleted

    def operation(self, request: Request) -> str:
        """By channel."""
        return f"{request.method} {request.path.split('/')[1]}"

    def throttled(self) -> Reply:
        """Too many requests, as Discord says it."""
        return Reply.of({"message": "You are being rate limited.", "retry_after": 0.3, "global": False}, 429)

    def broken(self) -> Reply:
        """An error inside."""
        return Reply(500, b"broken")

    def handle(self, request: Request) -> Reply:
        """Take one message, or refuse it for the channel's own reasons."""
        kind = request.path.split("/")[1]
        if self.gone:
            return Reply(404, b"no_service" if kind == "slack" else b'{"code": 10015, "message": "Unknown Webhook"}')
        if request.method != "POST":  # Discord shows the webhook to whoever has its address
            shown = kind == "discord" and request.method == "GET"
            return Reply.of({"id": "1", "type": 1, "name": "alerts"}) if shown else Reply(405)
        try:
            body: dict[str, Any] = request.json()
        except ValueError:
            return Reply.of({"code": 50109, "message": "The request body contains invalid JSON."}, 400)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return Reply.of({"code": 50035, "message": "Invalid form body"}, 400)
        text = str(body.get({"discord": "content", "slack": "text"}.get(kind, "message")) or "")
        if kind == "discord" and not 0 < len(text) <= DISCORD_CONTENT:
            return Reply.of({"code": 50035, "message": "Invalid Form Body"}, 400)
        if kind == "slack" and not 0 < len(text) <= SLACK_TEXT:
            return Reply(400, b"no_text" if not text else b"msg_too_long")
        allowed = (body.get("allowed_mentions") or {"parse": ["everyone"]}).get("parse")
        pings = ("@everyone" in text and bool(allowed)) if kind == "discord" else "<!" in text
        self.posts.append(Post(kind, text, pings, self.world.clock.now().timestamp()))
        return Reply(200, b"ok") if kind == "slack" else Reply(204)
