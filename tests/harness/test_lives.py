"""The lives that are struck: together they have every kind of effect, and what our code falls over is a violation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tasks.lots.records import Effect
from tests.simulation import __main__ as commands
from tests.simulation.crash import LIVES
from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import Point
from tests.simulation.play import Play, Scripted
from tests.simulation.unlucky import Unlucky

TASKS = Path(__file__).parents[2] / "tasks"
PLANNED = re.compile(r'(?:plan\(session, |settle\(|perform\(|\bkey = )f?"([a-z-]+)(?=[:"])')
#: What looks alike: an incident, and what an operator does at Basta, which is adopted and never done by us.
NOT_OURS = {"late", "edit"}
#: Calls that only the unlucky life makes.
RARE = (
    "basta removeItemFromSale",
    "cj DELETE /shopping/order/deleteOrder",
    "stripe POST /v1/customers/{id}",
    "alerts POST discord",
)
#: The deed is done and nobody heard; `python -m tests.simulation crash|faults --life unlucky` has all the rest.
UNHEARD = "timeout_after"


def kinds_in(play: Play) -> set[str]:
    """Every kind of effect that it has, when it was played."""
    found: set[str] = set()
    ended = play.ended

    def noting() -> list[str]:
        with play.record.read() as session:
            found.update(session.scalars(select(Effect.kind)))
        return ended()

    vars(play)["ended"] = noting
    result = play.run()
    assert result.kept, result.violations
    return found


def test_no_kind_of_effect_is_without_a_life_in_which_it_is_struck() -> None:
    texts = (path.read_text() for path in TASKS.rglob("*.py"))
    planned = {kind for text in texts for kind in PLANNED.findall(text)} - NOT_OURS
    assert {"sale", "cj-delete", "unlist", "place", "refund", "mail"} <= planned
    struck: set[str] = set()
    for make in LIVES.values():
        if planned - struck:
            struck |= kinds_in(make(None))
    assert planned - struck == set()


def test_the_calls_that_only_the_unlucky_make_are_struck_and_nothing_happens_twice() -> None:
    met: set[str] = set()

    def jobs(point: Point) -> list[Job]:
        if point.call not in RARE or point.call in met:
            return []
        met.add(point.call)
        return [Job(f"{point.call} {UNHEARD}", UNHEARD)]

    struck = list(Explorer(Unlucky, jobs).results())
    assert {one["name"] for one in struck} == {f"{call} {UNHEARD}" for call in RARE}
    assert [(one["name"], one["violations"]) for one in struck if one["violations"]] == []
    assert all(one["lots"] == {"CANCELLED": 2, "DELIVERED": 1} for one in struck)


class Clumsy(Scripted):
    """A life in which our own code falls over once, where a vendor's answer is read."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1

    def _after(self, label: str) -> None:
        super()._after(label)
        if self.left and label == "cj POST /shopping/order/getOrderDetailBatch":
            self.left = 0
            raise KeyError("amount")


def test_what_our_own_code_falls_over_is_a_violation_though_the_next_cycle_heals_it() -> None:
    result = Clumsy().run()
    assert result.violations == ["it fell over: KeyError: 'amount'"]


@pytest.mark.parametrize("command", ["crash", "faults", "pairs"])
def test_a_life_that_nobody_wrote_is_refused_in_one_sentence(command: str) -> None:
    answer: Any = CliRunner().invoke(commands.app, [command, "--life", "charmed"])
    assert answer.exit_code == 2
    assert "scripted, unlucky, attended or compared" in answer.output
