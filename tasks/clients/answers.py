"""Vendors' JSON, with texts that every database and every channel can keep."""

from __future__ import annotations

import json
from typing import Any

NUL = "\x00"  # PostgreSQL keeps none


def loads(body: bytes | str, **how: Any) -> Any:
    """JSON in which half an emoji, as left where somebody cut a title by its length, has become a question mark.

    Raises:
        ValueError: it is none.
    """
    return _kept(json.loads(body, **how))


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and NUL not in value else _text(value)
    if isinstance(value, dict):
        return {_kept(name): _kept(one) for name, one in value.items()}
    return [_kept(one) for one in value] if isinstance(value, list) else value


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace(NUL, "")
