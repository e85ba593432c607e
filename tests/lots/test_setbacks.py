"""Whom no vendor answered, in each database."""

from __future__ import annotations

from alembic import command
from sqlalchemy import func, select

from tasks.lots import setbacks
from tasks.lots.engine import Record
from tasks.lots.migrate import config, migrate
from tasks.lots.records import Setback
from tests.conftest import HeldClock


def note(record: Record, silent: list[str], answered: list[str] | None = None) -> dict[str, int]:
    """One cycle's news of a stage; who is known as silent then, and how often in a row."""
    with record.write() as session:
        setbacks.note(session, "fulfil", silent, answered or [])
    with record.read() as session:
        return {subject: row.times for subject, row in setbacks.known(session, "fulfil").items()}


def test_silences_in_a_row_are_counted_and_an_answer_ends_them(record: Record, held_clock: HeldClock) -> None:
    assert note(record, ["1", "2"]) == {"1": 1, "2": 1}
    assert note(record, ["1"], ["2"]) == {"1": 2}
    assert note(record, [], ["1"]) == {}


def test_those_that_have_no_work_any_more_are_forgotten(record: Record, held_clock: HeldClock) -> None:
    note(record, ["1"])
    held_clock.advance(setbacks.KEEP.total_seconds() + 1)
    assert note(record, ["2"]) == {"2": 1}


def test_the_migration_goes_back_and_forth_with_rows_in_the_table(record: Record) -> None:
    note(record, ["1"])
    with record.migrating() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "20261125_reads")
        connection.commit()
    assert migrate(record) is True
    with record.read() as session:
        assert session.execute(select(func.count()).select_from(Setback)).scalar_one() == 0
