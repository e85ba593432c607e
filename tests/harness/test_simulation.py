"""The simulation itself: the same seed gives the same bytes, every point is found by running, and it sees a fault."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.simulation import crash
from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import CRASH


def replayed(hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "tests.simulation", "crash", "--replay", "300"]
    asked = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=asked, capture_output=True, check=True, timeout=100).stdout


def test_one_seed_gives_the_same_history_byte_for_byte_in_two_processes() -> None:
    once, again = (replayed(seed).rsplit(b", ", 2)[0] for seed in ("1", "2"))
    assert b"crash" in once
    assert once == again


def test_a_fork_at_a_point_ends_as_a_whole_run_struck_there_does() -> None:
    whole = crash.run_crash(300)
    jobs = {300: [Job("crash 300", CRASH)]}
    (forked,) = Explorer(crash.Scripted, lambda point: jobs.get(point.number, [])).results()
    assert whole.schedule[0].startswith("300 ")
    assert (forked["digest"], forked["violations"]) == (whole.digest, [])
