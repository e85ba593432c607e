"""Real kills: the pipeline's processes and the Prefect server die by SIGKILL while fifty lots are in motion.

Nothing is simulated but the outside world and the passing of idle time: real processes, sockets, databases, and a real
Prefect server. Flows run in processes forked from one that has imported everything; half of them through Prefect's
engine. A victim is stopped first, so that one can see what it had in its hands, and then killed: it executes
nothing in between. After each death the machine stays off for a while, and the same work is started again.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

import deployments.webhooks
import flows.processing
import flows.sourcing
from deployments.sandbox.faults import Fault
from tasks import retrying
from tasks.desk import Desk, working_at
from tasks.lots import clock, stamp
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.models import SourcingRun
from tasks.lots.records import Effect, FlowLease
from tasks.settings import Settings
from tests.simulation.loopback import Loopback, SharedClock, database, free_port, loopback_settings, opened, wait_for
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR

#: Processes are forked from one that never opened anything and has no thread.
Fork = multiprocessing.get_context("forkserver")
LOTS = 50
#: What every vendor takes to answer, so that a process is found waiting as often as in life.
LATENCY_SECONDS = 0.03
CJ_INTERVAL_SECONDS = "0.02"
#: Longer than the lease of any flow or effect.
UNTIL_LEASES_END = 780.0
LONGEST_CYCLE, SERVER_SECONDS, DEATH_SECONDS = 240.0, 120.0, 30.0
#: Kills in one life of a sale, at most; then it must come to its end.
KILLS_A_LIFE = 12
BUYERS = {
    "ada": "good", "ben": "good_later", "cleo": "ignores", "dov": "no_card", "edda": "recovers", "finn": "secure",
    "gwen": "good", "hugo": "good", "ines": "good", "jon": "good", "kai": "good", "lena": "good",
}  # fmt: skip


@dataclass
class Kill:
    """One death, and what the dead had in their hands."""

    seed: int
    victim: str  # sourcing, processing, server
    engine: str  # inline, prefect
    after: float  # seconds since the work was seen to begin
    claims: int  # effects in its hands: claimed, not settled
    in_flight: int  # of these: called, and no answer recorded
    transaction: bool  # one of its transactions was open


@dataclass
class Report:
    """What a run of kills came to."""

    database: str
    lots: int
    kills: list[Kill] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    lives: int = 0
    cycles: int = 0
    survived: int = 0  # ended before its killer came
    refused: int = 0  # started while the dead one's lease still ran: skipped, as it must be
    webhooks: int = 0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """For people."""
        busy = sum(kill.in_flight > 0 or kill.transaction for kill in self.kills)
        held = sum(kill.claims > 0 for kill in self.kills)
        by = Counter(f"{kill.victim} ({kill.engine})" for kill in self.kills)
        share = busy / len(self.kills) if self.kills else 0
        return [
            f"{self.database}: {len(self.kills)} kills in {self.lives} lives of {self.lots} lots, "
            f"{self.cycles} cycles, {self.seconds:.0f} s",
            f"killed: {', '.join(f'{number} {name}' for name, number in sorted(by.items()))}",
            f"{busy} of {len(self.kills)} ({share:.0%}) with an effect in flight or a transaction open, "
            f"{held} with a claim",
            f"{self.survived} ended before their killer came, {self.refused} were refused while the dead one's lease "
            f"ran, {self.webhooks} webhooks taken",
            *self.violations,
            f"{len(self.violations)} violations",
        ]


def _work(settings: Settings, clock_path: Path, flow: str, args: tuple[Any, ...], engine: bool) -> None:
    """What a process of the pipeline does: one run of one flow."""
    shared = SharedClock(clock_path)
    os.environ["PIPELINE_HOME"] = str(clock_path.parent)
    logging.disable(logging.CRITICAL)
    run: Any = {"processing": flows.processing.processing, "sourcing": flows.sourcing.sourcing}[flow]
    with clock.held_by(shared.now, time.sleep), working_at(Desk(settings, Record(connect(settings.record_url)))):
        if engine:
            state = run(*args, return_state=True)
        else:
            with retrying.inline():
                state = run.fn(*args)
    sys.exit(3 if state.is_cancelled() else 0)


def _receive(settings: Settings, clock_path: Path, port: int) -> None:
    """The receiver's process."""
    import uvicorn

    os.environ["PIPELINE_HOME"] = str(clock_path.parent)
    logging.disable(logging.CRITICAL)
    shared = SharedClock(clock_path)
    with clock.held_by(shared.now, time.sleep):
        app = deployments.webhooks.receiver(settings, Record(connect(settings.record_url)))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


