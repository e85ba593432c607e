"""Ctrl-C at a terminal, in the middle of a run that has a temporary Prefect server."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots.records import FlowLease
from tests import prefects
from tests.deployments.test_at_a_terminal import CTRL_C, Terminal


@pytest.mark.timeout(200)
def test_ctrl_c_ends_a_run_within_seconds_in_one_sentence_and_its_lease_is_free(
    world: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    world.faults.plan(Fault("cj", "GET /product/listV2", "slow", seconds=60))
    clean = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    prefects.give_database(request, tmp_path / "prefect" / "prefect.db")
    at = Terminal({**clean, "PREFECT_HOME": str(tmp_path / "prefect"), "COLUMNS": "200"})
    try:
        at.type(b"source | --keyword | phone stand | --max-cost | 45\n")
        while not any(call.operation == "GET /product/listV2" for call in world.calls):
            at.read_until("calls of CJ")  # a progress bar that nobody reads stops its run
        pressed = time.monotonic()
        os.write(at.keyboard, CTRL_C)
        said = at.read_until("status 130")
        assert "Stopped. What was under way is looked up before anything is done again." in said
        assert "Traceback" not in said
        assert time.monotonic() - pressed < 30  # it knocked for two minutes at the server that Ctrl-C had ended
    finally:
        at.close()
    with desk().record.read() as session:
        assert [one.owner for one in session.scalars(select(FlowLease).where(FlowLease.flow == "sourcing"))] == [None]
