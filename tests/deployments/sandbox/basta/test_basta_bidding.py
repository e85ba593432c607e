"""Bids by the rules, closing by the clock, and what a closed lot says of its reserve and leader."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.deployments.sandbox.basta.conftest import COUNTDOWN_SECONDS, START


def test_the_engine_bids_the_least_needed_for_the_higher_ceiling(account):
    lot = account.lot()
    account.bid(lot, "ada", 6_000, "MAX")
    assert account.shown(lot)["currentBid"] == 2_000
    losing = account.bid(lot, "ben", 4_500, "MAX")
    assert (losing["amount"], losing["bidStatus"]) == (4_500, "LOSING")
    assert (account.shown(lot)["leaderId"], account.shown(lot)["currentBid"]) == ("ada", 5_000)
    bids = account.shown(lot, "totalBids bids { userId amount bidStatus saleItem { id } }")
    assert [(bid["userId"], bid["amount"], bid["bidStatus"]) for bid in bids["bids"]] == [
        ("ada", 2_000, "LOSING"), ("ben", 4_500, "LOSING"), ("ada", 5_000, "WINNING"),
    ]  # fmt: skip


def test_of_equal_ceilings_the_first_wins(account):
    lot = account.lot()
    account.bid(lot, "ada", 4_000, "MAX")
    account.bid(lot, "ben", 4_000, "MAX")
    assert (account.shown(lot)["leaderId"], account.shown(lot)["currentBid"]) == ("ada", 4_000)


def test_a_normal_bid_is_exactly_that_and_a_higher_ceiling_beats_it_at_the_next_ask(account):
    lot = account.lot()
    account.bid(lot, "ada", 4_000)
    assert account.shown(lot)["currentBid"] == 4_000
    account.bid(lot, "ben", 9_000, "MAX")
    assert (account.shown(lot)["leaderId"], account.shown(lot)["currentBid"]) == ("ben", 4_500)


@pytest.mark.parametrize(
    ("amount", "kind", "reason"),
    [
        (2_500, "NORMAL", "BID_LOWER_THAN_CURRENT_BID"),
        (4_750, "NORMAL", "OFF_INCREMENT"),
        (4_750, "MAX", "OFF_INCREMENT"),
    ],
    ids=["below the ask", "off the grid", "a ceiling off the grid"],
)
def test_a_bid_below_the_ask_or_off_the_grid_is_refused(account, amount, kind, reason):
    lot = account.lot()
    account.bid(lot, "ada", 4_000)
    assert account.no_bid(lot, "ben", amount, kind) == reason
    assert account.shown(lot)["leaderId"] == "ada"


def test_the_leader_cannot_outbid_themselves_with_a_normal_bid_nor_lower_their_ceiling(account):
    lot = account.lot()
    account.bid(lot, "ada", 4_000, "MAX")
    assert account.no_bid(lot, "ada", 5_000) == "BID_LOWER_THAN_CURRENT_MAX"
    assert account.no_bid(lot, "ada", 3_500, "MAX") == "MAX_BID_LOWER_THAN_CURRENT_MAX"
    account.bid(lot, "ada", 6_000, "MAX")
    assert account.shown(lot, "currentBid currentMaxBid") == {"currentBid": 2_000, "currentMaxBid": 6_000}


def test_the_first_bid_may_be_off_the_grid_only_as_the_starting_bid_and_the_ladder_snaps_back(account):
    lot = account.lot(startingBid=1_330)
    assert account.shown(lot, "nextAsks(iterations: 3)")["nextAsks"] == [1_330, 1_500, 2_000]
    assert account.no_bid(lot, "ada", 1_000) == "STARTING_BID_HIGHER"
    assert account.no_bid(lot, "ada", 1_430) == "OFF_INCREMENT"
    account.bid(lot, "ada", 1_330)
    assert account.shown(lot, "nextAsks(iterations: 2)")["nextAsks"] == [1_500, 2_000]
    assert account.no_bid(lot, "ben", 1_830) == "OFF_INCREMENT"


def test_ceilings_alone_are_taken_unless_the_lot_says_more(account):
    lot = account.lot(allowedBidTypes=None)
    assert "NORMAL" in account.no_bid(lot, "ada", 2_000)
    account.bid(lot, "ada", 2_000, "MAX")


def test_a_sale_may_lift_a_ceiling_to_the_reserve_at_once(account):
    sale = account.sale(reserveAutoBidMethod="MAX_BID_BELOW_RESERVE_IS_MET")
    lot = (sale, account.item(sale))
    account.publish(sale)
    account.bid(lot, "ada", 2_500, "MAX")
    assert account.shown(lot)["currentBid"] == 2_500
    account.bid(lot, "ben", 6_000, "MAX")
    assert (account.shown(lot)["currentBid"], account.shown(lot)["reserveStatus"]) == (3_000, "MET")


def test_nothing_is_taken_before_opening_after_the_end_nor_when_closed(account):
    sale = account.sale()
    lot = (sale, account.item(sale, openDate=(START + timedelta(minutes=5)).isoformat()))
    account.publish(sale)
    assert account.no_bid(lot, "ada", 2_000) == "NOT_OPEN_FOR_BIDDING"
    account.pass_time(600)
    account.bid(lot, "ada", 2_000)
    end = START + timedelta(hours=1, seconds=COUNTDOWN_SECONDS)
    account.pass_time((end - account.world.clock.now()).total_seconds())
    assert account.shown(lot)["status"] == "ITEM_PROCESSING"
    assert account.no_bid(lot, "ben", 2_500) == "ITEM_CLOSING_PERIOD_PASSED"
    account.pass_time(1)
    assert account.shown(lot)["status"] == "ITEM_CLOSED"
    assert account.no_bid(lot, "ben", 2_500) == "NOT_OPEN_FOR_BIDDING"


def test_statuses_change_some_seconds_late_and_every_one_of_them_is_seen(open_account):
    account = open_account(status_lag_seconds=5)
    sale = account.sale()
    lot = (sale, account.item(sale))
    seen = [(account.status(sale), account.shown(lot)["status"])]
    account.do("publishSale", "PublishSaleInput", saleId=sale)
    for _ in range(3_900):
        now = (account.status(sale), account.shown(lot)["status"])
        if now != seen[-1]:
            seen.append(now)
        account.pass_time(1)
    assert seen == [
        ("UNPUBLISHED", "ITEM_NOT_OPEN"), ("PUBLISHED", "ITEM_NOT_OPEN"), ("OPENED", "ITEM_OPEN"),
        ("CLOSING", "ITEM_CLOSING"), ("CLOSING", "ITEM_PROCESSING"), ("PROCESSING", "ITEM_CLOSED"),
        ("CLOSED", "ITEM_CLOSED"),
    ]  # fmt: skip


def test_each_late_bid_moves_the_end(account):
    lot = account.lot()
    account.pass_time(3_600 + 60)
    for user, amount in (("ada", 2_000), ("ben", 2_500), ("ada", 3_000)):
        account.bid(lot, user, amount)
        closing_end = datetime.fromisoformat(account.shown(lot, "dates { closingEnd }")["dates"]["closingEnd"])
        assert closing_end == account.world.clock.now() + timedelta(seconds=COUNTDOWN_SECONDS)
        account.pass_time(COUNTDOWN_SECONDS - 10)
        assert account.shown(lot)["status"] == "ITEM_CLOSING"
    account.pass_time(11)
    assert account.shown(lot)["status"] == "ITEM_CLOSED"
    assert account.shown(lot)["leaderId"] == "ada"


def test_a_bid_before_the_closing_period_moves_nothing(account):
    lot = account.lot()
    account.bid(lot, "ada", 2_000)
    assert account.shown(lot, "dates { closingEnd }")["dates"]["closingEnd"] == "2026-11-23T11:02:00.000Z"


@pytest.mark.parametrize(
    ("reserve", "amount", "status", "met"),
    [(0, 2_000, "NO_RESERVE", True), (3_000, 2_500, "NOT_MET", False), (3_000, 3_000, "MET", True)],
)
def test_a_closed_lot_keeps_its_leader_whatever_the_reserve_says(account, reserve, amount, status, met):
    lot = account.lot(reserve=reserve)
    account.bid(lot, "ada", amount)
    account.close()
    assert account.shown(lot) == {
        "status": "ITEM_CLOSED", "leaderId": "ada", "currentBid": amount, "reserveStatus": status, "reserveMet": met,
    }  # fmt: skip
    assert account.shown(lot, "bids { bidStatus }")["bids"] == [{"bidStatus": "WON"}]
    assert account.status(lot[0]) == "CLOSED"


def test_without_bids_there_is_no_leader_and_no_bid(account):
    lot = account.lot()
    account.close()
    assert (account.shown(lot)["leaderId"], account.shown(lot)["currentBid"]) == (None, None)


def test_a_forced_close_loses_the_result(account):
    lot = account.lot()
    account.bid(lot, "ada", 5_000)
    account.do("forceCloseSale", "CloseSaleInput", saleId=lot[0])
    shown = account.shown(lot)
    assert (shown["status"], shown["leaderId"], shown["reserveStatus"]) == ("ITEM_CLOSED", None, "NOT_MET")


def test_a_forced_start_of_closing_keeps_it(account):
    lot = account.lot()
    account.bid(lot, "ada", 5_000)
    account.do("forceStartClosingSale", "StartClosingSaleInput", saleId=lot[0])
    account.pass_time(COUNTDOWN_SECONDS + 1)
    shown = account.shown(lot)
    assert (shown["status"], shown["leaderId"], shown["reserveStatus"]) == ("ITEM_CLOSED", "ada", "MET")


def test_a_lot_can_be_opened_before_its_time(account):
    sale = account.sale()
    lot = (sale, account.item(sale, openDate=(START + timedelta(minutes=5)).isoformat()))
    account.publish(sale)
    account.do("forceOpenSale", "OpenSaleInput", saleId=sale)
    account.bid(lot, "ada", 2_000)
    assert account.status(sale) == "OPENED"


def test_the_latest_bid_alone_is_taken_back_and_by_its_number(account):
    lot = account.lot()
    account.bid(lot, "ada", 2_000)
    number = account.bid(lot, "ben", 3_000)["bidSequenceNumber"]
    back = account.mutation("cancelLatestBidOnItem", "CancelLatestBidOnItemInput", "removedBids { userId }")
    given = {"saleId": lot[0], "itemId": lot[1], "sequenceNumber": number}
    assert "not the latest" in account.refusal(back, i={**given, "sequenceNumber": number - 1})
    assert account.ask(back, i=given)["removedBids"] == [{"userId": "ben"}]
    assert (account.shown(lot)["leaderId"], account.shown(lot)["currentBid"]) == ("ada", 2_000)


@pytest.mark.parametrize(
    ("hammer", "status", "winner"),
    [("above_reserve", "MET", "ada"), ("below_reserve", "NOT_MET", "ada"), ("no_bid", "NOT_MET", None)],
)
def test_a_lot_is_steered_to_its_end_by_a_real_fight(open_account, hammer, status, winner):
    account = open_account(bidding=True)
    for name in ("ada", "ben", "cleo", "dov"):
        account.person(name)
    account.house.plan_lot(winner=winner, hammer=hammer, item_number=1)
    lot = account.lot(ItemNumber=1, reserve=5_000)
    account.close()
    shown = account.shown(lot, "leaderId reserveStatus currentBid bids { userId }")
    assert (shown["leaderId"], shown["reserveStatus"]) == (winner, status)
    if winner:
        assert len({bid["userId"] for bid in shown["bids"]}) > 1
        assert shown["currentBid"] % 500 == 0
    else:
        assert shown["bids"] == []
