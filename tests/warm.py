"""Engines that one record after another uses: what they compiled for the first record they know for the next."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event, make_url

from tasks.lots.engine import connect


class WarmEngine:
    """An engine by our rules, at whichever SQLite file it is pointed at."""

    def __init__(self, parameters: str) -> None:
        self.file, self.parameters = "", parameters
        self.engine: Engine = connect(f"sqlite:///nothing{parameters}")
        event.listen(self.engine, "do_connect", self._open)

    def _open(self, _dialect: Any, _record: Any, given: list[Any], _named: Any) -> None:
        given[0] = self.file + self.parameters.removesuffix("&uri=true")


_idle: list[WarmEngine] = []


def lend(file: str, parameters: str = "") -> WarmEngine:
    """An engine at this file, which nobody else has."""
    warm = next((one for one in _idle if one.parameters == parameters), None) or WarmEngine(parameters)
    if warm in _idle:
        _idle.remove(warm)
    warm.file, warm.engine.url = file, make_url(f"sqlite:///{file}{parameters}")
    return warm


def give_back(warm: WarmEngine) -> None:
    """Let go of the file; the engine waits for the next one."""
    warm.engine.dispose()
    _idle.append(warm)
