"""One lot from a keyword to its buyer, with the record at a libSQL server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.lots.engine import Record
from tests.simulation.rehearsal import HOUR, Rehearsal, rehearsal_settings


def test_a_lot_is_sourced_sold_bought_and_delivered(
    libsql_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    with Rehearsal(libsql_record, rehearsal_settings()).running() as stage:
        stage.cj.options.ship_after_seconds = stage.cj.options.deliver_after_seconds = 2 * HOUR
        stage.person("ada")
        (lot,) = stage.sell("ada")
        stage.until_quiet()
        assert stage.life(lot)[-5:] == ["PAID", "CJ_ORDERED", "CJ_PAID", "SHIPPED", "DELIVERED"]
        (order,) = stage.cj.orders
        assert order.paid_cents
