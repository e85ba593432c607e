"""Every row of what must never go wrong has a test, and a newcomer finds it by the row's id."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.scenarios.rows import ROWS, Row

TESTS = Path(__file__).parents[1]
COUNTS = {"B": 14, "C": 10, "R": 8, "L": 11, "W": 10}


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file, and its classes that hold some."""
    tree = ast.parse((TESTS / path).read_text())
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test")]
    return tests | {
        one.name for one in classes if any(getattr(node, "name", "").startswith("test") for node in one.body)
    }


def test_no_row_is_left_out() -> None:
    assert [row[0] for row in ROWS] == [
        f"{part}{number}" for part, most in COUNTS.items() for number in range(1, most + 1)
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_has_tests_that_are_there(row: Row) -> None:
    _, words, tests = row
    assert words
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        assert name in names_in(path), test
