"""Stripe's form encoding: `lines[0][metadata][lot_id]=7` becomes nested values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_PART = re.compile(r"\[([^\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested dictionaries; those whose keys count up from 0 become lists."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head, _, _rest = name.partition("[")
        way = [head, *_PART.findall(name)]
        at = root
        for step in way[:-1]:
            at = at.setdefault(step, {})
        last = way[-1] or str(len(at))
        at[last] = value
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    places = [str(at) for at in range(len(inner))]
    if inner and set(inner) == set(places):
        return [inner[place] for place in places]
    return inner


def flag(value: Any) -> bool:
    """A boolean as it travels."""
    return str(value).lower() == "true"
