"""Forks: a run is played once, and at every point worth a blow a child of it plays on alone.

The prefix is not played again, and nothing has to be restored: the whole world, the record included, is this
process's memory, and a fork has its own copy. Both cores are used: each of two workers plays the undisturbed run
and forks at its own share of the points.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.knife import Point, Strike
from tests.simulation.play import Play, Result

#: A child that takes longer hangs, and that is a violation of its own.
CHILD_SECONDS = 240.0
NEVER_ENDED = "the run died or hung"
Plain = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What a child does at the point where it is born: the blow, and who strikes it from there on."""

    name: str
    blow: str
    then: Callable[[], Strike] | None = None


def workers() -> int:
    """One a core."""
    return len(os.sched_getaffinity(0))


def in_children(work: Callable[[int, int], Iterable[Plain]], number: int | None = None) -> Iterator[Plain]:
    """Let so many forks work side by side, told which of how many each one is; what they yield, as it comes."""
    number = number or workers()
    sys.stdout.flush()
    pipes: dict[int, int] = {}
    for place in range(number):
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            _as_worker(theirs, lambda place=place: work(place, number))  # type: ignore[misc]
        os.close(theirs)
        pipes[ours] = pid
    rest = dict.fromkeys(pipes, b"")
    try:
        while pipes:
            ready, _, _ = select.select(list(pipes), [], [])
            for pipe in ready:
                read = os.read(pipe, 1 << 16)
                if not read:
                    os.close(pipe)
                    _, status = os.waitpid(pipes.pop(pipe), 0)
                    if status:
                        raise RuntimeError(f"a worker ended with status {status}")
                    continue
                *lines, rest[pipe] = (rest[pipe] + read).split(b"\n")
                yield from (json.loads(line) for line in lines)
    finally:
        for pid in pipes.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _as_worker(pipe: int, work: Callable[[], Iterable[Plain]]) -> None:
    try:
        for line in work():
            os.write(pipe, json.dumps(line).encode() + b"\n")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def alone(name: str, work: Callable[[], Result]) -> Plain:
    """What comes of it in a fork of its own; one that dies or hangs is a violation."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        gc.disable()  # it lives for a few seconds
        _as_worker(theirs, lambda: [work().plain()])
    os.close(theirs)
    return _wait_for(name, pid, ours)


def _wait_for(name: str, pid: int, pipe: int) -> Plain:
    told = b""
    while select.select([pipe], [], [], CHILD_SECONDS)[0]:
        read = os.read(pipe, 1 << 16)
        if not read:
            break
        told += read
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(pipe)
    os.waitpid(pid, 0)
    if told:
        found: Plain = json.loads(told)
        return {**found, "name": name}
    return Result(name, [], [NEVER_ENDED]).plain()


class Explorer:
    """Plays a run once, and lets a child go on from every point with each of the jobs that the point is worth."""

    def __init__(self, make: Callable[[Strike], Play], jobs: Callable[[Point], Iterable[Job]]) -> None:
        self._make, self._jobs = make, jobs
        self._child: tuple[str, int] | None = None
        self._then: Strike | None = None
        self._found: list[Plain] = []

    def results(self) -> Iterator[Plain]:
        """What came of every job, in order."""
        gc.collect()
        gc.freeze()
        self._pipe, out = os.pipe()
        player = os.fork()
        if player == 0:
            os.close(self._pipe)
            self._play(out)
        os.close(out)
        rest = b""
        while read := os.read(self._pipe, 1 << 16):
            *lines, rest = (rest + read).split(b"\n")
            yield from (json.loads(line) for line in lines)
        os.close(self._pipe)
        _, status = os.waitpid(player, 0)
        if status:
            raise RuntimeError(f"the player ended with status {status}")

    def _play(self, out: int) -> None:
        self._out = out
        try:
            self._stage = self._make(self._strike)
            result = self._stage.run()
            if self._child is None:
                if result.violations:
                    raise RuntimeError(f"undisturbed, the run broke: {result.violations}")
            else:
                name, pipe = self._child
                os.write(pipe, json.dumps({**result.plain(), "name": name}).encode() + b"\n")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _strike(self, point: Point) -> str | None:
        if self._child is not None:
            return self._then(point) if self._then else None
        for job in self._jobs(point):
            ours, theirs = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(ours)
                gc.disable()
                self._child, self._then = (job.name, theirs), job.then() if job.then else None
                return job.blow
            os.close(theirs)
            with _files_kept(Path(os.environ["PIPELINE_HOME"])):
                found = _wait_for(job.name, pid, ours)
            os.write(self._out, json.dumps(found).encode() + b"\n")
        return None


class _files_kept:
    """What a child leaves of the few files of a run is undone."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __enter__(self) -> None:
        self._before = {one: one.read_bytes() for one in self._home.iterdir()}

    def __exit__(self, *_: object) -> None:
        for one in self._home.iterdir():
            if one not in self._before:
                one.unlink()
        for one, content in self._before.items():
            one.write_bytes(content)
