"""A thousand lots in motion, three deaths, and one cycle: `pytest tests/benchmarks/test_recovery.py -n0 -s`."""

from __future__ import annotations

import time

import pytest

from tests.stages.conftest import Stage, rehearse  # noqa: F401 - a fixture
from tests.stages.test_recovery import in_motion, recover


@pytest.mark.timeout(600)
def test_a_thousand_lots_are_gone_on_with_after_a_kill(rehearse: Stage) -> None:  # noqa: F811
    stage, began = in_motion(rehearse, 1_000, 480.0), time.monotonic()
    recover(stage)
    print(f"1,000 lots, 3 kills: recovered in {time.monotonic() - began:.0f} s of wall time")
