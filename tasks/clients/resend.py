"""Resend, which carries our mails. The SDK keeps its settings in globals: they are touched here alone."""

from __future__ import annotations

import logging
import threading
from typing import Any

import resend
from pydantic import BaseModel, ConfigDict, SecretStr
from resend.exceptions import ResendError
from resend.http_client import HTTPClient

from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable

SERVICE = "Resend"
DEADLINE_SECONDS = 10
_globals = threading.Lock()
_logger = logging.getLogger(__name__)


class Mail(BaseModel):
    """One rendered mail, as it was frozen."""

    model_config = ConfigDict(frozen=True)

    template: str
    to: str
    subject: str
    text: str
    html: str


class Resend:
    """Sends a mail once per key, for as long as Resend remembers keys (24 h)."""

    def __init__(self, api_key: SecretStr | None, api_url: str, sender: str, line: HTTPClient | None = None) -> None:
        self._key, self._url, self._sender = api_key, api_url.rstrip("/"), sender
        self._line = line or resend.RequestsClient(timeout=DEADLINE_SECONDS)

    def send(self, mail: Mail, *, key: str) -> str | None:
        """Send a mail; Resend's id for it. Without an API key the template and our id are logged, no more.

        Raises:
            ServiceUnavailable: it may have gone, or may go later. ServiceRefused: it never will.
        """
        if self._key is None:
            _logger.info("no RESEND_API_KEY: mail %s (%s) is logged, not sent", mail.template, key)
            return None
        given: Any = {
            "from": self._sender,
            "to": [mail.to],
            "subject": mail.subject,
            "html": mail.html,
            "text": mail.text,
            "tags": [{"name": "kind", "value": mail.template}],
        }
        try:
            with _globals:
                resend.api_key, resend.api_url = self._key.get_secret_value(), self._url
                resend.default_http_client = self._line
                answer = resend.Emails.send(given, {"idempotency_key": key[:256]})
        except ResendError as error:
            raise _ours(error) from None  # the SDK's error may quote the recipient
        return str(answer["id"])


#: What is wrong with us, and not with the mail: it goes when the key is right.
KEY_ERRORS = frozenset({"missing_api_key", "invalid_api_key", "restricted_api_key"})


def _ours(error: ResendError) -> ServiceRefused | ServiceUnavailable:
    """Decide on status and name: the SDK's classes say too little."""
    status = int(error.code) if str(error.code).isdigit() else 500
    name = str(error.error_type)
    facts: dict[str, Any] = {"status": status, "code": name}
    if status == 429 and name == "rate_limit_exceeded":
        return ServiceUnavailable.not_executed(SERVICE, "send", "too many requests", **facts)
    if status == 429:
        return ServiceUnavailable.not_executed(SERVICE, "send", "the day's or month's mails are used up", **facts)
    if name == "concurrent_idempotent_requests" or status >= 500:
        return ServiceUnavailable(SERVICE, "send", "it failed inside, or did not answer", **facts)
    if name in KEY_ERRORS:
        return NotLetIn(SERVICE, "send", "the key is missing or wrong", **facts)
    return ServiceRefused(SERVICE, "send", "it refused the mail", **facts)
