"""A few days of sales, some of whose calls fail: all promises hold, and every book ties."""

from __future__ import annotations

from tests.simulation.month import Month
from tests.simulation.play import Result


def test_days_of_sales_with_faulty_calls_end_with_every_promise_kept_and_books_that_tie() -> None:
    days: list[int] = []
    play = Month(lots=4, days=2, faulty=0.04, seed=4, tell=lambda figures: days.append(figures["day"]), brisk=True)
    result: Result = play.run()
    assert result.violations == []
    assert sum(result.lots.values()) == 4
    assert days == list(range(1, len(days) + 1))
    assert play.last["faults"] > 0
    assert play.nights["clean"] > 0
