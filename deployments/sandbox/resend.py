"""Resend: takes mails, once per key and day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

KEYS_LAST_SECONDS = 86_400


@dataclass(frozen=True)
class Mail:
    """A mail that went out."""

    id: str
    key: str
    to: tuple[str, ...]
    subject: str
    text: str
    at: float


class Resend:
    """The vendor, as the world knows it."""

    name = "resend"

    def __init__(self, world: World) -> None:
        self.world = world
        self.mails: list[Mail] = []
        self.domains = ["placerauctions.com"]
        self.sends_only = False
        self.accepts = "re_"  # how the keys begin that it lets in
        self._keys: dict[str, tuple[bytes, str, float]] = {}

    def operation(self, request: Request) -> str:
        """Method and path."""
        return f"{request.method} {request.path}"

    def throttled(self) -> Reply:
        """Too many requests."""
        return _error(429, "rate_limit_exceeded", "Too many requests", {"retry-after": "1"})

    def broken(self) -> Reply:
        """An error inside."""
        return _error(500, "application_error", "An unexpected error occurred")

    def handle(self, request: Request) -> Reply:
        """Take one mail."""
        if not request.headers.get("authorization", "").startswith(f"Bearer {self.accepts}"):
            return _error(403, "invalid_api_key", "API key is invalid")
        if (request.method, request.path) == ("GET", "/domains"):
            if self.sends_only:
                return _error(401, "restricted_api_key", "This API key is restricted to only send emails")
            rows = [{"id": "d", "name": one, "status": "verified"} for one in self.domains]
            return Reply.of({"object": "list", "data": rows})
        if request.path != "/emails" or request.method != "POST":
            return _error(404, "not_found", "The requested endpoint does not exist")
        try:
            body: dict[str, Any] = request.json()
        except ValueError:
            return _error(422, "validation_error", "The body is no JSON")
        if missing := [name for name in ("from", "to", "subject") if not body.get(name)]:
            return _error(422, "missing_required_field", f"Missing {missing[0]}")
        to = tuple(body["to"]) if isinstance(body["to"], list) else (body["to"],)
        if any(one.endswith(("@example.com", "@test.com")) for one in to):
            return _error(422, "validation_error", "Invalid `to` field")
        key, now = request.headers.get("idempotency-key", ""), self.world.clock.now().timestamp()
        if key in self._keys and now - self._keys[key][2] < KEYS_LAST_SECONDS:
            before, mail_id, _ = self._keys[key]
            if before != request.body:
                return _error(409, "invalid_idempotent_request", "The same key with another body")
            return Reply.of({"id": mail_id})
        mail = Mail(f"mail-{self.world.new_number()}", key, to, body["subject"], body.get("text") or "", now)
        self.mails.append(mail)
        if key:
            self._keys[key] = (request.body, mail.id, now)
        return Reply.of({"id": mail.id})


def _error(status: int, name: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply.of({"statusCode": status, "name": name, "message": message}, status, headers)
