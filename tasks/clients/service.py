"""Two kinds of failure, decided once.

    ServiceError                 somebody outside failed us
    ├── ServiceUnavailable       may pass: timeout, 429, 5xx, reset, garbage
    │   ├── QuotaExhausted       passes with the vendor's period, not in seconds
    │   └── NotLetIn             passes when a person mends our key: it is no answer to what was asked
    └── ServiceRefused           the service understood and said no: a rule or a person must act

`ServiceUnavailable.executed` is False only where the vendor certainly did nothing (no connection, rate
refusal), and None where nobody can know.
"""

from __future__ import annotations

from typing import Any

import httpx


class ServiceError(Exception):
    """A service failed; the message names service, call and reason, and never a secret or an address."""

    def __init__(
        self,
        service: str,
        operation: str,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.service, self.operation, self.message = service, operation, message
        self.status, self.code, self.request_id = status, code, request_id
        detail = " ".join(part for part in (f"HTTP {status}" if status else "", code or "") if part)
        super().__init__(f"{service} {operation}: {message}" + (f" ({detail})" if detail else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[ServiceError], facts: dict[str, Any]) -> ServiceError:
    """Errors cross process borders in task results: keep all that they know."""
    error = kind(
        facts["service"],
        facts["operation"],
        facts["message"],
        status=facts["status"],
        code=facts["code"],
        request_id=facts["request_id"],
    )
    error.__dict__.update(facts)
    return error


class ServiceUnavailable(ServiceError):
    """It may pass. `executed` is False when the vendor certainly did nothing, None when nobody knows."""

    executed: bool | None = None
    retry_after: float | None = None
    #: Whether seconds may help; where not, only a later cycle tries again.
    soon = True

    @classmethod
    def not_executed(cls, service: str, operation: str, message: str, **facts: Any) -> ServiceUnavailable:
        """The vendor certainly did nothing."""
        error = cls(service, operation, message, **facts)
        error.executed = False
        return error


class QuotaExhausted(ServiceUnavailable):
    """The allowance is used up; seconds do not help."""

    executed = False
    soon = False


class NotLetIn(ServiceUnavailable):
    """Our key, token or right was refused, so nothing was done: no lot may suffer for a wrong key of ours."""

    executed = False
    soon = False


class ServiceRefused(ServiceError):
    """The service understood and said no."""


def send(http: httpx.Client, method: str, url: str, *, service: str, operation: str, **options: Any) -> httpx.Response:
    """One request, its transport failures and 5xx mapped; other statuses are the caller's to read.

    Raises:
        ServiceUnavailable: no answer, or a 5xx or 429 one.
    """
    try:
        answer = http.request(method, url, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ServiceUnavailable.not_executed(service, operation, f"no connection ({type(error).__name__})") from error
    except httpx.TransportError as error:
        raise ServiceUnavailable(service, operation, f"no answer ({type(error).__name__})") from error
    except httpx.DecodingError as error:
        raise ServiceUnavailable(service, operation, "an answer that cannot be decoded") from error
    if answer.status_code >= 500:
        raise ServiceUnavailable(service, operation, "it failed inside", status=answer.status_code)
    return answer
