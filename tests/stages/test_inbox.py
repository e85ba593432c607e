"""What arrives while a cycle runs is read before it ends, as a run that it would start is cancelled meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from tasks import closing, tracking
from tasks.lots import inbox
from tasks.lots.records import InboxEvent
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal


def meanwhile(stage: Rehearsal, do: Callable[[], object]) -> None:
    """Let something happen, and be told of, when the next cycle has done its reading: as it asks for CJ's quota."""

    def after(label: str) -> None:
        if label == "cj GET /setting/get" and todo:
            todo.pop()()
            assert stage.courier
            assert stage.courier.deliver() > 0

    todo = [do]
    stage.exchange.after = after


def waiting(stage: Rehearsal) -> list[str]:
    with stage.record.read() as session:
        return list(session.scalars(select(InboxEvent.type).where(InboxEvent.handled_at.is_(None))))


def test_a_payment_that_comes_while_a_cycle_runs_is_known_before_it_ends(stage: Rehearsal) -> None:
    stage.listen()
    stage.person("ada", "no_card", pays_after=30 * DAY)
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.advance(2 * HOUR)
    meanwhile(stage, lambda: stage.bank.pay_by_hand(stage.invoices()[0].stripe_invoice_id))
    stage.cycle()
    assert stage.status(lot) == "PAID"
    assert waiting(stage) == []


def test_a_parcel_that_leaves_while_a_cycle_runs_is_known_before_it_ends(stage: Rehearsal) -> None:
    stage.cj.options.ship_after_seconds = stage.cj.options.deliver_after_seconds = 90 * DAY
    stage.listen()
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.cycle()
    stage.advance(61 * 60)
    meanwhile(stage, lambda: stage.cj.ship(stage.lot(lot).cj_order_number))
    stage.cycle()
    assert stage.status(lot) == "SHIPPED"
    assert waiting(stage) == []


def test_a_sale_that_closes_while_a_cycle_runs_is_known_before_it_ends(stage: Rehearsal) -> None:
    stage.listen()
    stage.person("ada")
    stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
    stage.source()
    (lot,) = stage.lots()
    assert lot.closes_at
    stage.advance((lot.closes_at - stage.clock.at - timedelta(seconds=5)).total_seconds())
    meanwhile(stage, lambda: stage.advance(200))
    stage.cycle()
    assert stage.status(lot.id) == "AUCTION_CLOSED"
    assert waiting(stage) == []


@pytest.mark.parametrize(
    ("source", "payload", "read"),
    [
        ("basta", {"sale_id": "somebody's"}, closing.sales_to_read),
        ("basta", {"sale_id": None}, closing.sales_told),
        ("cj", {"order_number": "somebody's"}, tracking.parcels_due),
        ("cj", {"order_number": None}, tracking.parcels_told),
    ],
    ids=["a foreign sale", "no sale", "a foreign order", "no order"],
)
def test_news_of_nothing_that_is_ours_do_not_fill_the_inbox(
    stage: Rehearsal, source: str, payload: dict[str, object], read: Callable[[], list[object]]
) -> None:
    inbox.receive(stage.record, source, "x", "NEWS", payload)
    assert read() == []
    assert waiting(stage) == []
