"""One ASGI application on one port: every vendor under its own prefix, the control API, and a page for people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import httpx
from jinja2 import Environment, PackageLoader

from deployments.sandbox.control import Control, state
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import Delivery, World

PREFIXES = (
    ("/cj/api2.0/v1", "cj"),
    ("/basta", "basta"),
    ("/stripe", "stripe"),
    ("/resend", "resend"),
    ("/images", "images"),
    ("/alerts", "alerts"),
)
TICK_SECONDS = 0.02
#: What each vendor does with its webhooks: how long it waits, and which answers it takes for good.
PATIENCE: dict[str, tuple[float, Callable[[int], bool]]] = {
    "cj": (3.0, lambda status: status == 200),
    "basta": (10.0, lambda status: status < 500),
    "stripe": (10.0, lambda status: 200 <= status < 300),
}
#: Before a webhook is brought again; twice as long each time.
PAUSE_SECONDS = 0.5
Scope = dict[str, Any]
logger = logging.getLogger("sandbox")
#: The newest rows of each table that the page shows.
SHOWN = 30


@lru_cache(maxsize=1)
def _page() -> Any:
    return Environment(loader=PackageLoader("deployments.sandbox"), autoescape=True).get_template("world.html")


class Server:
    """The application, and its two loops: what falls due, and what is to be delivered."""

    def __init__(self, world: World) -> None:
        self.world, self.control = world, Control(world)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        try:
            reply = await self._reply(request)
        except Exception:
            logger.exception("the sandbox itself failed at %s %s", request.method, request.path)
            raise
        if reply is None:
            scope["drop"]()
            return
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, request: Request) -> Reply | None:
        path = request.path
        if path == "/":
            return self._show()
        if path.startswith("/control/"):
            return self.control.handle(_below(request, "/control"))
        for prefix, vendor in PREFIXES:
            if path.startswith(prefix + "/"):
                sent = self.world.dispatch(vendor, _below(request, prefix))
                if sent.delay:
                    await asyncio.sleep(sent.delay)
                return sent.reply
        return Reply(404, b"nothing lives here")

    def _show(self) -> Reply:
        vendors: dict[str, Any] = self.world.vendors
        world = self.world
        html = _page().render(
            now=world.clock.now(),
            speed=world.clock.speed,
            state=state(world),
            cj_balance=vendors["cj"].purse.balance_cents,
            mails=_newest(vendors["resend"].mails),
            alerts=_newest(vendors["alerts"].posts),
            webhooks=_newest(world.webhook_log),
            waiting=len(world.deliveries),
            planned=[one for one in world.faults.planned if one.seen < one.nth + one.times - 1],
            calls=_newest(world.calls),
            told=len(world.calls),
            marked=sum(bool(call.fault) for call in world.calls),
        )
        return Reply(200, html.encode(), {"content-type": "text/html; charset=utf-8"})

    async def live(self) -> None:
        """Let things happen, and deliver webhooks, until cancelled."""
        async with httpx.AsyncClient() as http:
            while True:
                self.world.run_due()
                while self.world.deliveries:
                    task = asyncio.create_task(self._deliver(http, self.world.deliveries.popleft()))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(TICK_SECONDS)

    async def _deliver(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        patience, good = PATIENCE[delivery.source]
        for turn in range(delivery.tries_left):
            try:
                answer = await http.post(
                    delivery.url, content=delivery.body, headers=delivery.headers, timeout=patience
                )
                status = answer.status_code
            except httpx.HTTPError:
                status = 0
            delivery.tried.append(status)
            self.world.webhook_log.append((self.world.clock.now(), delivery.source, delivery.label, status))
            if status and good(status):
                return
            await asyncio.sleep(PAUSE_SECONDS * 2**turn)


def _newest(rows: Sequence[Any]) -> list[Any]:
    return list(reversed(rows[-SHOWN:]))


async def _read(scope: Scope, receive: Callable[[], Awaitable[Any]]) -> Request:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=tuple(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
        headers={name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(parts),
    )


def _below(request: Request, prefix: str) -> Request:
    path = request.path.removeprefix(prefix)
    return Request(request.method, path, request.query, request.headers, request.body)
