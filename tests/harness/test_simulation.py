"""The simulation itself: the same seed gives the same bytes, every point is found by running, and it sees a fault."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.simulation import crash, swarm
from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import CRASH, Point
from tests.simulation.play import Scripted

#: A lot is sold and delivered, its webhooks come in any order, beside a crash and some faults.
EVENTFUL = 59
#: In the middle of the short life, where its invoice is made.
STRUCK = 250


def replayed_elsewhere() -> list[str]:
    """What a process prints whose sets are in another order than those of this one."""
    command = [sys.executable, "-m", "tests.simulation", "swarm", "--replay", str(EVENTFUL)]
    asked = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    done = subprocess.run(command, env=asked, stdout=subprocess.PIPE, timeout=100, check=True)
    return done.stdout.decode().removesuffix("\n").split("\n")


def test_one_seed_gives_the_same_history_byte_for_byte_in_two_processes() -> None:
    play = swarm.Swarm(swarm.plan_of(EVENTFUL))
    once, again = play.run(), replayed_elsewhere()
    assert any(point.label == "after a commit of the receiver" for point in play.knife.points)
    assert any(line.endswith(": crash") for line in once.schedule)
    assert again[:-1] == [*once.history, *once.schedule]
    assert once.digest in again[-1]


class Short(Scripted):
    """One lot is delivered, and another cannot be had."""

    buyers = (("ada", "good"),)
    winners = ("ada", "ada")


def test_a_fork_at_a_point_ends_as_a_whole_run_struck_there_does() -> None:
    left = [CRASH, "timeout_after"]

    def jobs(point: Point) -> list[Job]:
        if not left or point.number < STRUCK or (left[0] != CRASH and not point.call):
            return []
        return [Job(str(point.number), left.pop(0))]

    crashed, faulty = Explorer(Short, jobs).results()
    whole = crash.run_crash(STRUCK, Short)
    assert whole.schedule[0].startswith(f"{STRUCK} ")
    assert (crashed["digest"], crashed["violations"]) == (whole.digest, [])
    replayed = crash.run_fault(int(faulty["name"]), "timeout_after", Short)
    assert (faulty["digest"], faulty["schedule"], faulty["violations"]) == (replayed.digest, replayed.schedule, [])
