"""An event loop without a wall clock, sockets or threads: all that it has is this process's memory.

So a fork has a whole copy of it, even one that is born in the middle of a callback, and nothing in it ever depends on
how long the machine took for something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from tests.simulation.knife import Killed

Said = TypeVar("Said")


class HeldLoop(asyncio.BaseEventLoop):
    """Its time is the held clock's; whoever waits for later is woken when the loop runs then."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._now = now
        self._selector = self  # the loop's own code asks it what came from outside
        self.set_exception_handler(_tell)

    def time(self) -> float:
        """The held moment."""
        return self._now().timestamp()

    def select(self, timeout: float | None) -> list[Any]:
        """Nothing ever comes from outside.

        Raises:
            RuntimeError: all that is left to do waits for a later moment, which never comes while the loop runs.
        """
        if timeout != 0:
            raise RuntimeError("what is done at once waits for something")
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else's thread has to wake it."""

    def end_all(self) -> None:
        """Nothing that is still to be done is done."""
        for task in (left := asyncio.all_tasks(self)):
            task.cancel()
        if left:
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The death of a process is no error of its tasks."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


async def in_its_own_thread(work: Callable[..., Said], *args: Any) -> Said:
    """What anyio does in a thread of its pool: here, in the only one that there is."""
    loop = asyncio.get_running_loop()
    try:
        return work(*args)
    finally:
        asyncio._set_running_loop(loop)  # which a fork's child, born in there, does not know of itself
