"""Where the vendors reach us: verify, store, answer 200. A processing cycle, woken in the background, does the work.

Nothing a stranger sends may have an effect, and nothing may make this fall over: a body that is not the vendor's
is refused with 400, 401 or 413, and a database that is away or slow with 503, so that the vendor sends again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from deployments.places import Places
from deployments.waking import Bell
from tasks.clients.basta import webhooks as basta
from tasks.clients.cj import webhooks as cj
from tasks.clients.cj.tokens import TokenFile
from tasks.clients.signing import SELF_TEST, Verdict
from tasks.clients.stripe import webhooks as stripe
from tasks.lots import inbox, leases, refusals
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.settings import Settings

BEAT_SECONDS = 30.0
#: Refusals are counted in memory first: a flood of them must not become a flood of writes.
COUNT_SECONDS = 5.0
EXPIRE_SECONDS = 3_600.0
LARGEST_BODY = 1024 * 1024
#: CJ waits 3 s in all: a body that trickles and a database that dawdles are given up before.
BODY_SECONDS, STORE_SECONDS, LOOK_SECONDS = 10.0, 2.5, 2.0
#: At the record at once; together with the receiver's own notes these are no more than a SQLite file has lines.
STORES, LOOKS = 10, 2
Told = tuple[str, str, dict[str, Any]]
_logger = logging.getLogger("dropship.webhooks")


class Refused(Exception):
    """Not the vendor's; the status to answer with, and why."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(f"{status}, {reason}")


class SelfTest(Exception):
    """Signed with the vendor's secret, and by ourselves."""


class Receiver:
    """What the endpoints share: settings, record, the bell, and the count of what was refused."""

    def __init__(self, settings: Settings, record: Record, bell: Bell) -> None:
        self.record, self.bell = record, bell
        self.refused: Counter[tuple[str, str]] = Counter()
        self._stores, self._looks = Places(STORES, STORE_SECONDS), Places(LOOKS, LOOK_SECONDS)
        self._settings = settings
        self._tokens = TokenFile(settings.token_path, now)

    async def take(self, source: str, request: Request) -> int:
        """Take one request; the status to answer with."""
        try:
            external_id, kind, payload = self._read(source, await _body(request), request)
        except SelfTest:
            return 204
        except Refused as refusal:
            return await self._refuse(source, refusal.status, refusal.reason)
        except (ValueError, RecursionError, AttributeError, TypeError, KeyError, ClientDisconnect):
            return await self._refuse(source, 400, "unreadable")
        try:
            await self._stores.do(partial(self._keep, source, external_id, kind, payload))
        except SQLAlchemyError:
            _logger.exception("a webhook of %s could not be stored", source)
            return 503
        except TimeoutError:
            _logger.error("a webhook of %s was not stored within %g s", source, STORE_SECONDS)
            return 503
        return 200

    async def _keep(self, source: str, external_id: str, kind: str, payload: dict[str, Any]) -> None:
        """Rings for what was kept too late to be answered as well: when it is told again it is no longer new."""
        if await run_sync(inbox.receive, self.record, source, external_id, kind, payload):
            self.bell.ring(source)

    async def _refuse(self, source: str, status: int, reason: str) -> int:
        """CJ tries an address unsigned when it is registered: answered while `pipeline setup` does that, only then."""
        if source == "cj" and await self._look(partial(leases.is_held, self.record, leases.PROBE)):
            return 200
        self.refused[source, reason] += 1
        return status

    async def is_healthy(self) -> bool:
        """Whether the record answers."""
        return await self._look(self._asked)

    async def _look(self, look: Callable[[], bool]) -> bool:
        """What the record says; no, where it does not say it soon."""
        try:
            return await self._looks.do(partial(run_sync, look))
        except (SQLAlchemyError, TimeoutError):
            return False

    def _asked(self) -> bool:
        with self.record.read() as session:
            return session.execute(text("select 1")).scalar() == 1

    def _read(self, source: str, raw: bytes, request: Request) -> Told:
        secret, at, header = self._settings, now(), request.headers.get
        if source == "stripe":
            key = secret.stripe_webhook_secret.get_secret_value()
            _demand(raw, stripe.judge(raw, header("stripe-signature", ""), key, at))
            event = stripe.parse(raw)
            return event.id, event.type, event.model_dump(exclude={"id", "type"})
        if source == "basta":
            key = secret.basta_webhook_secret.get_secret_value()
            _demand(raw, basta.judge(raw, header("x-basta-signature", ""), key, at))
            change = basta.parse(raw)
            return change.event_id, change.action, change.model_dump(exclude={"event_id", "action"}, mode="json")
        # CJ signs with the account's openId, which came with the last login.
        _demand(raw, cj.judge(raw, header("sign", ""), self._open_id()))
        told = cj.parse(raw)
        return told.message_id, told.type, told.model_dump(exclude={"message_id", "type"}, mode="json")

    def _open_id(self) -> str:
        try:
            tokens = self._tokens.read()
        except OSError:  # of another user's, or no file at all
            return ""
        return tokens.open_id.get_secret_value() if tokens else ""

    def note_refusals(self) -> None:
        """Write down what was refused since the last time; what cannot be written waits for the next."""
        refused, self.refused = self.refused, Counter()
        if not refused:
            return
        for (source, reason), number in refused.items():
            level = logging.WARNING if reason in refusals.FAILING else logging.INFO
            _logger.log(level, "%d webhooks of %s refused: %s", number, source, reason)
        try:
            with self.record.write() as session:
                refusals.count(session, refused)
        except SQLAlchemyError:
            self.refused += refused
            raise

    def forget(self) -> None:
        """Let go of handled events past their time."""
        with self.record.write() as session:
            inbox.expire(session)


