"""CJ's envelope, which drifts, and its error codes: what each means for us, in one table."""

from __future__ import annotations

from typing import Any

import httpx

from tasks.clients.cj.parsing import loads
from tasks.clients.service import NotLetIn, QuotaExhausted, ServiceRefused, ServiceUnavailable

SERVICE = "CJ"

#: Calls on which doubt is harmless: nothing changes at CJ.
TOKEN_CODES = frozenset({1600001, 1600002, 1600003, 1600030, 1600031})
#: Not of what was asked, but of us: a suspended account, a key without the right.
ACCOUNT_CODES = frozenset({*range(1600004, 1600014), 1601000})
RATE_CODES = frozenset({1600200})
QUOTA_CODES = frozenset({1600201, 16900500, 429})
BUSY_CODES = frozenset({1600000, 1600301})
ORDER_NOT_FOUND = 1600300
NUMBER_TAKEN = 1603003
BALANCE_SHORT = frozenset({1604000})
CREATION_FAILED = 1603000
GONE_CODES = frozenset({1602000, 1602001, 1602002, 1602003})
#: Each endpoint leaves out one or two of these; without any of them it is no answer of CJ's, whatever its status.
MARKS = frozenset({"code", "result", "success"})
#: Whatever these are refused for, it is our key or our account.
LOGINS = frozenset({"getAccessToken", "refreshAccessToken"})
BUSY_WORDS = ("busy", "try again", "later")


class TokenRefused(NotLetIn):
    """The token is missing, wrong or over: log in once, and ask again once."""


class OrderNumberTaken(ServiceRefused):
    """CJ has an order of this number: it is ours, and must be read."""


class BalanceShort(ServiceRefused):
    """CJ's balance does not cover it."""


class NotFound(ServiceRefused):
    """CJ knows no such order."""


class OffSale(ServiceRefused):
    """The product or variant is not sold any more."""


def open_envelope(answer: httpx.Response, operation: str) -> Any:
    """The data of an answer that means success: HTTP 200, code 200, 0 or none, neither flag false.

    Raises:
        ServiceUnavailable: it may pass (garbage included). ServiceRefused: CJ said no.
    """
    try:
        body = loads(answer.content)
    except ValueError as error:
        raise ServiceUnavailable(SERVICE, operation, "no JSON came", status=answer.status_code) from error
    if not isinstance(body, dict) or (answer.status_code == 200 and not MARKS & body.keys()):
        raise ServiceUnavailable(SERVICE, operation, "no envelope came", status=answer.status_code)
    code = body.get("code")
    good = answer.status_code == 200 and code in (None, 0, 200)
    if good and body.get("result") is not False and body.get("success") is not False:
        return body.get("data")
    raise failure(operation, answer.status_code, code, str(body.get("message") or ""), str(body.get("requestId") or ""))


def points_left(answer: httpx.Response) -> int | None:
    """The points still to be spent, when the answer tells."""
    try:
        info = loads(answer.content).get("pointsInfo")
        return int(info["remaining"]) if info else None
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def failure(operation: str, status: int, code: Any, message: str, request_id: str) -> Exception:
    """The error that a code stands for."""
    number = int(code) if str(code).lstrip("-").isdigit() else 0
    facts: dict[str, Any] = {"status": status, "code": str(code) if code is not None else None}
    facts["request_id"] = request_id or None
    said = message or "it said no"
    if number in RATE_CODES or (status == 429 and number not in QUOTA_CODES):
        error = ServiceUnavailable.not_executed(SERVICE, operation, said, **facts)
        error.retry_after = 60.0 if "ip limit" in message else 1.5
        return error
    if number in QUOTA_CODES:
        return QuotaExhausted(SERVICE, operation, said, **facts)
    if number in TOKEN_CODES or status == 401 or (operation in LOGINS and number not in BUSY_CODES and status < 500):
        return TokenRefused(SERVICE, operation, said, **facts)
    if number in ACCOUNT_CODES:
        return NotLetIn(SERVICE, operation, said, **facts)
    if number in BUSY_CODES or (number == CREATION_FAILED and any(word in message.lower() for word in BUSY_WORDS)):
        return ServiceUnavailable(SERVICE, operation, said, **facts)
    if status >= 500:
        return ServiceUnavailable(SERVICE, operation, said, **facts)
    kinds: dict[int, type[ServiceRefused]] = {NUMBER_TAKEN: OrderNumberTaken, ORDER_NOT_FOUND: NotFound}
    kinds |= dict.fromkeys(BALANCE_SHORT, BalanceShort) | dict.fromkeys(GONE_CODES, OffSale)
    return kinds.get(number, ServiceRefused)(SERVICE, operation, said, **facts)
