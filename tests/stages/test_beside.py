"""Sourcing and processing run beside each other: what a cycle has read is old when a sourcing run went on meanwhile."""

from __future__ import annotations

import pytest

from tests.simulation.knife import Killed
from tests.simulation.play import UNTIL_LEASES_END
from tests.simulation.rehearsal import HOUR, Rehearsal


def half_sourced(stage: Rehearsal) -> None:
    """A run that died when it had listed one of its three lots, and Basta had two."""
    for number in (1, 2, 3):
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=number)

    def die(label: str) -> None:
        if label == "basta createItemForSale" and len(stage.house.items) == 2:
            raise Killed

    stage.exchange.after = die
    with pytest.raises(Killed):
        stage.source(products=3)
    stage.exchange.after = lambda _: None
    stage.advance(UNTIL_LEASES_END)


@pytest.mark.parametrize("asked", [1, 2], ids=["the sale was read", "its items were read"])
def test_a_sourcing_run_that_goes_on_while_a_cycle_reads_its_sale_loses_no_lot(stage: Rehearsal, asked: int) -> None:
    stage.person("ada")
    half_sourced(stage)
    before = stage.calls("basta", "sale")

    def meanwhile(label: str) -> None:
        if stage.calls("basta", "sale") - before == asked:
            stage.exchange.after = lambda _: None
            assert stage.source(products=3).is_completed()

    stage.exchange.after = meanwhile
    stage.cycle()
    stage.advance(27 * HOUR)
    stage.until_quiet()
    assert {lot.status for lot in stage.lots()} == {"DELIVERED"}
    assert len(stage.house.items) == 3
