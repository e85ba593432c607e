"""Lines into the sandbox's world without a socket: the same bytes in and out, and every fault as a client meets it.

One function, `Exchange.ask`, carries every call of every vendor. It is also where a simulation puts its knife:
`before` and `after` are called at each call, and may raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import resend.http_client
import stripe

from deployments.sandbox.server import PREFIXES
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World
from tests.simulation.meter import Meter

#: How long our clients wait for an answer; the clock is moved on by this where a vendor hangs.
PATIENCE_SECONDS = 20.0


class NoAnswer(Exception):
    """The vendor hangs."""


class LineCut(Exception):
    """The connection was reset."""


def _nothing(_: str) -> None:
    return None


class Exchange:
    """Every call of every vendor goes through here."""

    def __init__(self, world: World, pass_time: Callable[[float], None]) -> None:
        self.world, self._pass_time = world, pass_time
        self.before: Callable[[str], None] = _nothing
        self.after: Callable[[str], None] = _nothing
        self.scripted: list[tuple[str, Reply]] = []
        #: The call that is being made, for whoever is called `before` it.
        self.asking: Request | None = None
        #: Judges every call to CJ by its allowance; without it, nobody does.
        self.meter: Meter | None = None

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Carry one request to its vendor.

        Raises:
            NoAnswer: it hangs for longer than we wait. LineCut: it was cut.
        """
        vendor, request = self._addressed(method, url, headers, body)
        label = f"{vendor} {self.world.vendors[vendor].operation(request)}"
        self.asking = request
        self.before(label)
        for line in self.scripted:
            if line[0] == label:  # said once, in the vendor's place
                self.scripted.remove(line)
                return line[1]
        with self.meter.call(request.path) if self.meter and vendor == "cj" else nullcontext():
            sent = self.world.dispatch(vendor, request)
        if sent.hang or sent.delay >= PATIENCE_SECONDS:
            self._pass_time(PATIENCE_SECONDS)
            self.after(label)
            raise NoAnswer(label)
        if sent.delay:
            self._pass_time(sent.delay)
        self.after(label)
        if sent.reply is None:
            raise LineCut(label)
        if self.meter and vendor == "cj":
            self.meter.heard(request.path, sent.reply)
        return sent.reply

    @staticmethod
    def _addressed(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, Request]:
        parts = urlsplit(url)
        for prefix, vendor in PREFIXES:
            if parts.path.startswith(prefix + "/"):
                query = tuple(parse_qsl(parts.query, keep_blank_values=True))
                low = {name.lower(): value for name, value in headers.items()}
                return vendor, Request(method.upper(), parts.path.removeprefix(prefix), query, low, body)
        raise LineCut(f"nothing lives at {url}")


class HttpxLine(httpx.BaseTransport):
    """For CJ, Basta, pictures and alerts."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        try:
            reply = self._exchange.ask(request.method, str(request.url), request.headers, request.read())
        except NoAnswer as error:
            raise httpx.ReadTimeout(str(error), request=request) from None
        except LineCut as error:
            raise httpx.RemoteProtocolError(str(error), request=request) from None
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body, request=request)


class StripeLine(stripe.HTTPClient):
    """For Stripe's SDK."""

    name = "simulation"

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One call, its failures in the SDK's own words."""
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        try:
            reply = self._exchange.ask(method, url, headers or {}, body)
        except (NoAnswer, LineCut) as error:
            raise stripe.APIConnectionError(f"{type(error).__name__}: {error}", should_retry=True) from None
        return reply.body, reply.status, reply.headers

    def close(self) -> None:
        """Nothing is open."""


class ResendLine(resend.http_client.HTTPClient):
    """For Resend's SDK."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One call; the SDK takes a RuntimeError for a transport that failed."""
        request = httpx.Request(method, url, headers=dict(headers), json=json)
        try:
            reply = self._exchange.ask(method, url, request.headers, request.read())
        except (NoAnswer, LineCut) as error:
            raise RuntimeError(f"Request failed: {type(error).__name__}") from None
        return reply.body, reply.status, reply.headers
