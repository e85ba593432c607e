"""The demo's stage: the sandbox in this process, and a Prefect server of its own beside it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.sandbox.run import build_world, environment, in_thread
from deployments.sandbox.world import World

LOCAL = "127.0.0.1"
SERVER_SECONDS = 90.0
SECONDS_A_DAY, SECONDS_AN_HOUR = 86_400, 3_600

#: What the demo shortens, and says that it does: durations, in the settings' own units.
SHORTENED = {
    "AUCTION_OPENS_AFTER_HOURS": 1 / SECONDS_AN_HOUR,
    "AUCTION_DURATION_HOURS": 5 / SECONDS_AN_HOUR,
    "CLOSING_COUNTDOWN_SECONDS": 1,
    "PAYMENT_REMINDER_DAYS": 8 / SECONDS_A_DAY,
    "PAYMENT_DEADLINE_DAYS": 22 / SECONDS_A_DAY,
    "PARCEL_POLL_SECONDS": 1,
    "LOOK_QUIET_SECONDS": 5,
    "SOURCING_RUNS_PER_DAY": 9,
}
FAST_INTERVAL, REAL_INTERVAL = 0.3, 1.2
PARCEL_SECONDS = 2.0


@dataclass(frozen=True)
class Stage:
    """Where everything is."""

    world: World
    sandbox_url: str
    server_url: str
    receiver_port: int
    home: Path
    interval: float

    @property
    def receiver_url(self) -> str:
        """Where the vendors reach us."""
        return f"http://{LOCAL}:{self.receiver_port}"


#: CJ itself allows a call a second, where we keep 1.2.
CJ_SHARE = 1 / 1.2


@contextmanager
def built(*, real_pace: bool) -> Iterator[Stage]:
    """Sandbox and Prefect server, up and answering; gone afterwards, with all that they wrote."""
    interval = REAL_INTERVAL if real_pace else FAST_INTERVAL
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pipeline-demo-")))
        world = build_world(seed=7)
        options = world.vendors["cj"].options  # type: ignore[attr-defined]
        options.min_interval_seconds = interval * CJ_SHARE
        options.ship_after_seconds = options.deliver_after_seconds = PARCEL_SECONDS
        sandbox_url = stack.enter_context(in_thread(world))
        port = free_port()
        server_url = f"http://{LOCAL}:{port}"
        stage = Stage(world, sandbox_url, server_url, free_port(), home, interval)
        os.environ.update(_environment(stage))
        stack.enter_context(prefect_server(port, home))
        yield stage


def _leave(number: int, _frame: object) -> None:
    """A demo that is told to end takes its server and its files with it."""
    sys.exit(128 + number)


def _environment(stage: Stage) -> dict[str, str]:
    server_url, home = stage.server_url, stage.home
    return {
        **environment(stage.sandbox_url),
        "WEBHOOK_PUBLIC_URL": stage.receiver_url,
        **{name: f"{value:.10f}" if isinstance(value, float) else str(value) for name, value in SHORTENED.items()},
        "PAYMENT_RETRY_DAYS": f"{60 / SECONDS_A_DAY:.10f}",
        "CJ_MIN_INTERVAL_SECONDS": str(stage.interval),
        "CJ_TOKEN_FILE": str(home / "cj-token.json"),
        "DATABASE_URL": f"sqlite:////{home / 'demo.sqlite'}",
        "TURSO_DATABASE_URL": "",  # whatever the operator's own shell says
        "PREFECT_API_URL": f"{server_url}/api",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_LOGGING_LEVEL": "INFO",  # for the pages of the runs; the terminal is ours
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "dropship",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_API_URL": f"{server_url}/api",
        "PREFECT_CLI_PROMPT": "false",
    }


@contextmanager
def prefect_server(port: int, home: Path) -> Iterator[int]:
    """A real Prefect server, with a home and a database of its own; its process's id."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", LOCAL, "--port", str(port)]
    with (home / "server.log").open("a") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - our own interpreter
        try:
            _wait_until_healthy(f"http://{LOCAL}:{port}/api/health", server)
            yield server.pid
        finally:
            _last_words()
            server.terminate()
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _last_words() -> None:
    """Send the last lines of the logs while there is a server to take them."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < ends:
        if server.poll() is not None:
            raise RuntimeError(f"the Prefect server ended with status {server.returncode}")
        try:
            if httpx.get(url, timeout=1.0).status_code == 200:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    raise RuntimeError("the Prefect server did not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])
