"""The demo judges itself: all of its programme was seen, and every page that Prefect keeps is searched for secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx

from deployments.demo.invariants import EVENTS, PAGE, kept_by_prefect
from deployments.demo.programme import NO_BID, PROGRAMME, Seen, shown
from tasks.lots.engine import Record
from tasks.lots.moving import move
from tasks.lots.states import LotStatus
from tests.builders import make_lot
from tests.conftest import HeldClock

URL = "http://127.0.0.1:4200"
ROAD = ("SOURCED", "LISTED", "PUBLISHED", "AUCTION_CLOSED")
PARCEL = ("PAID", "CJ_ORDERED", "CJ_PAID", "SHIPPED", "DELIVERED")
#: What is shown -> the lot without which it is not.
CAST = {
    "a parcel delivered": Seen(1, refunded=False, paid=True, life=(*ROAD, *PARCEL)),
    "a lot out of stock, refunded in part of its invoice": Seen(
        1, refunded=True, paid=True, life=(*ROAD, "PAID", "CJ_OUT_OF_STOCK", "CANCELLED")
    ),
    "a price change refunded": Seen(2, refunded=True, paid=True, life=(*ROAD, "PAID", "CJ_PRICE_CHANGED", "CANCELLED")),
    "a bid below the reserve": Seen(None, refunded=False, paid=False, life=(*ROAD[:-1], "RESERVE_NOT_MET")),
    "a card declined, and then paid": Seen(3, refunded=False, paid=True, life=(*ROAD, "PAYMENT_FAILED", *PARCEL[:-1])),
    "a buyer who never paid": Seen(4, refunded=False, paid=False, life=(*ROAD, "CANCELLED")),
}
EVERYBODY = list(CAST.values())


def test_the_whole_cast_shows_the_whole_programme() -> None:
    assert [what for what, holds in PROGRAMME.items() if not holds(EVERYBODY)] == []
    assert not any(holds([]) for holds in PROGRAMME.values())


@pytest.mark.parametrize("what", CAST)
def test_what_nobody_plays_is_not_seen(what: str) -> None:
    assert not PROGRAMME[what]([one for one in EVERYBODY if one is not CAST[what]])


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a lot out of stock, refunded in part of its invoice", {"invoice_id": 9}),
        ("a lot out of stock, refunded in part of its invoice", {"refunded": False}),
        ("two lots on one invoice", {"invoice_id": 9}),
        ("a price change refunded", {"refunded": False}),
        ("a bid below the reserve", {"note": NO_BID}),
        ("a card declined, and then paid", {"life": (*ROAD, "PAID", "PAYMENT_FAILED")}),
        ("a buyer who never paid", {"invoice_id": None}),
        ("a buyer who never paid", {"paid": True}),
    ],
)
def test_what_is_played_badly_is_not_seen(what: str, change: dict[str, Any]) -> None:
    player = CAST.get(what, CAST["a lot out of stock, refunded in part of its invoice"])
    assert not PROGRAMME[what]([replace(one, **change) if one is player else one for one in EVERYBODY])


def test_lots_are_seen_with_their_whole_history(sqlite_record: Record, held_clock: HeldClock) -> None:
    with sqlite_record.write() as session:
        lot = make_lot(session, LotStatus.AUCTION_CLOSED, invoice_id=None)
        for status in (LotStatus.PAYMENT_FAILED, LotStatus.PAID):
            move(session, lot.id, status)
        lot.paid_at = held_clock.now()
        came, missed = shown(session)
    assert came == ["a card declined, and then paid"]
    assert len(missed) == len(PROGRAMME) - 1


@respx.mock
def test_every_page_that_prefect_keeps_is_searched() -> None:
    def rows(request: httpx.Request) -> httpx.Response:
        asked = httpx.Response(200, content=request.content).json()
        number = max(min(2 * PAGE + 1 - asked["offset"], asked["limit"]), 0)
        return httpx.Response(200, json=[f"row {asked['offset'] + one}" for one in range(number)])

    for what in ("logs", "artifacts", "flow_runs", "task_runs"):
        respx.post(f"{URL}/api/{what}/filter").mock(side_effect=rows)
    following = f"{URL}/api/events/filter/next?page-token=2"
    first = {"events": ["event 1"] * EVENTS, "next_page": following}
    respx.post(f"{URL}/api/events/filter").mock(return_value=httpx.Response(200, json=first))
    last = {"events": ["the last event"], "next_page": None}
    respx.get(following).mock(return_value=httpx.Response(200, json=last))
    text = dict[str, str]()
    for what, page in kept_by_prefect(URL):
        text[what] = text.get(what, "") + page
    for what in ("logs", "artifacts", "flow_runs", "task_runs"):
        assert f'"row {2 * PAGE}"' in text[what]
    assert "the last event" in text["events"]
