"""Whether sourcing does its work: a run that fails, or lists nothing, is told of, and so is the next good one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.schemas.objects import State

from tasks.desk import desk
from tasks.lots import incidents
from tasks.lots.incidents import Trouble

KEY = "sourcing:run"
See = Callable[[State[Any]], State[Any]]


@contextmanager
def sourcing_watched(*, unless: tuple[type[Exception], ...]) -> Iterator[See]:
    """Report how a sourcing run ends; gives the function that looks at its final state.

    Args:
        unless: errors that are answers to whoever asked, and no failures.
    """
    try:
        yield _see
    except unless:
        raise
    except Exception as error:
        _report("Sourcing failed", f"{error}. The same command goes on with the unfinished run.", "pipeline source")
        raise


def _see(state: State[Any]) -> State[Any]:
    if state.is_failed():
        _report("Sourcing listed nothing", f"{state.message}: the run's log has the reasons.", "pipeline keywords list")
    elif state.is_completed():
        with desk().record.write() as session:
            incidents.over(session, KEY)
    return state


def _report(title: str, text: str, command: str) -> None:
    with desk().record.write() as session:
        incidents.report(session, Trouble(KEY, "sourcing", "MEDIUM", title, text, command))
