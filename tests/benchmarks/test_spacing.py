"""CJ's pace from four processes at once, on each database: never closer than allowed, and hardly ever wider."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate

INTERVAL, SECONDS, PROCESSES = 1.2, 60.0, 4
SENDER = """
import sys, time
from tasks.lots.cj_calls import wait_for_slot
from tasks.lots.engine import Record, connect
record, until = Record(connect(sys.argv[1])), time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    wait_for_slot(record, float(sys.argv[3]))
    print(time.monotonic(), flush=True)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_pace_of_four_processes(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if database == "sqlite":
        url = f"sqlite:///{tmp_path / 'record.sqlite'}"
    else:
        url = str(request.getfixturevalue("postgres_url"))
    record = Record(connect(url))
    migrate(record)
    record.close()
    command = [sys.executable, "-c", SENDER, url, str(SECONDS), str(INTERVAL)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    sent = sorted(float(line) for worker in workers for line in worker.communicate()[0].split())
    gaps = [later - sooner for sooner, later in pairwise(sent)]
    rate = (len(sent) - 1) / (sent[-1] - sent[0]) * INTERVAL
    with capsys.disabled():
        print(f"\n{database}: {len(sent)} calls, smallest gap {min(gaps):.4f} s, {rate:.1%} of the allowed rate")
    assert min(gaps) >= INTERVAL
    assert rate >= 0.95