def receiver(settings: Settings, record: Record, bell: Bell | None = None) -> FastAPI:
    """The application."""
    bell = bell or Bell(settings)
    taking = Receiver(settings, record, bell)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        life = [
            asyncio.create_task(bell.run()),
            asyncio.create_task(_every(BEAT_SECONDS, lambda: leases.beat(record, leases.RECEIVER))),
            asyncio.create_task(_every(COUNT_SECONDS, taking.note_refusals)),
            asyncio.create_task(_every(EXPIRE_SECONDS, taking.forget)),
        ]
        yield
        for task in life:
            task.cancel()
        await run_sync(_tried, taking.note_refusals)

    app = FastAPI(
        title="Dropship auctions: webhooks",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # no vendor follows one, and a stranger's Host would stand in it
        lifespan=living,
    )

    @app.get("/healthz")
    async def healthy(response: Response) -> dict[str, str]:
        if await taking.is_healthy():
            return {"status": "ok"}
        response.status_code = 503
        return {"status": "the database is away"}

    def endpoint(source: str) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            return Response(status_code=await taking.take(source, request))

        return receive

    for source in ("stripe", "basta", "cj"):
        app.add_api_route(f"/webhooks/{source}", endpoint(source), methods=["POST"])
    return app


async def _every(seconds: float, do: Callable[[], None]) -> None:
    """Do something again and again, beside the answers; a database that is away is the next turn's."""
    while True:
        await run_sync(_tried, do)
        await asyncio.sleep(seconds)


def _tried(do: Callable[[], None]) -> None:
    try:
        do()
    except SQLAlchemyError:
        _logger.exception("the receiver could not write to the record")


async def _body(request: Request) -> bytes:
    """The raw body, up to 1 MiB, within its time."""
    told = request.headers.get("content-length", "0")
    if told.isascii() and told.isdigit() and int(told[:12]) > LARGEST_BODY:
        raise Refused(413, "too large")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                raw += part
                if len(raw) > LARGEST_BODY:
                    raise Refused(413, "too large")
    except TimeoutError:
        raise Refused(408, "too slow") from None
    return bytes(raw)


def _demand(raw: bytes, verdict: Verdict) -> None:
    if not verdict:
        raise Refused(401, str(verdict))
    if raw == SELF_TEST:
        raise SelfTest
