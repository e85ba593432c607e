"""What Prefect costs: task runs and time of a cycle, against the same work done without it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL
from sqlalchemy import select

from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks import retrying
from tasks.desk import desk
from tasks.lots.models import Lot
from tests.simulation.stocking import stock_up

LOTS = 100


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


def cycle(plain: bool) -> float:
    from flows.processing import processing

    began = time.monotonic()
    if plain:
        with retrying.inline():
            processing.fn()  # type: ignore[attr-defined]
    else:
        processing(return_state=True)  # type: ignore[call-overload]
    return time.monotonic() - began


def prepare(world: World, keyword: str) -> None:
    from flows.sourcing import sourcing

    house: Any = world.vendors["basta"]
    house.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1, sale_title=keyword)
    state: Any = sourcing(keyword, 45, 1, True, return_state=True)  # type: ignore[call-overload]
    assert state.is_completed(), state.message
    time.sleep(4)
    with desk().record.read() as session:
        lot = session.scalars(select(Lot).where(Lot.keyword == keyword)).one()
    cj: Any = world.vendors["cj"]
    cj.set_stock(lot.cj_vid, lot.from_country, 10 * LOTS)
    stock_up(world, desk().record, lot.id, LOTS)


def test_a_cycle_with_a_hundred_lots_in_motion(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    where = Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", "62701")
    world.people.add(Person("ada", "Ada Demo", "ada@demo.invalid", "good", where))
    cj: Any = world.vendors["cj"]
    cj.top_up(10_000_000)
    cj.options.ship_after_seconds = 86_400
    prepare(world, "phone stand")
    plain = cycle(plain=True)
    prepare(world, "desk lamp")
    before = task_runs()
    flown = cycle(plain=False)
    made = task_runs() - before
    with desk().record.read() as session:
        ends = Counter(str(lot.status) for lot in session.scalars(select(Lot)))
    with capsys.disabled():
        print(f"\n{LOTS} lots in one cycle: {flown:.1f} s with Prefect, eight at once;", end=" ")
        print(f"{plain:.1f} s without, one by one; {made} task runs; {dict(ends)}")
    assert ends == {"CJ_PAID": 2 * LOTS}
