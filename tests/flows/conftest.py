"""One Prefect harness a run, and a world for each test."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from deployments.sandbox.run import build_world, environment, in_thread
from deployments.sandbox.world import World
from tasks.settings import Settings
from tests import prefects

HOUR, DAY = 3_600, 86_400


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that needs the harness runs in one process, so that there is one a run."""
    for item in items:
        if "harness" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("prefect"))


@pytest.fixture(scope="session")
def harness(request: pytest.FixtureRequest) -> Iterator[None]:
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing import utilities

    home = Path(tempfile.mkdtemp())  # removed by the harness, at the process's end
    prefects.give_database(request, home / "prefect-test.db")
    with (
        mock.patch.object(utilities, "mkdtemp", return_value=str(home)),
        utilities.prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture
def world(harness: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The outside world on loopback, quick, and the settings that point at it."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    world = build_world(seed=7)
    options = world.vendors["cj"].options  # type: ignore[attr-defined]
    options.min_interval_seconds = 0
    options.ship_after_seconds = options.deliver_after_seconds = 0.5
    with in_thread(world) as url:
        quick = {
            **environment(url),
            "PIPELINE_HOME": str(tmp_path),
            "CJ_MIN_INTERVAL_SECONDS": "0",
            "AUCTION_OPENS_AFTER_HOURS": str(0.3 / HOUR),
            "AUCTION_DURATION_HOURS": str(2 / HOUR),
            "CLOSING_COUNTDOWN_SECONDS": "0.3",
            "PAYMENT_REMINDER_DAYS": str(60 / DAY),
            "PAYMENT_DEADLINE_DAYS": str(90 / DAY),
            "PAYMENT_RETRY_DAYS": str(60 / DAY),
            "PARCEL_POLL_SECONDS": "0.2",
            "LOOK_QUIET_SECONDS": "1",
        }
        for name, value in quick.items():
            monkeypatch.setenv(name, value)
        yield world
