"""The command line of the simulations: what is tried, what is played again, and what is shown of a broken run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.simulation import crash
from tests.simulation.__main__ import SHORTENED, app
from tests.simulation.forking import NEVER_ENDED
from tests.simulation.knife import AFTER, BEFORE, CRASH, Point, Strike
from tests.simulation.play import Result


class Brief:
    """Ten points, five of them calls; a promise breaks where its third is struck. Every blow is in the history."""

    broken: tuple[int, ...] = (3,)
    length = 10

    def __init__(self, strike: Strike | None) -> None:
        self.strike = strike
        self.knife = self
        self.points = [
            Point(number, f"{BEFORE if number % 2 else AFTER}cj call {number}") for number in range(1, self.length + 1)
        ]

    def run(self) -> Result:
        struck = [(one, blow) for one in self.points if self.strike and (blow := self.strike(one))]
        schedule = [f"{one.number} {one.label}: {blow}" for one, blow in struck]
        broke = [f"it broke at {one.number}" for one, _ in struck if one.number in self.broken]
        return Result("brief", schedule, broke, history=[f"history of {line}" for line in schedule])


class Fragile(Brief):
    """Whatever strikes it breaks it."""

    broken = tuple(range(1, 11))


class Long(Fragile):
    """Long enough for a second blow."""

    broken, length = tuple(range(1, 401)), 400


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command line, with these lives beside the real ones."""
    lives: dict[str, Any] = {"brief": Brief, "fragile": Fragile, "long": Long}
    for name, life in lives.items():
        monkeypatch.setitem(crash.LIVES, name, life)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(app, list(words))
        return answer.exit_code, answer.output

    return invoke


def test_a_broken_pair_is_made_as_short_as_it_can_be() -> None:
    make: Any = Brief
    pair = crash.run_blows({3: CRASH, 7: "reset_after"}, make)
    assert len(pair.schedule) == 2
    smallest = crash.shortest(pair.schedule, make)
    assert smallest.schedule == ["3 before cj call 3: crash"]
    assert smallest.violations
    assert crash.whole(pair.schedule, make).schedule == pair.schedule


def names(out: Path) -> list[str]:
    return sorted(line.split('"name": "')[1].split('"')[0] for line in out.read_text().splitlines())


@pytest.mark.parametrize(
    ("words", "tried"),
    [
        (["crash", "--from", "4"], [f"crash {number}" for number in (10, 4, 5, 6, 7, 8, 9)]),
        (["crash", "--from", "4", "--seeds", "2"], ["crash 4", "crash 5"]),
        (["crash", "--from", "4", "--seeds", "2", "--step", "3"], ["crash 4", "crash 7"]),
        (["faults", "--from", "4", "--seeds", "2"], ["fault 5 429", "fault 5 500_before"]),
    ],
)
def test_so_many_are_tried_from_the_one_that_is_named_on(
    run: Any, tmp_path: Path, words: list[str], tried: list[str]
) -> None:
    out = tmp_path / "out"
    status, told = run(*words, "--life", "brief", "--out", str(out))
    assert (status, names(out)) == (0, tried)
    assert f"{len(tried)} tried, 0 violations" in told


def test_every_broken_run_is_shown_with_its_whole_history_and_the_first_ones_as_short_as_they_can_be(run: Any) -> None:
    status, told = run("crash", "--life", "fragile")
    assert status == 1
    assert "10 tried, 10 violations" in told
    assert told.count("the shortest history found, of 1 lines: it broke") == SHORTENED
    assert told.count("its history, of 1 lines: it broke") == 10 - SHORTENED
    for point in Fragile(None).points:
        assert f"      history of {point.number} {point.label}: crash\n" in told


def test_a_broken_pair_after_the_first_ones_is_shown_as_it_was(run: Any) -> None:
    status, told = run("pairs", "--life", "long", "--from", "15", "--seeds", str(SHORTENED + 1))
    assert status == 1
    _, _, whole = told.partition("its history, of 2 lines: it broke")
    assert len([line for line in whole.splitlines() if line.startswith("      history of")]) == 2


def test_a_run_that_did_not_end_is_not_played_in_the_process_that_tells_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.simulation.__main__ import _all

    def again(*_: object) -> Result:
        raise AssertionError("it would hang here as well")

    with pytest.raises(SystemExit, match="1"):
        _all([Result("crash 7", [], [NEVER_ENDED]).plain()], None, again)
    assert "--replay plays it once more" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["4", "3:", "x:reset", "3:reset", "x", "11", ":reset_after"])
def test_a_fault_that_no_call_can_meet_is_refused_in_one_sentence(run: Any, given: str) -> None:
    status, told = run("faults", "--life", "brief", "--replay", given)
    assert status == 2
    assert "POINT:FAULT" in told or "has no fault" in told


def test_one_fault_of_a_call_is_played_again_or_every_one_of_them(run: Any) -> None:
    status, told = run("faults", "--life", "brief", "--replay", "5:reset_after")
    assert (status, told.count("every promise kept")) == (0, 1)
    status, told = run("faults", "--life", "brief", "--replay", "3")
    assert (status, told.count("it broke at 3")) == (1, len(crash.faults_of(Point(3, "before cj call 3"))))


def test_seeds_that_were_not_tried_in_time_are_counted_and_end_in_failure(run: Any) -> None:
    status, told = run("swarm", "--seeds", "1", "--within", "0")
    assert status == 1
    assert "0 of the 1 that were asked for were tried: the other 1 were not" in told
