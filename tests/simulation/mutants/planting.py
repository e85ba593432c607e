"""How a bug is planted: a few words of a function of the product are replaced, in this process alone.

The function keeps its place and its name; only its code is another one. So every module that holds the function
meets the bug, and nothing has to be patched by its path. Plant in a fork: nothing takes a bug out again.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Protocol

from tests.simulation.play import Result


class Scene(Protocol):
    """Where a bug shows: any life that a seed plays."""

    @property
    def name(self) -> str:
        """What happens there."""

    def run(self, seed: int) -> Result:
        """One seed, in this process."""


@dataclass(frozen=True)
class Cut:
    """Words of one function, and what stands there instead; `where` is "tasks.lots.effects:perform"."""

    where: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One bug, what it is in a sentence, and the scene in which it shows."""

    name: str
    says: str
    cuts: tuple[Cut, ...]
    scene: Scene


class Stale(Exception):
    """The product has changed: the words to be replaced do not stand there once."""


def plant(cuts: tuple[Cut, ...]) -> None:
    """Make the product of this process the mutant.

    Raises:
        Stale: the words are not there any more.
    """
    for where, text in fitted(cuts).items():
        _become(function_at(where), text)


def fitted(cuts: tuple[Cut, ...]) -> dict[str, str]:
    """The changed text of each function; nothing is planted.

    Raises:
        Stale: the words are not there, or not once.
    """
    texts = {cut.where: textwrap.dedent(inspect.getsource(function_at(cut.where))) for cut in cuts}
    for cut in cuts:
        if (times := texts[cut.where].count(cut.old)) != 1:
            raise Stale(f"{cut.where} has {times} times {cut.old!r}")
        texts[cut.where] = texts[cut.where].replace(cut.old, cut.new)
    return texts


def function_at(where: str) -> FunctionType:
    """The plain function of this name: a task's, a property's or a method's own."""
    module, _, path = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = getattr(found, "fn", getattr(found, "fget", found))
    function = inspect.unwrap(found)
    assert isinstance(function, FunctionType), where
    return function


def _become(function: FunctionType, text: str) -> None:
    tree = ast.parse(text)
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    flags = __future__.annotations.compiler_flag
    code = compile(tree, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)  # noqa: S102 - the words are ours
    other: Callable[..., Any] = made[definition.name]
    assert isinstance(other, FunctionType)
    function.__code__ = other.__code__
    function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__
