"""A few places at the record for those who cannot wait for it: a vendor hangs up after seconds, a database may not.

Whoever finds no place, or no answer, in time is told so. What was begun goes on in its place to its end, so that
a database which hangs is asked by these few, and not by a thread for everyone who ever knocked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Said = TypeVar("Said")
_logger = logging.getLogger("dropship.webhooks")


class Places:
    """So many at once, and each waits so long."""

    def __init__(self, number: int, seconds: float) -> None:
        self._free, self._seconds = asyncio.Semaphore(number), seconds
        self._taken: set[asyncio.Task[Any]] = set()

    async def do(self, work: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        """The work's own result, or its own error.

        Raises:
            TimeoutError: it is not known in time; the work may still be done.
        """
        begun: asyncio.Task[Said] | None = None
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
                begun = asyncio.create_task(work())
                self._taken.add(begun)
                begun.add_done_callback(self._leave)
                return await asyncio.shield(begun)
        except TimeoutError:
            if begun is not None:
                begun.add_done_callback(_say)
            raise

    def _leave(self, begun: asyncio.Task[Any]) -> None:
        self._taken.discard(begun)
        self._free.release()


def _say(begun: asyncio.Task[Any]) -> None:
    """How it ended, for which nobody waits any more."""
    if not begun.cancelled() and (error := begun.exception()):
        _logger.warning("the record, long after it was asked: %s", type(error).__name__)
