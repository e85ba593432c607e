"""What a person is told of, and when it is over."""

from __future__ import annotations

import pytest

from tasks.lots import pauses
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.conftest import Stage

NEARLY_AN_HOUR = 57 * 60.0  # the last of five cycles comes before the fourth hour is over


def test_a_lot_stuck_for_four_hours_is_told_once_and_so_is_its_end(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.cycles(5, apart=NEARLY_AN_HOUR)
    assert stage.incidents("stuck:lot") == []
    stage.cycles(2)
    (incident,) = stage.incidents("stuck:lot")
    assert incident.severity == "MEDIUM"
    assert incident.lot_id == lot
    stage.cycles(6)
    assert len([post for post in stage.sink.posts if f"Lot {lot} has been PAID" in post.text]) == 1
    with stage.record.write() as session:
        pauses.resume(session, "all")
    stage.cycles(2)
    assert stage.incidents("stuck:lot") == []
    assert sum("OVER" in post.text for post in stage.sink.posts) == 1


def test_an_order_that_nobody_pays_is_told_after_four_hours_and_louder_after_eight(stage: Rehearsal) -> None:
    """Buying is paused between an order's confirmation and its payment, and forgotten so."""
    stage.person("ada")
    (lot,) = stage.sell("ada")

    def pause(label: str) -> None:
        if label == "cj PATCH /shopping/order/confirmOrder":
            with stage.record.write() as session:
                pauses.pause(session, "buying")

    stage.exchange.after = pause
    stage.cycles(5, apart=NEARLY_AN_HOUR)
    assert stage.status(lot) == "CJ_ORDERED"
    assert stage.incidents("stuck:lot") == []
    stage.cycle()
    (incident,) = stage.incidents("stuck:lot")
    assert (incident.severity, incident.lot_id) == ("MEDIUM", lot)
    stage.cycles(5, apart=HOUR)
    (incident,) = stage.incidents("stuck:lot")
    assert incident.severity == "HIGH"
    told = [post.text.split("\n")[0] for post in stage.sink.posts if f"Lot {lot} has been" in post.text]
    assert [line.split("]")[0] for line in told] == ["[MEDIUM", "[HIGH"]
    assert "WORSE" in told[1]
    with stage.record.write() as session:
        pauses.resume(session, "all")
    stage.exchange.after = lambda label: None
    stage.cycles(2)
    assert stage.status(lot) == "CJ_PAID"
    assert stage.incidents("stuck:lot") == []


def test_a_buyer_who_has_days_to_pay_is_not_stuck(stage: Rehearsal) -> None:
    stage.person("ada", "ignores")
    stage.sell("ada")
    stage.cycles(8, apart=18 * HOUR)
    assert stage.incidents("stuck:lot", closed=True) == []


def test_a_parcel_that_never_ships_and_one_that_never_arrives_are_told(stage: Rehearsal) -> None:
    stage.cj.options.ship_after_seconds = 20 * DAY
    stage.cj.options.deliver_after_seconds = None
    stage.person("ada")
    stage.sell("ada")
    stage.cycles(7, apart=DAY)
    assert stage.incidents("stuck:parcel") == []
    stage.cycles(2, apart=DAY)
    (incident,) = stage.incidents("stuck:parcel")
    assert "CJ_PAID for more than 7 days" in incident.title
    stage.cycles(7, apart=6 * DAY)
    assert stage.incidents("stuck:parcel") == []
    stage.cycles(3, apart=6 * DAY)
    (incident,) = stage.incidents("stuck:parcel")
    assert "SHIPPED for more than 30 days" in incident.title


def test_three_lots_that_cannot_be_bought_in_a_day_are_nobodys_alert(stage: Rehearsal) -> None:
    stage.person("ada")
    lots = stage.sell(*["ada"] * 5)
    for lot in lots[:3]:
        stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycle()
    assert stage.incidents("failures:") == []
    assert stage.sink.posts == []  # one lot out of stock is nobody's alert


def test_four_lots_that_cannot_be_bought_in_a_day_are_one_alert(stage: Rehearsal) -> None:
    stage.person("ada")
    lots = stage.sell(*["ada"] * 5)
    for lot in lots[:4]:
        stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycles(2)
    (incident,) = stage.incidents("failures:")
    assert incident.severity == "HIGH"
    stage.cycles(8, apart=6 * HOUR)
    assert stage.incidents("failures:") == []


def test_a_sale_that_should_have_closed_is_told_after_an_hour(stage: Rehearsal) -> None:
    stage.person("ada")
    stage.source()
    stage.house.sales[next(iter(stage.house.sales))].items[0].closes = None
    for item in stage.house.items:
        item.status = "ITEM_OPEN"
    stage.advance(24 * HOUR)
    stage.house._closing = lambda sale, item: None
    stage.advance(4 * HOUR)
    stage.cycle()
    (incident,) = stage.incidents("stuck:sale")
    assert "should have closed" in incident.title


def refund_rate(stage: Rehearsal, lots: int, refunded: int) -> list[str]:
    """So many lots are paid, and so many of them cannot be bought: what is told of the rate, and what it costs."""
    stage.person("ada")
    sold = stage.sell(*["ada"] * lots)
    for lot in sold[:refunded]:
        stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycles(2)
    stage.advance(HOUR)
    stage.cycle()
    return [f"{one.severity}: {one.title}" for one in stage.incidents("rates:refund")]


def test_more_than_a_fifth_of_the_paid_lots_refunded_is_told_and_is_over_when_it_is_less(rehearse: Stage) -> None:
    stage = rehearse(RATE_MINIMUM_LOTS=5, RATE_WINDOW_DAYS=2)
    assert refund_rate(stage, 5, 2) == ["HIGH: 40% of the paid lots were refunded"]
    (post,) = [post for post in stage.sink.posts if "#alert-refund-rate" in post.text]
    assert "Worst keyword: phone stand." in post.text
    stage.advance(3 * DAY)
    stage.cycle()
    assert stage.incidents("rates:refund") == []
    assert sum("OVER" in post.text for post in stage.sink.posts if "#alert-refund-rate" in post.text) == 1


@pytest.mark.parametrize(
    ("lots", "refunded", "minimum"), [(5, 1, 5), (4, 3, 5)], ids=["a fifth", "too few to judge by"]
)
def test_a_fifth_refunded_or_a_rate_of_few_lots_is_nobodys_alert(
    rehearse: Stage, lots: int, refunded: int, minimum: int
) -> None:
    stage = rehearse(RATE_MINIMUM_LOTS=minimum)
    assert refund_rate(stage, lots, refunded) == []
    assert [lot.refund_status for lot in stage.lots()].count("SUCCEEDED") == refunded
