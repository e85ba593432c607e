"""Where the vendors reach us: verify, store, answer 200. The work is done by the next processing cycle.

Nothing a stranger sends may have an effect, and nothing may make this fall over: a body that is not the vendor's
is refused with 400 or 401, and a database that is away with 503, so that the vendor sends again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from tasks.clients.basta import webhooks as basta
from tasks.clients.cj import webhooks as cj
from tasks.clients.cj.tokens import TokenFile
from tasks.clients.stripe import webhooks as stripe
from tasks.lots import inbox, leases
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.settings import Settings

BEAT_SECONDS = 30.0
LARGEST_BODY = 1024 * 1024
_logger = logging.getLogger("dropship.webhooks")


class Refused(Exception):
    """Not the vendor's; the status to answer with."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


def receiver(settings: Settings, record: Record) -> FastAPI:
    """The application."""

    @asynccontextmanager
    async def beating(_: FastAPI) -> AsyncIterator[None]:
        heart = asyncio.create_task(_beat(record))
        yield
        heart.cancel()

    app = FastAPI(
        title="Dropship auctions: webhooks", docs_url=None, redoc_url=None, openapi_url=None, lifespan=beating
    )
    readers: dict[str, Callable[[bytes, Request], tuple[str, str, dict[str, Any]]]] = {
        "stripe": lambda raw, request: _stripe(settings, raw, request),
        "basta": lambda raw, request: _basta(settings, raw, request),
        "cj": lambda raw, request: _cj(settings, raw, request),
    }

    @app.get("/healthz")
    def healthy() -> dict[str, str]:
        with record.read():
            return {"status": "ok"}

    def endpoint(source: str) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            try:
                raw = await _body(request)
                external_id, kind, payload = readers[source](raw, request)
            except Refused as refusal:
                return Response(status_code=refusal.status)
            except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
                return Response(status_code=400)
            try:
                await run_in_threadpool(inbox.receive, record, source, external_id, kind, payload)
            except SQLAlchemyError:
                _logger.exception("a webhook of %s could not be stored", source)
                return Response(status_code=503)
            return Response(status_code=200)

        return receive

    for source in readers:
        app.add_api_route(f"/webhooks/{source}", endpoint(source), methods=["POST"])
    return app


async def _beat(record: Record) -> None:
    """Tell the record that we live; a database that is away is the next beat's."""
    while True:
        try:
            await run_in_threadpool(leases.beat, record, leases.RECEIVER)
        except SQLAlchemyError:
            _logger.exception("the receiver could not write that it lives")
        await asyncio.sleep(BEAT_SECONDS)


async def _body(request: Request) -> bytes:
    """The raw body, up to 1 MiB."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > LARGEST_BODY:
            raise Refused(413)
    return bytes(raw)


def _stripe(settings: Settings, raw: bytes, request: Request) -> tuple[str, str, dict[str, Any]]:
    secret = settings.stripe_webhook_secret.get_secret_value()
    if not stripe.verify(raw, request.headers.get("stripe-signature", ""), secret, now()):
        raise Refused(401)
    event = stripe.parse(raw)
    return event.id, event.type, event.model_dump(exclude={"id", "type"})


def _basta(settings: Settings, raw: bytes, request: Request) -> tuple[str, str, dict[str, Any]]:
    secret = settings.basta_webhook_secret.get_secret_value()
    if not basta.verify(raw, request.headers.get("x-basta-signature", ""), secret, now()):
        raise Refused(401)
    told = basta.parse(raw)
    return told.event_id, told.action, told.model_dump(exclude={"event_id", "action"}, mode="json")


def _cj(settings: Settings, raw: bytes, request: Request) -> tuple[str, str, dict[str, Any]]:
    """CJ signs with the account's openId, which came with the last login."""
    tokens = TokenFile(settings.token_path, now).read()
    open_id = tokens.open_id.get_secret_value() if tokens else ""
    if not cj.verify(raw, request.headers.get("sign", ""), open_id):
        raise Refused(401)
    told = cj.parse(raw)
    return told.message_id, told.type, told.model_dump(exclude={"message_id", "type"}, mode="json")
