"""Many lots in motion at CJ's own pace, and the process dies: the next cycle goes on where it stopped."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from tasks.lots.records import Effect
from tests.simulation.knife import Killed
from tests.simulation.poison import share_out
from tests.simulation.rehearsal import Rehearsal
from tests.stages.conftest import Stage

UNTIL_LEASES_END = 900.0
LOTS, BUDGET = 150, 180.0  # tests/benchmarks/test_recovery.py has a thousand
BUYERS, INTERVAL = 20, 1.2
CREATE, CONFIRM, PAY = "createOrderV2", "confirmOrder", "payBalance"


def in_motion(rehearse: Stage, lots: int, budget: float) -> Rehearsal:
    """So many lots, won by some buyers, and a cycle behind them, so that some are at every step of buying."""
    stage = rehearse(CJ_MIN_INTERVAL_SECONDS=str(INTERVAL), PROCESS_BUDGET_SECONDS=str(budget))
    (first,) = stage.sell(stage.person("buyer0").user_id)
    share_out(stage, first, lots, BUYERS)
    return stage


def die_at(stage: Rehearsal, operation: str, nth: int) -> None:
    """Kill the process after the effect of a call and before its answer."""
    seen = []

    def after(label: str) -> None:
        if label.endswith(operation):
            seen.append(label)
            if len(seen) == nth:
                raise Killed(label)

    stage.exchange.after = after


def claimed(stage: Rehearsal) -> list[str]:
    with stage.record.read() as session:
        return list(session.scalars(select(Effect.key).where(Effect.owner.is_not(None))))


def test_after_a_kill_every_claim_is_freed_every_unknown_looked_up_and_cj_asked_at_its_own_rate(
    rehearse: Stage,
) -> None:
    recover(in_motion(rehearse, LOTS, BUDGET))


def recover(stage: Rehearsal) -> None:
    """Die at each step of buying, and see that the next cycle goes on where each stopped."""
    left: set[str] = set()
    for operation, nth in ((CREATE, 30), (CONFIRM, 5), (PAY, 5)):
        die_at(stage, operation, nth)
        with pytest.raises(Killed):
            stage.cycle()
        assert len(claimed(stage)) == 1
        left |= set(claimed(stage))
        stage.exchange.after = lambda _: None
        stage.advance(UNTIL_LEASES_END)
    assert len(left) == 3
    began, before = stage.clock.at, len(stage.world.calls)
    stage.cycle()
    asked = [call.at for call in stage.world.calls[before:] if call.vendor == "cj"]
    assert claimed(stage) == []
    assert {key: stage.effect(key).state for key in left} == dict.fromkeys(left, "ADOPTED")
    assert min(later - sooner for sooner, later in pairwise(asked)) >= timedelta(seconds=INTERVAL)
    spent = (asked[-1] - began).total_seconds()
    budget = stage.settings.process_budget_seconds
    assert budget * 0.8 <= spent <= budget + 30
    assert len(asked) >= 0.95 * spent / INTERVAL
    bought = [lot for lot in stage.lots() if lot.status == "CJ_PAID"]
    assert len(bought) >= 20  # new orders kept none of those that were begun from being paid
    assert len(stage.cj.orders) == len({order.number for order in stage.cj.orders})
    assert len(bought) == sum(one.kind == "pay" for one in stage.cj.payments)
