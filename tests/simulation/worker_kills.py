"""Real kills of a real worker: `pipeline setup`, a Prefect server, a process worker, and scheduled runs in its hands.

The runs are the deployment's own, tagged as its schedule tags them, and begun by the worker in processes of its own.
What dies by SIGKILL is a run, the worker, both, the server, or all of it at once; what died is started again, as a
supervisor does, and the schedule goes on. How long the next run is turned away is measured, not shortened: Prefect's
slot of the dead run, its heartbeat and the `zombies` automation are as they are deployed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import select

from deployments.commands.services import POOL
from tasks.guarding.running import AUTO_SCHEDULED
from tasks.lots.records import FlowLease
from tasks.settings import Settings
from tests.simulation.ground import PrefectServer
from tests.simulation.life import LONGEST_CYCLE, UNTIL_LEASES_END, Life
from tests.simulation.toll import FLOW, KILLED, SERVER, WORKER, Kill
from tests.simulation.worked import CLOCK

ROOT = Path(__file__).parents[2]
#: A run of the deployment begins so soon, a dead one's slot included.
BEGINS_WITHIN, SETUP_SECONDS, ENDS_WITHIN = 420.0, 240.0, LONGEST_CYCLE
ASKED_EVERY, TOLD_WITHIN = 3.0, 60.0
#: In words of `Kill.victim`.
RUN = "run"
VICTIMS = (
    (RUN,),
    (WORKER,),
    (WORKER, RUN),
    (WORKER, RUN),
    (SERVER,),
    (SERVER, WORKER, RUN),
)
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
#: How the command line of a process names the one that does a run.
ENGINE = "prefect.engine"


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that make these settings again."""
    given = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is None or not field.alias or value == field.get_default():
            continue
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        given[field.alias] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return given


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:  # it ended meanwhile
            continue
        found += [one for child in children for one in (child, *descendants(child))]
    return found


def does_a_run(pid: int) -> bool:
    """Whether a process of a worker is the one in which a flow runs."""
    try:
        return ENGINE in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:  # it ended meanwhile
        return False


