"""L10: an account of the old kind allows 1,000 calls an endpoint, for life."""

from __future__ import annotations

from tests.simulation.rehearsal import DAY, HOUR, Rehearsal

LIFETIME, DAYS = 1_000, 30


def test_thirty_days_of_ten_lots_stay_within_a_lifetime_quota_without_a_webhook(stage: Rehearsal) -> None:
    """One day is measured in full, by polls alone, and thirty are reckoned: two sales of five lots, bought half an
    hour apart, beside parcels of the days before. Reading does not grow with the lots, as a hundred share a call."""
    stage.world.webhook_mode = "lost"
    stage.cj.options.quota, stage.cj.options.quota_limit = "counts", LIFETIME
    stage.cj.options.ship_after_seconds, stage.cj.options.deliver_after_seconds = 2 * DAY, 9 * DAY
    stage.cj.set_balance(10**8)
    stage.person("ada")
    old = stage.sell("ada")
    stage.cycle()
    stage.advance(1.5 * DAY)
    before = dict(stage.cj.quota.requested)
    for keyword in ("desk lamp", "usb hub"):
        assert stage.source(keyword, 5).is_completed()
        stage.advance(HOUR / 2)
    stage.advance(24.5 * HOUR)  # the sales are over soon: what follows is a whole day of the lots' busiest time
    for _ in range(48):
        stage.cycle()
        stage.advance(HOUR / 2)
    new = [lot for lot in stage.lots() if lot.id not in old]
    assert len(new) == 10
    assert sum(lot.status == "CJ_PAID" for lot in new) >= 8
    day = {path: number - before.get(path, 0) for path, number in stage.cj.quota.requested.items()}
    assert {path: number * DAYS for path, number in day.items() if number * DAYS > LIFETIME} == {}
