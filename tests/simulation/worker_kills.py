"""Real kills of a real worker: `pipeline setup`, a Prefect server, a process worker, and scheduled runs in its hands.

The runs are the deployment's own, tagged as its schedule tags them, and begun by the worker in processes of its own.
What dies by SIGKILL is a run, the worker, both, the server, or all of it at once; what died is started again, as a
supervisor does, and the schedule goes on. How long the next run is turned away is measured, not shortened: Prefect's
slot of the dead run, its heartbeat and the `zombies` automation are as they are deployed.
"""

from __future__ import annotations

import json
import os
import random
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
from tests.simulation.kills import LONGEST_CYCLE, LOTS, UNTIL_LEASES_END, Kill, Life, PrefectServer, Report, killing
from tests.simulation.worked import CLOCK

ROOT = Path(__file__).parents[2]
#: A run of the deployment begins so soon, a dead one's slot included.
BEGINS_WITHIN, SETUP_SECONDS, ENDS_WITHIN = 420.0, 240.0, LONGEST_CYCLE
ASKED_EVERY = 3.0
RUN, WORKER, SERVER = "run", "worker", "server"
VICTIMS = (
    (RUN,),
    (WORKER,),
    (WORKER, RUN),
    (WORKER, RUN),
    (SERVER,),
    (SERVER, WORKER, RUN),
)
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
KILLS_A_LIFE = 6


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

    def start(self) -> None:
        """Start the worker, unless it lives."""
        if self._worker is None:
            command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "w1"]
            with (self.home / "worker.log").open("a") as log:
                self._worker = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT)

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

    def kill_worker(self) -> None:
        """SIGKILL, the worker alone."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._worker = None

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
    """A life whose cycles are scheduled runs of a real worker; sourcing is done beforehand, and in peace."""

    def __init__(self, crew: Crew, *given: Any) -> None:
        super().__init__(*given)
        self.crew = crew
        self.waits: list[float] = []

    def _run(self, flow: str, args: tuple[Any, ...], *, longest: float | None) -> None:
        if flow != "processing":
            super()._run(flow, args, longest=None)
            return
        self.report.cycles += 1
        self.crew.start()
        run = self._begin()
        if run is None:
            return
        if longest is None or not self.left:
            self._end(run)
            return
        victims = self.dice.choice(VICTIMS)
        after = self.dice.random() * self.dice.choice((0.8, longest))  # short cycles are many
        time.sleep(after)
        if not self._at_work():
            self.report.survived += 1
            self._end(run)
            return
        self._strike(victims, round(after, 3))
        if RUN not in victims:  # it works on alone, as well as it can
            self._until_idle()
        self.stage.advance(UNTIL_LEASES_END)

    def _strike(self, victims: tuple[str, ...], after: float) -> None:
        runs = self.crew.runs()
        for pid in runs if RUN in victims else ():
            _kill(pid, signal.SIGSTOP)
        claims, in_flight, transaction = self._hands()
        if SERVER in victims:
            assert self.server
            self.server.kill()
        if WORKER in victims:
            self.crew.kill_worker()
        for pid in runs if RUN in victims else ():
            _kill(pid)
        kill = Kill(self.seed, " and ".join(victims), "worker", after, claims, in_flight, transaction)
        self.report.kills.append(kill)
        self.left -= 1
        print(f"  killed {kill.victim} after {after:.1f} s: {claims} claims, {in_flight} in flight", flush=True)
        time.sleep(self.dice.random() * 2)
        if SERVER in victims:
            assert self.server
            self.server.start()
        self.crew.start()

    def _begin(self) -> str | None:
        """Plan runs as a schedule does, until one is at work; a dead one's slot turns some of them away."""
        began = asked = time.monotonic()
        run = self.crew.plan()
        while time.monotonic() - began < BEGINS_WITHIN:
            if self._at_work():
                self.waits.append(time.monotonic() - began)
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


def prove(number: int, kind: str, *, start: int = 1, lots: int = LOTS, out: Path | None = None) -> Report:
    """Kill so often, and play every life to its end; the report, told as it grows."""
    began, report, seed, waits = time.monotonic(), Report(kind, lots), start, list[float]()
    with killing(kind, with_server=True) as (world, clock_path, server):
        assert server
        crew: Crew | None = None
        try:
            while len(report.kills) < number:
                before = len(report.kills)
                with world(seed) as stage:
                    if crew is None:
                        crew = Crew(server, stage.settings, clock_path)
                        crew.set_up()
                    most = min(KILLS_A_LIFE, number - before)
                    life = WorkedLife(crew, stage, clock_path, server, report, seed, most, lots)
                    life.dice = random.Random(f"worker {seed}")
                    life.play()
                    waits += life.waits
                report.seconds = time.monotonic() - began
                print(f"seed {seed}: {len(report.kills)} kills, {len(report.violations)} violations", flush=True)
                if out is not None:
                    with out.open("a") as file:
                        for kill in report.kills[before:]:
                            file.write(json.dumps({"database": kind, **vars(kill)}) + "\n")
                seed += 1
        finally:
            if crew is not None:
                crew.end()
    print(*report.lines(), sep="\n")
    print(f"a run began after {sorted(waits)[len(waits) // 2]:.0f} s (median), and {max(waits):.0f} s at most")
    return report
