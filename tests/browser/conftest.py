"""A Prefect server of its own with the pipeline's work on it, a browser to look at it, and a worker for its runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.demo.stage import LOCAL, free_port, prefect_server
from deployments.sandbox.faults import Fault
from deployments.sandbox.people import Address, Person
from deployments.sandbox.run import build_world, environment, in_thread
from deployments.sandbox.world import World
from tasks.settings import Settings
from tests import prefects

HOUR, DAY = 3_600, 86_400
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]


class Power:
    """Switches the server on, and off by its process's id, as when the power fails: its home stays as it was."""

    def __init__(self, port: int, home: Path, env: dict[str, str]) -> None:
        self._server, self._pid = ExitStack(), 0
        self._port, self._home, self._env = port, home, env

    def on(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(self._env):
                patch.delenv(name)
            for name, value in self._env.items():
                patch.setenv(name, value)
            self._pid = self._server.enter_context(prefect_server(self._port, self._home))

    def off(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self._server.close()


@dataclass(frozen=True)
class Site:
    """Where everything is, and how to type a command there."""

    url: str
    world: World
    env: dict[str, str]
    home: Path
    power: Power

    def pipeline(self, *words: str, expect: int = 0) -> str:
        """Type a command; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "deployments.cli", *words],
            env=self.env, capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def work(self, run_id: str) -> None:
        """What a worker's process does with a run that is due."""
        env = {**self.env, "PREFECT__FLOW_RUN_ID": run_id}
        command = [sys.executable, "-m", "prefect.engine"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=110)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A worker of the pool, as the operator starts it."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "pipeline", "--name", "w1"]
        env = {**self.env, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        with (self.home / "worker.log").open("w") as log:
            worker = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(timeout=30)

    def ask(self, what: str, **asked: Any) -> list[dict[str, Any]]:
        """What the server keeps; where its database is taken for long, it is asked again, as a person would."""
        for patience in (10, 20):
            with suppress(httpx.ReadTimeout):
                return self._ask(what, asked, patience)
        return self._ask(what, asked, 60)

    def _ask(self, what: str, asked: dict[str, Any], patience: float) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.url}/api/{what}/filter", json={"limit": 100, **asked}, timeout=patience)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def run_called(self, start: str, *, state: str | None = None, seconds: float = 60) -> dict[str, Any]:
        """The newest flow run whose name begins so, once there is one (in that state)."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for run in self.ask("flow_runs", sort="START_TIME_DESC"):
                if run["name"].startswith(start) and state in (None, run["state"]["name"]):
                    return run
            time.sleep(0.3)
        names = [f"{run['name']} {run['state']['name']}" for run in self.ask("flow_runs")]
        raise AssertionError(f"no run {start!r} in state {state}: {names}")


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pipeline set up on a server of its own, pointed at a sandbox, with short durations."""
    home, root = tmp_path_factory.mktemp("browser"), Path(__file__).parents[2]
    shutil.copy(root / "prefect.yaml", home / "prefect.yaml")
    world = build_world(seed=7)
    options = world.vendors["cj"].options  # type: ignore[attr-defined]
    options.min_interval_seconds = 0
    world.people.add(
        Person("ada", "Ada Demo", "ada@demo.invalid", "good", Address("A", "1 Row", "Dover", "DE", "19901"))
    )
    prefects.give_database(request, home / "prefect" / "prefect.db")
    port = free_port()
    url = f"http://{LOCAL}:{port}"
    clean = {name: value for name, value in os.environ.items() if name not in _ours() and "PREFECT" not in name}
    with in_thread(world) as outside:
        env = {
            **clean,
            **environment(outside),
            "PIPELINE_HOME": str(home),
            "PYTHONPATH": str(root),
            "CJ_MIN_INTERVAL_SECONDS": "0",
            "AUCTION_OPENS_AFTER_HOURS": str(0.5 / HOUR),
            "AUCTION_DURATION_HOURS": str(2 / HOUR),
            "CLOSING_COUNTDOWN_SECONDS": "0.3",
            "LOOK_QUIET_SECONDS": "1",
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_SERVER_UI_API_URL": f"{url}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "dropship",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
        power = Power(port, home, env)
        power.on()
        try:
            yield Site(url, world, env, home, power)
        finally:
            power.end()


def _ours() -> set[str]:
    return {str(field.alias) for field in Settings.model_fields.values()}


@pytest.fixture(scope="session")
def worked(site: Site) -> Site:
    """A sale sourced and closed, one of its lots failing at CJ: its task is red."""
    site.pipeline("setup")
    house: Any = site.world.vendors["basta"]
    for item in (1, 2):
        house.house.plan_lot(winner="ada", hammer="above_reserve", item_number=item)
    site.pipeline("source", "--keyword", "phone stand", "--max-cost", "45", "--max-products", "2", "--publish")
    # Every order of one lot meets a dead vendor; three tries in this cycle, and no end of them.
    site.world.faults.plan(Fault("cj", "POST /shopping/order/createOrderV2", "500_before", times=9))
    ends = time.monotonic() + 90
    while any(sale.status != "CLOSED" for sale in house.house.sales.values()):
        assert time.monotonic() < ends, "the sale does not close"
        time.sleep(0.1)  # a cycle that comes too early is a process more
    while "PartiallyDone" not in (said := site.pipeline("process")):
        assert time.monotonic() < ends, said
        time.sleep(1)
    return site


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Any]:
    """A page in headless Chromium."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser and one server a run."""
    for item in items:
        if "site" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(300))
