"""One conversation with a libSQL server over HTTP: each answer's baton is the thread to the next request."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from tasks.lots.hrana.errors import Disconnected, OperationalError

Json = Mapping[str, Any]
CLOSE: Json = {"type": "close"}


class Bearer(httpx.Auth):
    """The token, put on at the last moment, so that nothing else holds it in the clear."""

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request."""
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # once: reading the certificates costs more than a query


class Stream:
    """A stream at a server, if one is open. An error on the way ends it, and the server drops its transaction.

    The server forgets a stream that was idle for ten seconds.
    """

    def __init__(self, url: str, token: SecretStr | None, *, seconds: float, connect_seconds: float) -> None:
        self.home = url.rstrip("/")
        self._base, self._baton = self.home, None
        self._http = httpx.Client(
            auth=Bearer(token),
            timeout=httpx.Timeout(seconds, connect=connect_seconds),
            limits=httpx.Limits(max_connections=1),
            verify=_trust(),
        )

    @property
    def is_open(self) -> bool:
        """Whether the server keeps something for us."""
        return self._baton is not None

    def ask(self, *requests: Json) -> list[Json]:
        """Send some requests in one go; what came of each, errors among them.

        Raises:
            Disconnected: no answer, or none that belongs to this stream.
            OperationalError: the server opened no stream.
        """
        known = self.is_open
        try:
            told = self._http.post(f"{self._base}/v3/pipeline", json={"baton": self._baton, "requests": requests})
        except httpx.RequestError as error:
            self._forget()
            raise Disconnected(f"the database at {self._host} did not answer: {type(error).__name__}") from error
        if told.status_code != httpx.codes.OK:
            self._forget()
            raise self._refused(told, known)
        try:
            answer = told.json()
            results: list[Json] = answer["results"]
            self._baton, self._base = answer["baton"], answer.get("base_url") or self._base
        except (ValueError, KeyError, TypeError) as error:
            self._forget()
            raise Disconnected(f"the database at {self._host} answered what is not Hrana") from error
        if not self.is_open:
            self._base = self.home
        if len(results) != len(requests):
            self._forget()
            raise Disconnected(f"the database at {self._host} answered {len(results)} of {len(requests)} requests")
        return results

    def close(self) -> None:
        """Let go of the line; the server forgets a stream that was left open."""
        self._forget()
        self._http.close()

    @property
    def _host(self) -> str:
        return urlsplit(self._base).netloc

    def _forget(self) -> None:
        self._baton, self._base = None, self.home

    def _refused(self, told: httpx.Response, known: bool) -> OperationalError:
        reason = f"the database at {self._host} answered {told.status_code}"
        if told.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return OperationalError(f"{reason}: it does not accept TURSO_AUTH_TOKEN")
        text = told.text.strip().splitlines()[0][:200] if told.text.strip() else "no reason given"
        return (Disconnected if known else OperationalError)(f"{reason}: {text}")
