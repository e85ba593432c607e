"""What a real worker runs when its processes are killed: the product's own flow, at the clock that all share.

The deployment made by `pipeline setup` is pointed here instead of at `flows.processing`; nothing else is different.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from prefect.runtime import flow_run

from flows.processing import processing
from tasks.lots import clock
from tests.simulation.loopback import SharedClock

#: The file of the shared clock.
CLOCK = "SIMULATION_CLOCK"

if path := os.environ.get(CLOCK):
    shared = SharedClock(Path(path))
    held = ExitStack()  # for as long as this process lives
    held.enter_context(clock.held_by(shared.now, time.sleep))
    # Due now, by the shared clock: a schedule lives by the wall clock, which the shared one is ahead of.
    vars(flow_run)["scheduled_start_time"] = shared.now()

__all__ = ["CLOCK", "processing"]
