"""The receiver's socket. Strangers may reach it: who does not finish in time what he began to send is hung up on.

uvicorn waits for ever for the end of a request's head, and for a body that was refused before it was read; a few
thousand lines that say nothing would leave no room for the vendors.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

#: For a whole request, from its first line or the connection's beginning.
REQUEST_SECONDS = 20.0


class Impatient(H11Protocol):
    """HTTP/1.1 in which every request comes whole within its time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is on the line."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Somebody said something."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is on the line."""
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._rest()
        elif self._late is None:
            self._late = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def server(app: FastAPI, **options: Any) -> uvicorn.Server:
    """A server for the receiver's application."""
    return uvicorn.Server(uvicorn.Config(app, http=Impatient, ws="none", access_log=False, **options))


__all__ = ["server"]
