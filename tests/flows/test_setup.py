"""`pipeline setup` on a real server, and what the doctor says of that server when something is not as setup left it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL

from deployments.automations import apply
from deployments.commands.services import setup
from deployments.doctor import server
from deployments.doctor.findings import Finding
from deployments.doctor.ward import Ward
from deployments.registering import register
from deployments.sandbox.world import World
from deployments.webhooks import receiver
from tasks.desk import desk, prepare
from tasks.lots import clock
from tasks.rules.alerts import automation_name
from tasks.settings import Settings
from tests.deployments.serving import served


@pytest.fixture
def api(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    shutil.copy(Path(__file__).parents[2] / "prefect.yaml", tmp_path)
    url = str(PREFECT_API_URL.value())
    monkeypatch.setenv("PREFECT_API_URL", url)
    known = Settings.load()
    with served(receiver(known, prepare(known))) as public, httpx.Client(base_url=url, timeout=30) as http:
        monkeypatch.setenv("WEBHOOK_PUBLIC_URL", public)
        yield http


def seen() -> dict[str, Finding]:
    ward = Ward(Settings.load())
    try:
        return {one.name: one for one in server.examine(ward)}
    finally:
        ward.close()


def levels() -> dict[str, str]:
    return {name: str(one.level) for name, one in seen().items()}


def change(api: httpx.Client, method: str, path: str, body: Any = None) -> None:
    """Change something on the server, whose SQLite store says 503 while it is busy."""
    for _ in range(20):
        answer = api.request(method, path, json=body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(0.5)
    answer.raise_for_status()


def automations(api: httpx.Client) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in api.post("/automations/filter", json={"limit": 200}).json()}


@pytest.mark.timeout(400)
def test_setup_makes_everything_and_the_doctor_sees_what_is_spoilt_afterwards(
    world: World, api: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup() == 0
    told = capsys.readouterr().out
    assert "Basta webhooks: SALE_STATUS_CHANGED, ITEMS_STATUS_CHANGED added" in told
    assert "CJ webhooks: orders and parcels are told from now on" in told
    assert "charge.dispute.created" in told  # what to tick at Stripe
    assert "fail  worker: none is alive" in told  # it ends in the doctor

    change(api, "POST", "/work_pools/pipeline/workers/heartbeat", {"name": "w1"})
    assert levels() == {"Prefect server": "ok", "worker": "ok", "deployments": "ok", "automations": "ok"}
    assert set(automations(api)) == set(server.wanted_automations(Settings.load()))

    with clock.held_by(lambda: datetime.now(UTC) + timedelta(minutes=5), time.sleep):
        assert levels()["schedules"] == "fail"  # this server has no scheduler
        for one in api.post("/deployments/filter", json={}).json():
            if one["schedules"]:  # what a scheduler does every minute; SQLAlchemy 2.1 breaks it
                change(api, "POST", f"/deployments/{one['id']}/schedule", {})
        assert "schedules" not in levels()

    before = {name: one["id"] for name, one in automations(api).items()}
    apply(Settings.load())
    assert {name: one["id"] for name, one in automations(api).items()} == before
    assert all("already" in one.text for one in register(desk()) if one.vendor != "Stripe")

    change(api, "DELETE", f"/automations/{before[automation_name('zombies')]}")
    assert (seen()["automations"].level, "zombies" in seen()["automations"].text) == ("fail", True)
    apply(Settings.load())
    change(api, "PATCH", f"/automations/{before[automation_name('quota')]}", {"enabled": False})
    assert seen()["automations"].text == "quota are switched off"
    deployment = api.get("/deployments/name/processing/every-10-minutes").json()
    change(api, "PATCH", f"/deployments/{deployment['id']}", {"paused": True})
    assert levels()["schedules"] == "warn"
    (tmp_path / "prefect.yaml").rename(tmp_path / "elsewhere.yaml")
    assert (levels()["deployments"], levels()["automations"]) == ("fail", "warn")  # one line less, and all others
    (tmp_path / "elsewhere.yaml").rename(tmp_path / "prefect.yaml")
    change(api, "DELETE", f"/deployments/{deployment['id']}")
    assert "processing/every-10-minutes" in seen()["deployments"].text
    assert levels()["automations"] == "fail"  # one of them starts a deployment that is gone
    change(api, "DELETE", "/work_pools/pipeline")
    assert levels()["worker"] == "fail"
