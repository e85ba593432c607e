"""One sale of fifty lots in real processes that die by SIGKILL, from a keyword to the end of each.

Flows run in processes forked from one that has imported everything; half of them through Prefect's engine. A victim
is stopped first, so that one can see what it had in its hands, and then killed: it executes nothing in between. After
each death the machine stays off for a while, and the same work is started again.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

import flows.processing
import flows.sourcing
from deployments.sandbox.faults import Fault
from tasks import retrying
from tasks.desk import Desk, working_at
from tasks.lots import clock
from tasks.lots.engine import Record, connect
from tasks.lots.models import SourcingRun
from tasks.lots.records import Effect, FlowLease
from tasks.settings import Settings
from tests.simulation.ground import Fork, Ground
from tests.simulation.loopback import Loopback, SharedClock
from tests.simulation.promises import broken
from tests.simulation.rehearsal import HOUR
from tests.simulation.toll import FLOW, KILLED, OVER, REFUSED, SERVER, Kill, Report

#: What every vendor takes to answer, so that a process is found waiting as often as in life.
LATENCY_SECONDS = 0.03
#: Longer than the lease of any flow or effect.
UNTIL_LEASES_END = 780.0
LONGEST_CYCLE, DEATH_SECONDS = 240.0, 30.0
#: What a flow's process ends with whose run is not over.
FAILED = 4
BUYERS = {
    "ada": "good", "ben": "good_later", "cleo": "ignores", "dov": "no_card", "edda": "recovers", "finn": "secure",
    "gwen": "good", "hugo": "good", "ines": "good", "jon": "good", "kai": "good", "lena": "good",
}  # fmt: skip


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
    sys.exit(REFUSED if state.is_cancelled() else FAILED if state.is_final() and not state.is_completed() else OVER)


class Life:
    """One sale of fifty lots, from a keyword to the end of each, whoever is killed in between."""

    def __init__(
        self,
        ground: Ground,
        stage: Loopback,
        report: Report,
        seed: int,
        most: int,
        lots: int,
    ) -> None:
        self.lots = lots
        self.ground, self.stage, self.report = ground, stage, report
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
        if self.ground.receiver.exitcode is not None:
            self._ended("the receiver", self.ground.receiver.exitcode)
        if self.ground.server and self.ground.server.status is not None:
            self._ended("the Prefect server", self.ground.server.status)
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
        engine = self.ground.server is not None and self.dice.random() < 0.5
        process = Fork.Process(target=_work, args=(self.stage.settings, self.ground.clock_path, flow, args, engine))
        process.start()
        self.report.cycles += 1
        if longest is None or not self.left or not self._begun(flow, process):
            self._await(process, flow)
            return
        server_too = engine and self.dice.random() < 0.12
        after = self.dice.random() * longest
        process.join(after)
        if process.exitcode is not None:
            self.report.late += 1
            self._await(process, flow)
            return
        died = self._strike_server(process, flow, after) if server_too else self._bury(process, flow, engine, after)
        self._come_back(flow, args, died=died)

    def _strike_server(self, process: Any, flow: str, after: float) -> bool:
        """Kill the server, and the flow that worked with it at once or when it had its chance to go on."""
        server = self.ground.server
        assert server
        dead = [SERVER] if self._kill_server() else []
        time.sleep(self.dice.random())
        if self.dice.random() < 0.5 and process.exitcode is None:
            died = self._bury(process, "server and " + flow, True, after, dead)
            server.start()
        else:  # it works on, as well as it can
            server.start()
            process.join(20)
            died = self._bury(process, "server, then " + flow, True, after, dead)
        return died

    def _kill_server(self) -> bool:
        """SIGKILL; whether it died of that. A server that ended by itself is a fault."""
        assert self.ground.server
        status = self.ground.server.kill()
        if status != KILLED:
            self._ended("the Prefect server", status)
        return status == KILLED

    def _bury(self, process: Any, victim: str, engine: bool, after: float, dead: list[str] | None = None) -> bool:
        """Stop it, look at what it holds, and kill it; whether it died of that, and left its lease behind.

        One that had ended before is no kill, and its status is looked at as anybody's.

        Args:
            dead: who died of this blow before it; given where its server was struck.
        """
        if process.exitcode is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(process.pid, signal.SIGSTOP)
        claims, in_flight, transaction = self._hands()
        process.kill()
        process.join(DEATH_SECONDS)
        died = process.exitcode == KILLED
        if not died:
            self.report.late += 1
            self._ended(victim, process.exitcode, orphaned=dead is not None)
        if everybody := [*(dead or ()), *([FLOW] if died else ())]:
            how = "prefect" if engine else "inline"
            kill = Kill(self.seed, victim, how, everybody, round(after, 3), claims, in_flight, transaction)
            self.report.kills.append(kill)
            self.left -= 1
        return died

    def _ended(self, who: str, status: int | None, *, orphaned: bool = False) -> None:
        self.report.ended(f"seed {self.seed}: {who}", status, orphaned=orphaned)

    def _come_back(self, flow: str, args: tuple[Any, ...], *, died: bool) -> None:
        """The machine is off for a while. Who comes too early after a death is refused, and not for ever."""
        self.stage.advance(5)
        if died and self.dice.random() < 0.15:
            process = Fork.Process(target=_work, args=(self.stage.settings, self.ground.clock_path, flow, args, False))
            process.start()
            process.join(LONGEST_CYCLE)
            if process.exitcode == REFUSED:
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
        else:
            self._ended(flow, process.exitcode)

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
