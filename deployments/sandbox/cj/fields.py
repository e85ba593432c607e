"""Named values of a request, read strictly: what CJ does not document, it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from deployments.sandbox.cj.envelope import EMPTY_PARAM, PARAM_ERROR, Refusal
from deployments.sandbox.wire import Request

WRONG_CONTENT_TYPE, BODY_MISSING, BAD_JSON = 16900203, 16900204, 16900205


def param_error(name: str) -> Refusal:
    """A value of the wrong type, length or range, or a name nobody documented."""
    return Refusal(PARAM_ERROR, f"Param error, {name}")


class Fields:
    """Values by name. Everything not allowed is refused at once.

    Raises:
        Refusal: 16900403 for a required value that is missing or empty, 1600300 for any other fault.
    """

    def __init__(self, values: Mapping[str, Any], allowed: Collection[str]) -> None:
        unknown = sorted(set(values) - set(allowed))
        if unknown:
            raise param_error(unknown[0])
        self.values = values

    def text(self, name: str, limit: int = 200) -> str:
        """A required text."""
        value = self.maybe_text(name, limit)
        if not value:
            raise Refusal(EMPTY_PARAM, f"{name} must not be empty")
        return value

    def maybe_text(self, name: str, limit: int = 200) -> str:
        """A text, or nothing."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > limit:
            raise param_error(name)
        return value.strip()

    def whole(self, name: str, *, among: Collection[int] | None = None, low: int = 0, high: int = 10**9) -> int | None:
        """A whole number, or None; query parameters carry it as text."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and value.lstrip("-").isdecimal() and isinstance(self, Query):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise param_error(name)
        if not low <= value <= high or (among is not None and value not in among):
            raise param_error(name)
        return value

    def required_whole(self, name: str, *, low: int = 0, high: int = 10**9) -> int:
        """A whole number that must be there."""
        value = self.whole(name, low=low, high=high)
        if value is None:
            raise Refusal(EMPTY_PARAM, f"{name} must not be empty")
        return value

    def cents(self, name: str) -> int | None:
        """A price in dollars, as cents; None when it is not given."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise param_error(name)
        try:
            return int(Decimal(str(value)) * 100)
        except (InvalidOperation, OverflowError, ValueError):
            raise param_error(name) from None

    def rows(self, name: str, *, most: int = 100) -> list[Any]:
        """A list with something in it."""
        value = self.values.get(name)
        if value is None or value == []:
            raise Refusal(EMPTY_PARAM, f"{name} must not be empty")
        if not isinstance(value, list) or len(value) > most:
            raise param_error(name)
        return value

    def texts(self, name: str, *, most: int = 100) -> list[str]:
        """A list of texts with something in it."""
        rows = self.rows(name, most=most)
        if not all(isinstance(one, str) and one for one in rows):
            raise param_error(name)
        return rows


class Query(Fields):
    """The query string; names in `many` may come several times or joined by commas."""

    def __init__(self, request: Request, allowed: Collection[str], many: Collection[str] = ()) -> None:
        names = Counter(key for key, _ in request.query)
        twice = [name for name, times in names.items() if times > 1 and name not in many]
        if twice:
            raise param_error(twice[0])
        super().__init__(dict(request.query), {*allowed, *many})
        self._request = request

    def many(self, name: str) -> list[str]:
        """All values of a name that may repeat."""
        return [part for value in self._request.params(name) for part in value.split(",") if part]

    def features(self, known: Collection[str]) -> set[str]:
        """The flags asked for."""
        asked = set(self.many("features"))
        if asked - set(known):
            raise param_error("features")
        return asked


def body(request: Request, allowed: Collection[str]) -> Fields:
    """The JSON object of a request.

    Raises:
        Refusal: 16900203 wrong content type, 16900204 no body, 16900205 no JSON, 1600300 anything odd in it.
    """
    if not request.body:
        raise Refusal(BODY_MISSING, "Required request body is missing")
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise Refusal(WRONG_CONTENT_TYPE, "Content type not supported")
    try:
        values = request.json()
    except ValueError:
        raise Refusal(BAD_JSON, "JSON parse error") from None
    if not isinstance(values, dict):
        raise Refusal(BAD_JSON, "JSON parse error")
    return Fields(values, allowed)


def inner(value: Any, allowed: Collection[str], name: str) -> Fields:
    """An object inside the body."""
    if not isinstance(value, dict):
        raise param_error(name)
    return Fields(value, allowed)
