"""Each stage against the sandbox, in one process, with time held in the hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tasks.lots.engine import Record
from tests.simulation.rehearsal import DAY, Rehearsal, rehearsal_settings

Stage = Callable[..., Rehearsal]


@pytest.fixture(scope="session", autouse=True)
def logging_as_in_a_run() -> None:
    """Prefect sets up the logging at its first step, and whoever listened till then hears nothing more."""
    from prefect.logging.configuration import setup_logging

    setup_logging()


@pytest.fixture
def rehearse(sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Make a rehearsal, with settings that differ from the defaults where named."""
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    with ExitStack() as stack:

        def make(**settings: Any) -> Rehearsal:
            stage = Rehearsal(sqlite_record, rehearsal_settings(**settings))
            # Parcels of two days: waiting for those of nine is most of what a whole life costs.
            stage.cj.options.ship_after_seconds, stage.cj.options.deliver_after_seconds = DAY, 2 * DAY
            return stack.enter_context(stage.running())

        yield make


@pytest.fixture
def stage(rehearse: Stage) -> Rehearsal:
    """A rehearsal with the default settings."""
    return rehearse()
