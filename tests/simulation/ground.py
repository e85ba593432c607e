"""Where real processes are killed: a record, a receiver and a Prefect server, on real databases."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

import deployments.webhooks
from tasks.desk import Desk, working_at
from tasks.lots import clock, stamp
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.settings import Settings
from tests.simulation.loopback import Loopback, SharedClock, database, free_port, loopback_settings, opened, wait_for

#: Processes are forked from one that never opened anything and has no thread.
Fork = multiprocessing.get_context("forkserver")
CJ_INTERVAL_SECONDS = "0.02"
SERVER_SECONDS, UPGRADE_SECONDS = 120.0, 240.0


class PrefectServer:
    """A real Prefect server with a home of its own; it can be killed, and started again on what it left.

    Args:
        url: its own database; none: a SQLite file in its home.
    """

    def __init__(self, home: Path, url: str | None = None) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.database = "postgresql" if url else "sqlite"
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
        self._env = {**os.environ, **({"PREFECT_API_DATABASE_CONNECTION_URL": url} if url else {})}
        if url:
            upgrade = [sys.executable, "-m", "tests.simulation.untrigrammed"]
            done = subprocess.run(
                upgrade, env=self._env, capture_output=True, text=True, check=False, timeout=UPGRADE_SECONDS
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.home / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_for(f"{self.url}/health", SERVER_SECONDS)

    @property
    def status(self) -> int | None:
        """What it ended with; None while it lives."""
        return self._process.poll() if self._process else None

    def kill(self) -> int | None:
        """SIGKILL, with all its children; the status with which it ended, which may have been before."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._process = None
        return status


def another_database(url: str) -> str:
    """Make the Prefect server a database of its own in the cluster of the record; its address."""
    own = make_url(url)
    engine = create_engine(own.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("create database prefect"))
    engine.dispose()
    return own.set(drivername="postgresql+asyncpg", database="prefect").render_as_string(hide_password=False)


@dataclass(frozen=True)
class Ground:
    """What all lives of a run stand on."""

    clock_path: Path
    server: PrefectServer | None
    receiver: Any
    #: Opens a new world for a seed.
    world: Callable[[int], AbstractContextManager[Loopback]]


def _receive(settings: Settings, clock_path: Path, port: int) -> None:
    """The receiver's process."""
    import uvicorn

    os.environ["PIPELINE_HOME"] = str(clock_path.parent)
    logging.disable(logging.CRITICAL)
    shared = SharedClock(clock_path)
    with clock.held_by(shared.now, time.sleep):
        app = deployments.webhooks.receiver(settings, Record(connect(settings.record_url)))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


@contextmanager
def killing(kind: str, preload: str, *, with_server: bool) -> Iterator[Ground]:
    """Databases, a receiver and a Prefect server, all gone in the end.

    Args:
        kind: of the record and of the Prefect server's own database: sqlite or postgresql.
        preload: the module from whose imports the processes of flows are forked.
    """
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
            server = PrefectServer(home, another_database(url) if kind == "postgresql" else None)
            server.start()
            stack.callback(server.kill)
        Fork.set_forkserver_preload([preload])
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

        yield Ground(clock_path, server, receiver, world)
