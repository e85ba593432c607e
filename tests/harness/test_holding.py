"""The receiver's loop in a simulation: a fork born in its middle goes on in it, and no wall clock has a say."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.simulation.holding import HeldLoop, in_its_own_thread
from tests.simulation.knife import Killed


class Held:
    """A moment that is moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def loop(held: Held) -> Iterator[HeldLoop]:
    loop = HeldLoop(held.now)
    yield loop
    loop.end_all()
    loop.close()


def test_a_child_that_is_born_in_a_callback_goes_on_in_its_loop_and_so_does_its_parent(loop: HeldLoop) -> None:
    async def born() -> int:
        child = await in_its_own_thread(os.fork)
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(0.0)
            assert asyncio.get_running_loop() is loop
            status = 0
        except BaseException:
            status = 1
        if child == 0:
            os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + status

    assert loop.run_until_complete(born()) == 0


def test_who_waits_for_a_later_moment_is_woken_when_the_loop_runs_then(loop: HeldLoop, held: Held) -> None:
    woken: list[str] = []

    async def beat() -> None:
        await asyncio.sleep(30)
        woken.append("beat")

    async def answer() -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    beating = loop.create_task(beat())
    loop.run_until_complete(answer())
    assert woken == []
    held.at += timedelta(seconds=31)
    loop.run_until_complete(answer())
    assert (woken, beating.done()) == (["beat"], True)


def test_an_answer_that_waits_for_a_later_moment_is_a_fault_of_the_simulation(loop: HeldLoop) -> None:
    with pytest.raises(RuntimeError, match="waits for something"):
        loop.run_until_complete(asyncio.sleep(1))


def test_what_a_dead_process_still_had_to_do_is_never_done(loop: HeldLoop, held: Held) -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(30)
        done.append("work")

    async def die() -> None:
        raise Killed("here")

    loop.create_task(work())
    with pytest.raises(Killed):
        loop.run_until_complete(die())
    loop.end_all()
    held.at += timedelta(seconds=31)
    loop.run_until_complete(asyncio.sleep(0))
    assert done == []