def state_of(pid: int) -> str:
    """A process's state as the kernel has it, T where it stands still; nothing where there is none, or a dead one."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
    return "" if state in "ZX" else state


def stop(pid: int) -> bool:
    """Have a process stand still; whether it does. Whoever stands still can die of nothing but SIGKILL."""
    _kill(pid, signal.SIGSTOP)
    ends = time.monotonic() + 2
    while (state := state_of(pid)) not in ("", "T") and time.monotonic() < ends:
        time.sleep(0.005)
    return state == "T"


def kill_stopped(pid: int) -> bool:
    """SIGKILL to one that stands still and is no child of ours; whether it is dead, of which there is one way."""
    _kill(pid)
    ends = time.monotonic() + 10
    while state_of(pid) and time.monotonic() < ends:
        time.sleep(0.005)
    return not state_of(pid)


class Crew:
    """A worker of the pool, and the deployment whose runs it works on."""

    def __init__(self, server: PrefectServer, settings: Settings, clock_path: Path) -> None:
        self.server, self.home = server, clock_path.parent
        self.env = {
            **os.environ,
            **as_environment(settings),
            CLOCK: str(clock_path),
            "PIPELINE_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PREFECT_API_URL": server.url,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        self._worker: subprocess.Popen[bytes] | None = None
        self.orphaned = False  # the server was killed while this worker lived
        self.deployment = ""

    def set_up(self) -> None:
        """`pipeline setup`, as an operator types it; then nothing begins by itself."""
        shutil.copy(ROOT / "prefect.yaml", self.home / "prefect.yaml")
        command = [sys.executable, "-m", "deployments.cli", "setup"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=SETUP_SECONDS)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        for one in self.ask("POST", "/deployments/filter", {}):
            self.ask("POST", f"/deployments/{one['id']}/pause_deployment")
            if one["name"] == "every-10-minutes":
                self.deployment = one["id"]
        self.ask("POST", f"/deployments/{self.deployment}/resume_deployment")
        for schedule in self.ask("GET", f"/deployments/{self.deployment}/schedules"):
            self.ask("DELETE", f"/deployments/{self.deployment}/schedules/{schedule['id']}")
        self.ask("PATCH", f"/deployments/{self.deployment}", {"entrypoint": "tests.simulation.worked.processing"})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the server, which answers 503 while its own database is busy."""
        for _ in range(30):
            answer = httpx.request(method, f"{self.server.url}{path}", json=body, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self) -> int | None:
        """Start the worker, unless it lives; the status of one that had ended by itself."""
        status = self._worker.poll() if self._worker else None
        if status is not None:
            self._worker = None
        if self._worker is None:
            command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "w1"]
            with (self.home / "worker.log").open("a") as log:
                self._worker = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        return status

    def plan(self) -> str:
        """A run that the schedule made, due now; its id."""
        due = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
        asked = {"state": due, "tags": [AUTO_SCHEDULED]}
        run = self.ask("POST", f"/deployments/{self.deployment}/create_flow_run", asked)
        return str(run["id"])

    def state_of(self, run: str) -> str:
        """The state of a run, by its type."""
        return str(self.ask("GET", f"/flow_runs/{run}")["state"]["type"])

    def runs(self) -> list[int]:
        """The processes in which the worker does its runs."""
        return descendants(self._worker.pid) if self._worker else []

    def kill_worker(self) -> int | None:
        """SIGKILL, the worker alone; the status with which it ended, which may have been before."""
        if self._worker is None:
            return None
        self._worker.kill()  # says nothing to one that has ended
        status = self._worker.wait()
        self._worker = None
        return status

    def free(self, run: str) -> None:
        """Say of a run that it is dead, as its server finds out in a minute or two: its slot is free at once."""
        if self.state_of(run) not in TERMINAL:
            dead = {"state": {"type": "CRASHED", "message": "killed"}, "force": True}
            self.ask("POST", f"/flow_runs/{run}/set_state", dead)

    def end(self) -> None:
        """Nobody works any more."""
        for pid in self.runs():
            _kill(pid)
        self.kill_worker()


def _kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


