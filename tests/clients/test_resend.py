"""Resend: one mail a key, every answer a no or a maybe, and never an address in a log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr
from resend.http_client import HTTPClient

from tasks.clients.resend import Mail, Resend
from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable

MAIL = Mail(template="auction_won", to="ada@people.invalid", subject="You won", text="Well done.", html="<p>Well done.")


class Line(HTTPClient):
    """Answers as told, and remembers what it was asked."""

    def __init__(self, status: int = 200, body: bytes = b'{"id": "mail-1"}', error: Exception | None = None) -> None:
        self.status, self.body, self.error = status, body, error
        self.asked: list[tuple[str, Mapping[str, str], Any]] = []

    def request(
        self, method: str, url: str, headers: Mapping[str, str], json: Any = None, files: Any = None, data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.asked.append((url, headers, json))
        if self.error:
            raise self.error
        return self.body, self.status, {"content-type": "application/json"}


def client(line: Line, key: str | None = "re_x") -> Resend:
    return Resend(SecretStr(key) if key else None, "http://mail.invalid/", "Us <us@mail.invalid>", line)


def test_a_mail_goes_with_its_key_to_its_one_reader() -> None:
    line = Line()
    assert client(line).send(MAIL, key="mail:auction_won:invoice-1:1") == "mail-1"
    ((url, headers, body),) = line.asked
    assert url == "http://mail.invalid/emails"
    assert headers["Idempotency-Key"] == "mail:auction_won:invoice-1:1"
    assert (body["to"], body["from"]) == (["ada@people.invalid"], "Us <us@mail.invalid>")
    assert body["text"] == "Well done."
    assert body["html"].startswith("<p>")


def test_without_a_key_the_template_and_our_id_are_logged_and_never_the_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = Line()
    with caplog.at_level(logging.INFO):
        assert client(line, key=None).send(MAIL, key="mail:auction_won:invoice-1:1") is None
    assert line.asked == []
    assert "auction_won" in caplog.text
    assert "mail:auction_won:invoice-1:1" in caplog.text
    assert "ada@" not in caplog.text


def answer(status: int, name: str) -> Line:
    return Line(status, f'{{"statusCode": {status}, "name": "{name}", "message": "to ada@people.invalid"}}'.encode())


@pytest.mark.parametrize(
    ("line", "kind", "executed"),
    [
        pytest.param(answer(429, "rate_limit_exceeded"), ServiceUnavailable, False, id="too fast"),
        pytest.param(answer(429, "daily_quota_exceeded"), ServiceUnavailable, False, id="the day's mails"),
        pytest.param(answer(409, "concurrent_idempotent_requests"), ServiceUnavailable, None, id="the same, now"),
        pytest.param(answer(409, "invalid_idempotent_request"), ServiceRefused, None, id="a key for another mail"),
        pytest.param(answer(500, "application_error"), ServiceUnavailable, None, id="it failed inside"),
        pytest.param(answer(422, "validation_error"), ServiceRefused, None, id="no such address"),
        pytest.param(answer(403, "invalid_api_key"), NotLetIn, False, id="a wrong key"),
        pytest.param(answer(401, "missing_api_key"), NotLetIn, False, id="no key"),
        pytest.param(answer(401, "restricted_api_key"), NotLetIn, False, id="a key without the right"),
        pytest.param(answer(400, "validation_error"), ServiceRefused, None, id="bad fields"),
        pytest.param(answer(422, "missing_required_field"), ServiceRefused, None, id="a field too few"),
        pytest.param(answer(422, "invalid_from_address"), ServiceRefused, None, id="a sender that is none"),
        pytest.param(answer(403, "validation_error"), ServiceRefused, None, id="a domain not verified"),
        pytest.param(answer(400, "invalid_idempotency_key"), ServiceRefused, None, id="a key that is none"),
        pytest.param(answer(429, "monthly_quota_exceeded"), ServiceUnavailable, False, id="the month's mails"),
        pytest.param(Line(error=RuntimeError("Request failed: timed out")), ServiceUnavailable, None, id="no answer"),
        pytest.param(Line(502, b"<html>Bad gateway"), ServiceUnavailable, None, id="garbage"),
    ],
)
def test_every_failure_is_a_no_or_a_maybe_and_never_quotes_the_reader(
    line: Line, kind: type[Exception], executed: bool | None
) -> None:
    with pytest.raises(kind) as met:
        client(line).send(MAIL, key="k")
    assert "ada@" not in str(met.value)
    assert getattr(met.value, "executed", None) is executed
