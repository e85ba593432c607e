"""The harness sees: bugs that are planted on purpose break a promise, and the product without them keeps it.

Only a few here; `python -m tests.simulation mutants` plants them all.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutants import hunting, planting
from tests.simulation.mutants.planting import Cut, Mutant, Stale

QUICK = {one.name: one for one in hunting.ALL}
BY_NAME = ("whole-invoice-refunded", "sale-not-found-again", "refunded-while-the-order-lives")


def test_bugs_that_are_planted_are_found_and_the_product_keeps_the_same_seeds() -> None:
    mutants: list[Mutant] = [QUICK[name] for name in BY_NAME]
    found = list(hunting.hunt(mutants, seeds=3, at_once=1))
    assert {one["name"] for one in found if not one.get("control") and one["violations"]} == set(BY_NAME)
    assert [one["violations"] for one in found if one.get("control")] == [[], [], []]


@pytest.mark.parametrize("mutant", hunting.ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_still_fits_the_product(mutant: Mutant) -> None:
    for text in planting.fitted(mutant.cuts).values():
        compile(text, mutant.name, "exec")


def test_names_are_unique_and_at_least_forty() -> None:
    assert len(QUICK) == len(hunting.ALL) >= 40


def test_words_that_the_product_does_not_have_are_refused() -> None:
    with pytest.raises(Stale, match="0 times"):
        planting.fitted((Cut("tasks.lots.effects:perform", "nobody wrote this", ""),))
