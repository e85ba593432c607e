"""C8 and C3's first half: what Basta shows decides, and unknown is not sold."""

from __future__ import annotations

import pytest

from deployments.sandbox.basta.rows import Item
from deployments.sandbox.wire import Reply
from tests.simulation.rehearsal import HOUR, Rehearsal


@pytest.mark.parametrize(
    ("winner", "hammer", "why"),
    [
        pytest.param("ada", "below_reserve", "missed it", id="bid below reserve"),
        pytest.param(None, "no_bid", "no bid", id="no bid"),
    ],
)
def test_what_misses_its_reserve_ends_there_and_costs_nobody_anything(
    stage: Rehearsal, winner: str | None, hammer: str, why: str
) -> None:
    for name in ("ada", "ben", "cleo", "dov"):
        stage.person(name)
    stage.house.plan_lot(winner=winner, hammer=hammer, item_number=1)
    assert stage.source().is_completed()
    stage.advance(27 * HOUR)
    stage.cycles(2)
    (lot,) = stage.lots()
    assert stage.life(lot.id)[-1] == "RESERVE_NOT_MET"
    assert why in (lot.error_message or "")
    assert stage.invoices() == []
    assert stage.calls("stripe", "POST /v1/invoices") == 0
    assert stage.mails() == []


def test_a_closed_lot_without_a_reserve_state_is_not_sold_until_it_is_read_again(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.person("ada")
    (lot_id,) = stage.sell("ada")
    with monkeypatch.context() as unsaid:
        unsaid.setattr(Item, "reserve_status", None)
        stage.cycle()
        assert stage.status(lot_id) == "PUBLISHED"
        assert stage.invoices() == []
    stage.cycle()
    assert stage.life(lot_id)[3:5] == ["AUCTION_CLOSED", "PAID"]


def test_garbage_from_basta_leaves_every_lot_as_it_is(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot_id,) = stage.sell("ada")
    stage.exchange.scripted.append(("basta sale", Reply(200, b'{"data": {"sale"', {})))
    state = stage.cycle()
    assert state.name == "PartiallyDone"
    assert stage.status(lot_id) == "PUBLISHED"
    stage.cycle()
    assert stage.status(lot_id) in ("PAID", "CJ_PAID")


def test_a_closed_sale_is_never_asked_for_again(stage: Rehearsal) -> None:
    stage.person("ada")
    stage.sell("ada")
    stage.cycle()
    asked = stage.calls("basta", "sale")
    stage.cycles(3)
    assert stage.calls("basta", "sale") == asked
