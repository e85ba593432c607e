"""A real Prefect server that asks for a password: who shows it is let in, in every way in which we speak to it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from deployments.commands import schedule
from deployments.demo.stage import LOCAL, free_port, prefect_server
from deployments.doctor import server
from deployments.doctor.findings import Finding
from deployments.doctor.ward import Ward
from deployments.waking import Bell
from tasks.settings import Settings
from tests import prefects
from tests.deployments.serving import served

LOGIN = "admin:a-password"
pytestmark = pytest.mark.xdist_group("a server with a password")


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home, port = tmp_path_factory.mktemp("server"), free_port()
    prefects.give_database(request, home / "prefect.db")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # the server's alone, and no test's
            for name in [one for one in os.environ if one.startswith("PREFECT_")]:
                patch.delenv(name)
            patch.setenv("PREFECT_HOME", str(home))
            patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            patch.setenv("PREFECT_SERVER_API_AUTH_STRING", LOGIN)
            stack.enter_context(prefect_server(port, home))
        yield f"http://{LOCAL}:{port}/api"


def known(address: str, shown: str | None) -> Settings:
    more = {"PREFECT_API_AUTH_STRING": shown, "PREFECT_SERVER_API_AUTH_STRING": LOGIN} if shown else {}
    return Settings.model_validate({"PREFECT_API_URL": address, **more})


def examined(settings: Settings) -> dict[str, Finding]:
    ward = Ward(settings)
    try:
        return {one.name: one for one in server.examine(ward)}
    finally:
        ward.close()


def rung(settings: Settings) -> bool:
    async def go() -> bool:
        bell = Bell(settings)
        async with httpx.AsyncClient(base_url=str(settings.prefect_api_url), auth=bell._auth) as http:
            return await bell._tell(http, Counter(stripe=1))

    return asyncio.run(go())


@pytest.mark.parametrize("shown", [None, "admin:another"])
def test_who_does_not_show_it_is_kept_out_and_told_which_setting_to_see(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str | None
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    settings = known(address, shown)
    assert examined(settings)["Prefect"].fix == "see PREFECT_API_AUTH_STRING"
    assert schedule.upcoming(settings)["server"] == "away"
    assert not rung(settings)


def test_who_shows_it_is_let_in(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    settings = known(address, LOGIN)
    found = examined(settings)
    assert (found["Prefect server"].level, found["Prefect password"].level) == ("ok", "ok")
    assert schedule.upcoming(settings)["server"] == "ok"
    assert rung(settings)


def test_a_server_that_lets_everybody_in_although_it_should_ask_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`prefect server start` does not read the file in which the operator set the password."""
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    app = FastAPI()

    @app.get("/api/health")
    def healthy() -> bool:
        return True

    @app.get("/api/admin/version")
    def told() -> str:
        return version("prefect")

    with served(app) as open_to_all:
        assert "Prefect password" not in examined(known(f"{open_to_all}/api", None))
        found = examined(known(f"{open_to_all}/api", LOGIN))["Prefect password"]
    assert found.level == "fail"
    assert "in its shell" in str(found.fix)


def test_a_command_shows_the_one_of_env_local(address: str, tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(f"PREFECT_API_URL={address}\nPREFECT_API_AUTH_STRING={LOGIN}\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env |= {"PIPELINE_HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "deployments.cli", "automations", "apply"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert LOGIN not in done.stdout + done.stderr
