"""L10 in full: thirty days of ten lots, every ten-minute cycle of them, against an account of 1,000 calls for life."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.simulation.rehearsal import Rehearsal
from tests.simulation.shopkeeping import Shop
from tests.stages.test_thirty_days import DAYS, LIFETIME, counted


@pytest.mark.timeout(3_600)
def test_thirty_days_of_ten_lots_a_day_by_every_call(stage: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    stage.cj.options.quota, stage.cj.options.quota_limit = "counts", LIFETIME
    shop, began, all_days = Shop(stage), time.process_time(), Counter[str]()
    for number in range(1, DAYS + 1):
        day = shop.day()
        all_days += day
        with capsys.disabled():
            most = ", ".join(f"{path} {calls}" for path, calls in all_days.most_common(3))
            print(f"day {number}: {sum(day.values())} calls; so far {most}; {time.process_time() - began:.0f} s of CPU")
    assert len(stage.lots()) >= 10 * DAYS
    assert stage.cj.quota.refused == []
    assert max(all_days.values()) <= LIFETIME
    own = counted(stage)
    assert {path: own[path] for path in all_days} == dict(all_days)
    assert max(own.values()) <= LIFETIME  # by our own count, for an account that tells nothing
