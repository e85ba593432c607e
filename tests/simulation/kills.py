"""Real kills: the pipeline's processes and the Prefect server die by SIGKILL while fifty lots are in motion.

Nothing is simulated but the outside world and the passing of idle time: real processes, sockets, databases, and a real
Prefect server, whose own database is of the kind of the record's. Most cycles are processes of ours; each so many-th
kill is of a scheduled run in the hands of a real worker, which may die too.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.simulation import life, worker_kills
from tests.simulation.ground import killing
from tests.simulation.toll import Report

LOTS = 50
#: Kills in one life of a sale, at most; then it must come to its end. A worker's take longer.
KILLS_A_LIFE, WORKERS_A_LIFE = 12, 6
#: Each so many-th kill is of a worker's run.
EACH = 8


def prove(
    number: int,
    kind: str,
    *,
    start: int = 1,
    lots: int = LOTS,
    with_server: bool = True,
    each: int = EACH,
    out: Path | None = None,
    say: Any = print,
) -> Report:
    """Kill so often, and play every life to its end; the report, told as it grows.

    Args:
        each: each so many-th kill is of a worker's run; with 1 all are, and sourcing is left in peace.
    """
    began, report, seed = time.monotonic(), Report(kind, lots), start
    a_life = WORKERS_A_LIFE if each == 1 else KILLS_A_LIFE
    with killing(kind, life.__name__, with_server=with_server) as ground, ExitStack() as stack:
        report.server = ground.server.database if ground.server else ""
        crew: worker_kills.Crew | None = None
        while len(report.kills) < number:
            before = len(report.kills)
            with ground.world(seed) as stage:
                given = (ground, stage, report, seed, min(a_life, number - before), lots)
                if ground.server and number >= each:
                    if crew is None:
                        crew = worker_kills.Crew(ground.server, stage.settings, ground.clock_path)
                        stack.callback(crew.end)
                        crew.set_up()
                    worker_kills.WorkedLife(crew, each, *given).play()
                else:
                    life.Life(*given).play()
            report.seconds = time.monotonic() - began
            say(f"seed {seed}: {len(report.kills)} kills, {len(report.violations)} violations, {report.seconds:.0f} s")
            if out is not None:
                with out.open("a") as file:
                    for kill in report.kills[before:]:
                        file.write(json.dumps({"database": kind, **asdict(kill)}) + "\n")
            seed += 1
    for line in report.lines():
        say(line)
    return report
