"""W8: server and worker are off for two days. On their return one run of each does the work, and no alert tells of each
that was missed."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.browser.conftest import Site

OFF = timedelta(days=2)
ENDED = ("COMPLETED", "CANCELLED", "FAILED", "CRASHED")
AHEAD = 7  # what the server plans of a schedule of every ten minutes: an hour's worth
BUSY = 503  # Prefect's word where its SQLite file is locked: ask again
LEFT = 2  # of those: a worker starts a process for every missed run, and two show what seven do


def grow_old(file: Path, by: timedelta) -> None:
    """Let time pass for a database that nobody has open: every moment in it is that much longer ago.

    Messages keep their time, by which the server knows them.
    """
    back = f"-{by.total_seconds():.0f} seconds"
    with sqlite3.connect(file) as base:
        tables = [
            row[0] for row in base.execute("select name from sqlite_master where type = 'table' and name != 'outbox'")
        ]
        for table in tables:
            for _, column, kind, *_ in base.execute(f"pragma table_info({table})").fetchall():
                if kind.upper() in ("TIMESTAMP", "DATETIME"):
                    moved = f"strftime('%Y-%m-%d %H:%M:%S', {column}, ?) || substr({column}, 20)"  # to the microsecond
                    base.execute(f"update {table} set {column} = {moved} where {column} is not null", (back,))
        if "flow_run_state" in tables:  # Prefect's own copy of when a run is due, and its key of it
            due = "json_extract(state_details, '$.scheduled_time')"
            moved = f"strftime('%Y-%m-%dT%H:%M:%fZ', {due}, ?)"
            base.execute(
                f"update flow_run_state set state_details = json_set(state_details, '$.scheduled_time', {moved}) "
                f"where {due} is not null",
                (back,),
            )
            base.execute("update flow_run set idempotency_key = 'old ' || idempotency_key where auto_scheduled")
    base.close()


def planned(site: Site, flow: str) -> list[dict[str, Any]]:
    """The runs that a schedule made, the first due first."""
    runs = site.ask("flow_runs", flows={"name": {"any_": [flow]}}, flow_runs={"tags": {"all_": ["auto-scheduled"]}})
    return sorted(runs, key=lambda run: str(run["expected_start_time"]))


def forget(site: Site, run: dict[str, Any]) -> None:
    ends = time.monotonic() + 60
    while (said := httpx.delete(f"{site.url}/api/flow_runs/{run['id']}", timeout=60)).status_code == BUSY:
        assert time.monotonic() < ends, said.text
        time.sleep(0.3)
    assert said.status_code in (204, 404), said.text  # the server's own scheduler may have been quicker


def test_after_two_days_without_a_server_one_cycle_and_one_sourcing_run_do_the_work_and_nobody_is_alarmed(
    worked: Site,
) -> None:
    site = worked
    site.pipeline("keywords", "add", "--keyword", "desk lamp", "--max-cost", "45")
    site.world.faults.clear()
    for run in site.ask("flow_runs", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}}):
        if not run["auto_scheduled"]:  # what a person began is another matter
            forget(site, run)
    ends = time.monotonic() + 30
    while not (len(planned(site, "processing")) >= AHEAD and len(planned(site, "sourcing")) >= 2):
        assert time.monotonic() < ends, "the server plans no runs"
        time.sleep(0.3)
    # Of the others it is as true. Four processes that write at once keep Prefect's SQLite file locked for a minute.
    for run in (*planned(site, "processing")[LEFT:], *planned(site, "reconciling"), *planned(site, "reporting")):
        forget(site, run)
    sink: Any = site.world.vendors["alerts"]
    site.power.off()
    for file in (site.home / "prefect" / "prefect.db", site.home / "pipeline.sqlite"):
        grow_old(file, OFF)
    told = len(sink.posts)
    site.power.on()
    back = datetime.now(UTC)

    def late(flow: str) -> list[dict[str, Any]]:
        return [run for run in planned(site, flow) if datetime.fromisoformat(run["expected_start_time"]) < back]

    def ends_of(flow: str) -> Counter[str]:
        return Counter(run["state"]["name"] for run in late(flow))

    flows = ("processing", "sourcing")
    missed = {flow: len(late(flow)) for flow in flows}
    assert missed["processing"] >= LEFT
    assert missed["sourcing"] == OFF.days
    ends = time.monotonic() + 90
    with site.worker():
        while not all(run["state"]["type"] in ENDED for flow in flows for run in late(flow)):
            assert time.monotonic() < ends, [ends_of(flow) for flow in flows]
            time.sleep(0.5)
    for flow, runs in missed.items():
        ends_so = ends_of(flow)
        assert ends_so.pop("Cancelled") == runs - 1
        assert ends_so == {"Completed": 1}
    opened = [post.text for post in sink.posts[told:] if "OVER" not in post.text.split("\n")[0]]
    alarms = Counter(text.split("#alert-")[1].split("\n")[0] for text in opened)
    # That all was silent, and that no sourcing began by 08:30, are true: each is said once at most, and once over.
    assert set(alarms) <= {"silence", "sourcing"}, opened
    assert alarms.total() == len(alarms)
