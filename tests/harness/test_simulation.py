"""The simulation itself: the same seed gives the same bytes, every point is found by running, and it sees a fault."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.simulation import crash, swarm
from tests.simulation.__main__ import app
from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import CRASH, Point, Strike
from tests.simulation.play import Result, Scripted

#: Four lots, webhooks in any order, little quota, a crash and five faults.
EVENTFUL = 25
#: In the middle of the short life, where its invoice is made.
STRUCK = 250


def replayed_elsewhere() -> list[str]:
    """What a process prints whose sets are in another order than those of this one."""
    command = [sys.executable, "-m", "tests.simulation", "swarm", "--replay", str(EVENTFUL)]
    asked = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    done = subprocess.run(command, env=asked, stdout=subprocess.PIPE, timeout=100, check=True)
    return done.stdout.decode().removesuffix("\n").split("\n")


def test_one_seed_gives_the_same_history_byte_for_byte_in_two_processes() -> None:
    once, again = swarm.run_seed(EVENTFUL), replayed_elsewhere()
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


class Brief:
    """Ten points, and a promise that breaks when its third is struck; blows elsewhere make the history longer."""

    def __init__(self, strike: Strike | None) -> None:
        self.strike = strike

    def run(self) -> Result:
        points = [Point(number, f"before cj call {number}") for number in range(1, 11)]
        struck = [(one, blow) for one in points if self.strike and (blow := self.strike(one))]
        schedule = [f"{one.number} {one.label}: {blow}" for one, blow in struck]
        broke = ["it broke"] if any(one.number == 3 for one, _ in struck) else []
        return Result("brief", schedule, broke, history=schedule)


def test_a_broken_pair_is_made_as_short_as_it_can_be() -> None:
    make: Any = Brief
    pair = crash.run_blows({3: CRASH, 7: "reset_after"}, make)
    assert len(pair.schedule) == 2
    smallest = crash.shortest(pair.schedule, make)
    assert smallest.schedule == ["3 before cj call 3: crash"]
    assert smallest.violations


@pytest.mark.parametrize("given", ["300", "x:reset", "300:"])
def test_a_fault_that_is_not_named_as_point_and_kind_is_refused_in_one_sentence(given: str) -> None:
    answer = CliRunner().invoke(app, ["faults", "--replay", given])
    assert answer.exit_code == 2
    assert "POINT:FAULT" in answer.output
