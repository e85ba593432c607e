"""One story from a keyword to delivered parcels and a refund, with the history as the assertion."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from deployments.sandbox.control import state
from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots.ledger import Kind, total
from tasks.lots.models import Lot
from tasks.lots.moving import history
from tasks.lots.records import Effect

ROAD = ["SOURCED", "LISTED", "PUBLISHED", "AUCTION_CLOSED", "PAID"]
PARCEL = ["CJ_ORDERED", "CJ_PAID", "SHIPPED", "DELIVERED"]


def lives() -> dict[int, list[str]]:
    with desk().record.read() as session:
        lots = list(session.scalars(select(Lot).order_by(Lot.item_number)))
        return {lot.item_number or 0: [row.to for row in history(session, lot.id)] for lot in lots}


def test_a_keyword_becomes_delivered_parcels_and_a_refund_in_part_of_an_invoice(world: World) -> None:
    from flows.processing import processing
    from flows.sourcing import sourcing

    house: Any = world.vendors["basta"]
    cj: Any = world.vendors["cj"]
    where = Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", "62701")
    world.people.add(Person("ada", "Ada Demo", "ada@demo.invalid", "good", where))
    world.people.add(Person("ben", "Ben Demo", "ben@demo.invalid", "recovers", where, pays_after=1.5))
    for item, winner in ((1, "ada"), (2, "ada"), (3, "ben")):
        house.house.plan_lot(winner=winner, hammer="above_reserve", item_number=item)
    house.house.plan_lot(winner=None, hammer="below_reserve", item_number=4)

    sourced = sourcing("phone stand", 45, 4, True, return_state=True)  # type: ignore[call-overload]
    assert sourced.is_completed(), sourced.message
    again = sourcing("", 45, 4, True, return_state=True)  # type: ignore[call-overload]
    assert not again.is_completed()  # an empty word is bad input, never the rotation
    with desk().record.read() as session:
        vid = session.scalars(select(Lot.cj_vid).where(Lot.item_number == 2)).one()
    for country in ("CN", "US"):
        cj.set_stock(vid, country, 0)

    ends = {"DELIVERED", "CANCELLED", "RESERVE_NOT_MET"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        processing(return_state=True)  # type: ignore[call-overload]
        with desk().record.read() as session:
            waiting = set(session.scalars(select(Lot.refund_status))) & {"PLANNED", "PENDING"}
        if all(life[-1] in ends for life in lives().values()) and not waiting:
            break
        time.sleep(1)
    processing(return_state=True)  # type: ignore[call-overload] # and once more: nothing happens twice

    assert lives() == {
        1: ROAD + PARCEL,
        2: [*ROAD, "CJ_OUT_OF_STOCK", "CANCELLED"],
        3: [*ROAD[:-1], "PAYMENT_FAILED", "PAID", *PARCEL],
        4: [*ROAD[:3], "RESERVE_NOT_MET"],
    }
    outside = state(world)
    assert sorted(len(one["lines"]) for one in outside["invoices"]) == [1, 2]
    assert all(one["payments"] == 1 and one["paid"] == one["total"] for one in outside["invoices"])
    assert len(outside["cj_orders"]) == 2
    with desk().record.read() as session:
        (refunded,) = session.scalars(select(Lot).where(Lot.refund_status == "SUCCEEDED"))
        assert [one["amount"] for one in outside["refunds"]] == [refunded.winning_bid_cents]
        assert total(session, Kind.HAMMER, Kind.PREMIUM, Kind.TAX) == sum(one["paid"] for one in outside["invoices"])
        assert -total(session, Kind.STRIPE_FEE) == outside["fees"]
        assert -total(session, Kind.GOODS, Kind.FREIGHT) == sum(one["paid"] for one in outside["cj_orders"])
        mails = session.scalars(select(Effect.key).where(Effect.kind == "mail")).all()
    resend: Any = world.vendors["resend"]
    assert sorted(mail.key for mail in resend.mails) == sorted(desk().record.known_as(key) for key in mails)


def test_a_quiet_cycle_makes_next_to_no_task_runs(world: World) -> None:
    from flows.processing import processing

    processing(return_state=True)  # type: ignore[call-overload]
    before = len(world.calls)
    assert processing(return_state=True).message == "nothing to do"  # type: ignore[call-overload]
    assert len(world.calls) == before
