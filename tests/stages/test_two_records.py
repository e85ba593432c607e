"""Two records on the same accounts, one after the other: our ids begin anew, and nothing of the first is taken for
the second's (B14, W9)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.desk import working_at
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tests.simulation.rehearsal import Rehearsal


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Record]:
    record = Record(connect(f"sqlite:///{tmp_path / 'another.sqlite'}"))
    migrate(record)
    yield record
    record.close()


def test_a_second_record_makes_everything_anew_and_adopts_nothing(stage: Rehearsal, another: Record) -> None:
    stage.person("ada")
    assert stage.sell("ada") == [1]
    stage.until_quiet()
    sales, items = set(stage.house.sales), {lot.basta_item_id for lot in stage.lots()}
    stage.record = another
    stage.desk = stage.open_desk()
    with working_at(stage.desk):
        assert stage.sell("ada") == [1]
        stage.until_quiet()
        assert stage.life(1)[-1] == "DELIVERED"
        assert stage.lot(1).basta_sale_id not in sales
        assert stage.lot(1).basta_item_id not in items
        assert stage.incidents(closed=True) == []
    assert len(stage.house.sales) == 2
    assert len({order.number for order in stage.cj.orders}) == len(stage.cj.orders) == 2
    assert sum(one.kind == "pay" for one in stage.cj.payments) == 2
    assert len(stage.bank.store.invoices) == 2
    assert {one["amount_paid"] > 0 for one in stage.bank.store.invoices.values()} == {True}
    assert len(stage.mails("auction_won")) == len(stage.mails("order_delivered")) == 2


def test_a_copy_of_the_record_is_the_same_record(sqlite_record: Record, tmp_path: Path) -> None:
    """A restored backup looks for what it made by the same names."""
    backup = tmp_path / "restored.sqlite"
    with sqlite3.connect(str(sqlite_record.engine.url.database)) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    restored = Record(connect(f"sqlite:///{backup}"))
    assert restored.known_as("lot-7") == sqlite_record.known_as("lot-7") != "lot-7"
    restored.close()


def test_the_longest_order_number_fits_at_cj(sqlite_record: Record) -> None:
    assert len(sqlite_record.known_as(f"HS-{2**63}")) <= 50