class PrefectServer:
    """A real Prefect server with a home of its own; it can be killed, and started again on what it left."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self._process: subprocess.Popen[bytes] | None = None
        os.environ |= {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLI_PROMPT": "false",
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.home / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        wait_for(f"{self.url}/health", SERVER_SECONDS)

    def kill(self) -> None:
        """SIGKILL, with all its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class Life:
    """One sale of fifty lots, from a keyword to the end of each, whoever is killed in between."""

    def __init__(
        self,
        stage: Loopback,
        clock_path: Path,
        server: PrefectServer | None,
        report: Report,
        seed: int,
        most: int,
        lots: int,
    ) -> None:
        self.lots = lots
        self.stage, self.clock_path, self.server, self.report = stage, clock_path, server, report
        self.seed, self.left, self.dice = seed, most, random.Random(seed)

    def play(self) -> None:
        """Play it; what broke is added to the report."""
        stage = self.stage
        for name, manner in BUYERS.items():
            stage.person(name, manner, pays_after=2 * HOUR)
        for item, winner in enumerate(("ada", "gwen", "hugo", "ines", "jon"), start=1):
            stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=item)
        stage.cj.top_up(10_000_000)
        for vendor in ("cj", "basta", "stripe", "resend"):
            slow = Fault(vendor, "*", "slow", times=10**9, seconds=LATENCY_SECONDS)
            stage.world.faults.plan(slow)
        self._source()
        stage.advance(27 * HOUR)
        self._multiply()
        for _ in range(80):
            self._run("processing", (None,), longest=2.5)
            self._person_at_the_desk()
            if stage.is_quiet() and not self.left:
                break
            if stage.is_quiet():
                self.left = 0
            stage.advance(self.dice.choice((600, HOUR, 2 * HOUR)))
        self._run("processing", (None,), longest=None)
        self.report.lives += 1
        self.report.webhooks += sum(1 for *_, status in stage.world.webhook_log if status == 200)
        self.report.violations += [f"seed {self.seed}: {what}" for what in broken(stage)]

    def _source(self) -> None:
        """The operator types the same command again until its run has ended."""
        for turn in range(8):
            self._run("sourcing", ("phone stand", 45, 5, True), longest=1.5 if turn < min(2, self.left - 2) else None)
            with self.stage.record.read() as session:
                if session.scalars(select(SourcingRun.id).where(SourcingRun.state == "DONE")).first():
                    return
        raise RuntimeError("sourcing never ended")

    def _multiply(self) -> None:
        """Five lots become fifty, won by a dozen buyers; some are out of stock meanwhile, and some dearer."""
        stage = self.stage
        firsts = stage.lots()
        for place, lot in enumerate(firsts, start=1):
            stage.cj.set_stock(lot.cj_vid, lot.from_country, 10 * self.lots)
            stage.stock_up(lot.id, len(firsts) + place * (self.lots - len(firsts)) // len(firsts))
        names = list(BUYERS)
        for item in stage.house.items:
            winner = self.dice.choice(names)
            for bid in item.bids:
                if bid.user_id == item.leader:
                    bid.user_id = winner
            item.leader = winner
        stage.cj.delist(firsts[1].cj_vid)
        stage.cj.set_price(firsts[2].cj_vid, firsts[2].goods_cents * 13 // 10)

    def _run(self, flow: str, args: tuple[Any, ...], *, longest: float | None) -> None:
        """One run of a flow; killed at some instant, if this life still has kills to give."""
        engine = self.server is not None and self.dice.random() < 0.5
        process = Fork.Process(target=_work, args=(self.stage.settings, self.clock_path, flow, args, engine))
        process.start()
        self.report.cycles += 1
        if longest is None or not self.left or not self._begun(flow, process):
            self._await(process, flow)
            return
        server_too = engine and self.dice.random() < 0.12
        after = self.dice.random() * longest
        process.join(after)
        if process.exitcode is not None:
            self.report.survived += 1
            self._await(process, flow)
            return
        assert process.pid
        if server_too:
            assert self.server
            self.server.kill()
            time.sleep(self.dice.random())
            if self.dice.random() < 0.5 and process.exitcode is None:
                died = self._bury(process, "server and " + flow, engine, after)
                self.server.start()
            else:  # it works on, as well as it can
                self.server.start()
                process.join(20)
                died = self._bury(process, "server, then " + flow, engine, after)
        else:
            died = self._bury(process, flow, engine, after)
        self._come_back(flow, args, died=died)

    def _bury(self, process: Any, victim: str, engine: bool, after: float) -> bool:
        """Stop it, look at what it holds, and kill it; whether it still lived, and left its lease behind."""
        lived = process.exitcode is None
        if lived:
            os.kill(process.pid, signal.SIGSTOP)
        claims, in_flight, transaction = self._hands()
        process.kill()
        process.join(DEATH_SECONDS)
        how = "prefect" if engine else "inline"
        self.report.kills.append(Kill(self.seed, victim, how, round(after, 3), claims, in_flight, transaction))
        self.left -= 1
        return lived

    def _come_back(self, flow: str, args: tuple[Any, ...], *, died: bool) -> None:
        """The machine is off for a while. Who comes too early after a death is refused, and not for ever."""
        self.stage.advance(5)
        if died and self.dice.random() < 0.15:
            process = Fork.Process(target=_work, args=(self.stage.settings, self.clock_path, flow, args, False))
            process.start()
            process.join(LONGEST_CYCLE)
            if process.exitcode == 3:
                self.report.refused += 1
            else:
                self.report.violations.append(f"seed {self.seed}: {flow} ran beside a lease, status {process.exitcode}")
        self.stage.advance(UNTIL_LEASES_END)

    def _begun(self, flow: str, process: Any) -> bool:
        """Whether the work has begun: the run holds its lease."""
        ends = time.monotonic() + LONGEST_CYCLE
        while process.exitcode is None and time.monotonic() < ends:
            with self.stage.record.read() as session:
                if session.execute(select(FlowLease.owner).where(FlowLease.flow == flow)).scalar_one_or_none():
                    return True
            time.sleep(0.01)
        return False

    def _await(self, process: Any, flow: str) -> None:
        process.join(LONGEST_CYCLE)
        if process.exitcode is None:
            process.kill()
            process.join()
            self.report.violations.append(f"seed {self.seed}: {flow} did not end in {LONGEST_CYCLE:.0f} s")
        elif process.exitcode not in (0, 3):
            self.report.violations.append(f"seed {self.seed}: {flow} ended with status {process.exitcode}")

    def _hands(self) -> tuple[int, int, bool]:
        """Claims held, effects in flight, and whether a transaction is open, while everybody stands still."""
        with self.stage.record.read() as session:
            held = select(func.count()).select_from(Effect).where(Effect.owner.is_not(None))
            at = self.stage.clock.now()
            claims = session.execute(held.where(Effect.lease_until > at)).scalar_one()
            flying = session.execute(held.where(Effect.lease_until > at, Effect.state == "IN_FLIGHT")).scalar_one()
        return claims, flying, self._transaction()

    def _transaction(self) -> bool:
        record = self.stage.record
        if record.dialect == "sqlite":
            probe = sqlite3.connect(str(record.engine.url.database), timeout=0, isolation_level=None)
            try:
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return True
            finally:
                probe.close()
            return False
        with record.engine.connect() as connection:
            asked = text(
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and xact_start is not null and backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
            return bool(connection.execute(asked).scalar_one())

    def _person_at_the_desk(self) -> None:
        """What the pipeline asks a person to do is done: an order that does not get paid is paid by hand at CJ."""
        for incident in self.stage.incidents("pay:lot:"):
            lot = self.stage.lot(incident.lot_id or 0)
            if lot.cj_order_id and lot.cj_status != "CANCELLED" and not self.stage.cj.order(lot.cj_order_id).paid_cents:
                self.stage.cj.pay_by_hand(lot.cj_order_id)


@contextmanager
def killing(kind: str, *, with_server: bool) -> Iterator[tuple[Any, Path, PrefectServer | None]]:
    """A database, a receiver and a Prefect server; a function that opens a new world for a seed."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-")))
        url = stack.enter_context(database(kind, home))
        port, hooks = free_port(), free_port()
        settings = loopback_settings(home, url, port, hooks, CJ_MIN_INTERVAL_SECONDS=CJ_INTERVAL_SECONDS)
        record = Record(connect(settings.record_url))
        stack.callback(record.close)
        migrate(record)
        clock_path = home / "clock"
        shared = SharedClock(clock_path)
        server = None
        if with_server:
            server = PrefectServer(home)
            server.start()
            stack.callback(server.kill)
        Fork.set_forkserver_preload([__name__])
        receiver = Fork.Process(target=_receive, args=(settings, clock_path, hooks), daemon=True)
        receiver.start()
        stack.callback(receiver.kill)
        wait_for(f"http://127.0.0.1:{hooks}/healthz", SERVER_SECONDS)

        @contextmanager
        def world(seed: int) -> Iterator[Loopback]:
            with opened(record, settings, shared, port, seed) as stage, ExitStack() as here:
                here.enter_context(clock.held_by(shared.now, time.sleep))
                at = here.enter_context(working_at(Desk(settings, record)))
                with record.write() as session:
                    stamp.confirm(session, mode=str(settings.mode))
                stage.be_told(at)
                yield stage

        yield world, clock_path, server


def prove(
    number: int,
    kind: str,
    *,
    start: int = 1,
    lots: int = LOTS,
    with_server: bool = True,
    out: Path | None = None,
    say: Any = print,
) -> Report:
    """Kill so often, and play every life to its end; the report, told as it grows."""
    began, report, seed = time.monotonic(), Report(kind, lots), start
    with killing(kind, with_server=with_server) as (world, clock_path, server):
        while len(report.kills) < number:
            before = len(report.kills)
            with world(seed) as stage:
                most = min(KILLS_A_LIFE, number - before)
                Life(stage, clock_path, server, report, seed, most, lots).play()
            report.seconds = time.monotonic() - began
            say(f"seed {seed}: {len(report.kills)} kills, {len(report.violations)} violations, {report.seconds:.0f} s")
            if out is not None:
                with out.open("a") as file:
                    for kill in report.kills[before:]:
                        file.write(json.dumps({"database": kind, **asdict(kill)}) + "\n")
            seed += 1
    for line in report.lines():
        say(line)
    return report