class WorkedLife(Life):
    """A life of whose kills each so many-th is of a scheduled run of a real worker.

    Args:
        each: 1: every cycle is such a run, sourcing is done beforehand and in peace, and Prefect itself finds out who
            is dead. More: a worker is at work for that kill alone, and is told who is dead.
    """

    def __init__(self, crew: Crew, each: int, *given: Any) -> None:
        super().__init__(*given)
        self.crew, self.each = crew, each

    def _run(self, flow: str, args: tuple[Any, ...], *, longest: float | None) -> None:
        if self.each == 1 and flow != "processing":
            super()._run(flow, args, longest=None)
        elif self.each == 1:
            self._worked(longest)
        elif flow != "processing" or longest is None or not self.left or (len(self.report.kills) + 1) % self.each:
            super()._run(flow, args, longest=longest)
        else:
            run = self._worked(longest)
            self.crew.end()
            if run is not None:
                self.crew.free(run)

    def _worked(self, longest: float | None) -> str | None:
        """One scheduled run of the worker, killed or not; its id, if one began."""
        self.report.cycles += 1
        self._start()
        run = self._begin()
        if run is None:
            return None
        if longest is None or not self.left:
            self._end(run)
            return run
        victims = self.dice.choice(VICTIMS)
        after = self.dice.random() * self.dice.choice((0.8, longest))  # short cycles are many
        time.sleep(after)
        if not self._at_work():
            self.report.late += 1
            self._end(run)
            return run
        if RUN not in self._strike(victims, round(after, 3)):  # it works on alone, as well as it can
            self._until_idle()
            self._went_on(run)
        self.stage.advance(UNTIL_LEASES_END)
        return run

    def _start(self) -> None:
        orphaned, status = self.crew.orphaned, self.crew.start()
        if status is not None:
            self._ended("the worker", status, orphaned=orphaned)
            self.crew.orphaned = False

    def _strike(self, victims: tuple[str, ...], after: float) -> list[str]:
        """Kill them; who of them died of it. Who ended before was struck too late."""
        runs = [pid for pid in self.crew.runs() if RUN in victims and stop(pid)]
        claims, in_flight, transaction = self._hands()
        died, dead = [], []
        if SERVER in victims and self._kill_server():
            died.append(SERVER)
            self.crew.orphaned = True
        if WORKER in victims:
            orphaned, status = self.crew.orphaned, self.crew.kill_worker()
            self.crew.orphaned = False
            if status == KILLED:
                died.append(WORKER)
            else:
                self._ended("the worker", status, orphaned=orphaned)
        flows = [pid for pid in runs if does_a_run(pid)]
        gone = [pid for pid in runs if kill_stopped(pid)]
        if any(pid in gone for pid in flows):
            died.append(FLOW)
            dead.append(RUN)
        self.report.late += sum(one not in (*died, *dead) for one in victims)
        if died:
            who = " and ".join(victims)
            self.report.kills.append(Kill(self.seed, who, "worker", died, after, claims, in_flight, transaction))
            self.left -= 1
            print(f"  killed {who} after {after:.1f} s: {claims} claims, {in_flight} in flight", flush=True)
        time.sleep(self.dice.random() * 2)
        if SERVER in victims:
            assert self.ground.server
            self.ground.server.start()
        self._start()
        return dead

    def _went_on(self, run: str) -> None:
        """How a run ended whose worker or server was killed, and itself was not: it may fall with either.

        Prefect may take it for dead while it goes on, or it finds nobody to tell its end: that is looked for in the
        record alone, as after any death.
        """
        ends = time.monotonic() + TOLD_WITHIN
        while (state := self.crew.state_of(run)) not in TERMINAL and time.monotonic() < ends:
            time.sleep(0.5)
        if state not in ("COMPLETED", "CANCELLED"):
            self.report.fell += 1
            why = self.crew.ask("GET", f"/flow_runs/{run}")["state"]["message"]
            print(f"  a run that was spared is {state}: {why}", flush=True)

    def _begin(self) -> str | None:
        """Plan runs as a schedule does, until one is at work; a dead one's slot turns some of them away."""
        began = asked = time.monotonic()
        run = self.crew.plan()
        while time.monotonic() - began < BEGINS_WITHIN:
            if self._at_work():
                self.report.waits.append(time.monotonic() - began)
                return run
            time.sleep(0.01)
            if time.monotonic() - asked < ASKED_EVERY:  # a busy server takes seconds to answer
                continue
            asked, state = time.monotonic(), self.crew.state_of(run)
            if state == "COMPLETED":
                return run
            if state in TERMINAL:
                self.report.refused += 1
                time.sleep(5)
                run = self.crew.plan()
        self.report.violations.append(f"seed {self.seed}: no run began in {BEGINS_WITHIN:.0f} s")
        return None

    def _at_work(self) -> bool:
        with self.stage.record.read() as session:
            asked = select(FlowLease.owner, FlowLease.until).where(FlowLease.flow == "processing")
            row = session.execute(asked).first()
        return bool(row and row.owner and row.until and row.until > self.stage.clock.now())

    def _end(self, run: str) -> None:
        ends = time.monotonic() + ENDS_WITHIN
        while (state := self.crew.state_of(run)) not in TERMINAL and time.monotonic() < ends:
            time.sleep(0.2)
        if state not in ("COMPLETED", "CANCELLED"):
            self.report.violations.append(f"seed {self.seed}: a run that nobody killed is {state}")

    def _until_idle(self) -> None:
        ends = time.monotonic() + ENDS_WITHIN
        while self._at_work() and time.monotonic() < ends:
            time.sleep(0.2)
