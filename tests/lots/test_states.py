"""The table of moves, walked in every pair."""

from __future__ import annotations

import itertools

import pytest

from tasks.lots.engine import Record
from tasks.lots.moving import follow, history, hold, move
from tasks.lots.states import FINAL, MOVES, SUCCESS_PATH, IllegalMove, LotStatus, hops
from tests.builders import make_lot

PAIRS = list(itertools.product(LotStatus, LotStatus))
S = LotStatus


def test_every_pair_of_states_moves_exactly_where_the_table_says(record: Record) -> None:
    with record.write() as session:
        for frm, to in PAIRS:
            lot = make_lot(session, frm)
            if frm == to:
                assert move(session, lot.id, to) is False
            elif to in MOVES[frm]:
                assert move(session, lot.id, to) is True
                assert lot.status is to
            else:
                with pytest.raises(IllegalMove, match=f"lot {lot.id} cannot go from {frm} to {to}"):
                    move(session, lot.id, to)
                assert lot.status is frm


#: The operator's picture of a lot's life, written down anew: the table must not be its own judge.
PICTURE = {
    "SOURCED": "LISTED CANCELLED",
    "LISTED": "PUBLISHED CANCELLED",
    "PUBLISHED": "AUCTION_CLOSED RESERVE_NOT_MET CANCELLED",
    "AUCTION_CLOSED": "PAID PAYMENT_FAILED CANCELLED",
    "PAYMENT_FAILED": "PAID CANCELLED",
    "PAID": "CJ_ORDERED CJ_OUT_OF_STOCK CJ_PRICE_CHANGED CANCELLED",
    "CJ_ORDERED": "CJ_PAID CJ_OUT_OF_STOCK CJ_PRICE_CHANGED CANCELLED",
    "CJ_PAID": "SHIPPED CANCELLED",
    "SHIPPED": "DELIVERED CANCELLED",
    "CJ_OUT_OF_STOCK": "CANCELLED",
    "CJ_PRICE_CHANGED": "CANCELLED",
    "DELIVERED": "",
    "RESERVE_NOT_MET": "",
    "CANCELLED": "",
}


@pytest.mark.parametrize(("frm", "to"), PAIRS)
def test_a_pair_is_lawful_when_the_picture_has_it(frm: LotStatus, to: LotStatus) -> None:
    assert (to in MOVES[frm]) is (str(to) in PICTURE[str(frm)].split())


def test_final_states_lead_nowhere() -> None:
    assert frozenset(status for status in LotStatus if not MOVES[status]) == FINAL


@pytest.mark.parametrize(("frm", "to"), [pair for pair in PAIRS if S.PAID in pair or S.AUCTION_CLOSED in pair])
def test_no_chain_of_hops_ever_implies_paid(frm: LotStatus, to: LotStatus) -> None:
    try:
        way = hops(frm, to)
    except LookupError:
        return
    assert S.PAID not in way[:-1]
    assert S.PAID not in way or (frm in (S.AUCTION_CLOSED, S.PAYMENT_FAILED) and way == (S.PAID,))


def test_the_missing_hops_are_taken_in_order_and_all_are_in_the_history(record: Record) -> None:
    with record.write() as session:
        lot = make_lot(session, S.CJ_ORDERED)
        assert follow(session, lot.id, S.DELIVERED) == (S.CJ_PAID, S.SHIPPED, S.DELIVERED)
        assert [row.to for row in history(session, lot.id)][1:] == ["CJ_PAID", "SHIPPED", "DELIVERED"]
        assert [row.seq for row in history(session, lot.id)] == [1, 2, 3, 4]


def test_a_move_ends_the_hold_and_a_hold_keeps_the_status_and_its_age(record: Record) -> None:
    with record.write() as session:
        lot = make_lot(session, S.PAID)
        since = lot.status_since
        hold(session, lot.id, "no address", "asked for one")
        session.refresh(lot)
        assert (lot.status, lot.status_since, lot.hold_reason) == (S.PAID, since, "no address")
        move(session, lot.id, S.CJ_ORDERED)
        session.refresh(lot)
        assert (lot.hold_reason, lot.error_message) == (None, None)


def test_the_road_to_success_is_a_chain_of_lawful_moves() -> None:
    assert all(to in MOVES[frm] for frm, to in itertools.pairwise(SUCCESS_PATH))
