"""L10: an account of the old kind allows 1,000 calls an endpoint, for life."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select

from tasks.lots.records import CjEndpoint
from tests.simulation.rehearsal import HOUR, Rehearsal
from tests.simulation.shopkeeping import Shop

LIFETIME, DAYS = 1_000, 30


def counted(stage: Rehearsal) -> dict[str, int]:
    """Our own count of calls, by endpoint."""
    with stage.record.read() as session:
        return {row.endpoint: row.calls for row in session.scalars(select(CjEndpoint))}


def test_thirty_days_of_ten_lots_stay_within_a_lifetime_quota_without_a_webhook(stage: Rehearsal) -> None:
    """One day is played in full, 144 cycles and a night's comparison, and thirty are reckoned: ten lots are sourced,
    and paid for at ten different hours, beside older parcels. `tests/benchmarks` plays all thirty."""
    stage.cj.options.quota, stage.cj.options.quota_limit = "counts", LIFETIME
    shop = Shop(stage)
    stage.person("ada")
    stage.sell("ada", "ada")
    stage.cycle()  # bought at 09:00 of the second day
    stage.advance(23 * HOUR)
    ours, theirs = counted(stage), Counter(stage.cj.quota.requested)
    shop.source(0)
    stage.advance(HOUR / 2)
    shop.source(1)
    stage.advance(21.5 * HOUR)  # 06:00: the sales end this morning
    shop.day(sourced=False)
    assert len([lot for lot in stage.lots() if lot.status in ("CJ_PAID", "SHIPPED")]) >= 11
    day = Counter(stage.cj.quota.requested) - theirs
    assert day["/product/listV2"] >= 2
    assert day["/shopping/pay/payBalance"] >= 9
    assert {path: number * DAYS for path, number in day.items() if number * DAYS > LIFETIME} == {}
    # An account that tells nothing is held to the same number by our own count, which leaves none of these out.
    own = Counter(counted(stage)) - Counter(ours)
    assert {path: number * DAYS for path, number in own.items() if number * DAYS > LIFETIME} == {}
    assert {path: own[path] for path in day} == day
