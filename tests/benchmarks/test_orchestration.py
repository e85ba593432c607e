"""What Prefect costs: task runs, time and memory of a cycle, against the same work done without it in the same run."""

from __future__ import annotations

import resource
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks import cycling, retrying
from tasks.desk import desk
from tasks.lots.models import Lot
from tests.simulation.stocking import stock_up

LOTS = 100
#: A lot is a task each in order, confirm and pay; the rest is an invoice, a sale, and what is asked once a cycle.
TASK_RUNS = 3 * LOTS + 10
#: What every vendor takes to answer; the sandbox alone answers within a millisecond.
LATENCY_SECONDS = 0.05


def task_runs() -> int:
    answer = httpx.post(f"{PREFECT_API_URL.value()}/task_runs/count", json={}, timeout=30)
    return int(answer.json())


def test_a_quiet_cycle(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.processing import processing

    processing(return_state=True)  # type: ignore[call-overload]
    before, began = task_runs(), time.monotonic()
    processing(return_state=True)  # type: ignore[call-overload]
    made, seconds = task_runs() - before, time.monotonic() - began
    with capsys.disabled():
        print(f"\na quiet cycle: {made} task runs, {seconds:.2f} s")
    assert made <= 10


@dataclass(frozen=True)
class Cost:
    """What one cycle took: seconds, task runs, and the most memory that the process has had by its end."""

    seconds: float
    task_runs: int
    peak: int


def cycle(*, plain: bool = False) -> Cost:
    from flows.processing import processing

    before, began = task_runs(), time.monotonic()
    if plain:
        with retrying.inline():
            processing.fn()  # type: ignore[attr-defined]
    else:
        processing(return_state=True)  # type: ignore[call-overload]
    seconds = time.monotonic() - began
    return Cost(seconds, task_runs() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def prepare(world: World, keyword: str) -> None:
    """A closed sale of a hundred lots, all won by one buyer."""
    from flows.sourcing import sourcing

    basta: Any = world.vendors["basta"]
    basta.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1, sale_title=keyword)
    state: Any = sourcing(keyword, 45, 1, True, return_state=True)  # type: ignore[call-overload]
    assert state.is_completed(), state.message
    sale = basta.house.sales[state.result().sale_id]
    ends = time.monotonic() + 30
    while sale.status != "CLOSED" and time.monotonic() < ends:
        time.sleep(0.1)
    with desk().record.read() as session:
        lot = session.scalars(select(Lot).where(Lot.keyword == keyword)).one()
    cj: Any = world.vendors["cj"]
    cj.set_stock(lot.cj_vid, lot.from_country, 10 * LOTS)
    stock_up(world, desk().record, lot.id, LOTS)


@pytest.mark.timeout(600)
def test_a_cycle_with_a_hundred_lots_in_motion(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The share of orchestration is what Prefect adds to the same steps, taken in the same order, one by one."""
    where = Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", "62701")
    world.people.add(Person("ada", "Ada Demo", "ada@demo.invalid", "good", where))
    monkeypatch.setenv("SOURCING_RUNS_PER_DAY", "5")
    cj: Any = world.vendors["cj"]
    cj.top_up(10_000_000)
    cj.options.ship_after_seconds = 86_400
    for vendor in ("cj", "basta", "stripe", "resend"):
        world.faults.plan(Fault(vendor, "*", "slow", times=10**9, seconds=LATENCY_SECONDS))
    prepare(world, "phone stand")
    plain = cycle(plain=True)
    prepare(world, "desk lamp")
    together = cycle()
    prepare(world, "usb hub")
    monkeypatch.setattr(cycling, "AT_ONCE", 1)
    alone = cycle()
    with desk().record.read() as session:
        ends = Counter(str(lot.status) for lot in session.scalars(select(Lot)))
    with capsys.disabled():
        print(f"\n{LOTS} lots in one cycle, each answer after {LATENCY_SECONDS} s:", end=" ")
        print(f"{plain.seconds:.1f} s without Prefect, one by one;", end=" ")
        print(f"{alone.seconds:.1f} s with it, one by one; {together.seconds:.1f} s with it, eight at once")
        print(f"orchestration: {1 - plain.seconds / alone.seconds:.0%} of a cycle, one by one;", end=" ")
        print(f"{together.task_runs} task runs; memory {max(together.peak, alone.peak) / plain.peak:.2f} times as much")
    assert ends == {"CJ_PAID": 3 * LOTS}
    assert plain.task_runs == 0
    assert max(together.task_runs, alone.task_runs) <= TASK_RUNS
    assert together.seconds < plain.seconds
    assert together.peak < 1.5 * plain.peak
