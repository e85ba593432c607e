"""SQLite's values on their way to a server and back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tasks.lots.hrana.errors import DataError, InterfaceError
from tasks.lots.hrana.values import decode, encode


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(None, {"type": "null"}, id="nothing"),
        pytest.param(7, {"type": "integer", "value": "7"}, id="integer as text"),
        pytest.param(2**53 + 1, {"type": "integer", "value": "9007199254740993"}, id="beyond a float's reach"),
        pytest.param(-(2**63), {"type": "integer", "value": "-9223372036854775808"}, id="the smallest"),
        pytest.param(1.5, {"type": "float", "value": 1.5}, id="float"),
        pytest.param("café", {"type": "text", "value": "café"}, id="text"),
        pytest.param("", {"type": "text", "value": ""}, id="no text"),
        pytest.param(b"\x00\x01\xfe\xff", {"type": "blob", "base64": "AAH+/w"}, id="blob without padding"),
        pytest.param(b"", {"type": "blob", "base64": ""}, id="no bytes"),
    ],
)
def test_a_value_comes_back_as_it_went(value: Any, told: dict[str, Any]) -> None:
    assert encode(value) == told
    back = decode(json.loads(json.dumps(told)))
    assert (back, type(back)) == (value, type(value))


def test_padding_that_a_server_sends_is_no_harm() -> None:
    assert decode({"type": "blob", "base64": "AAECAw=="}) == b"\x00\x01\x02\x03"


def test_a_truth_is_one_or_nothing_as_in_sqlite() -> None:
    assert [encode(True), encode(False)] == [{"type": "integer", "value": "1"}, {"type": "integer", "value": "0"}]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("nan"), float("inf"), float("-inf")])
def test_a_number_that_cannot_be_kept_is_refused_before_it_is_sent(value: float) -> None:
    with pytest.raises(DataError):
        encode(value)


def test_what_sqlite_knows_nothing_of_is_refused() -> None:
    with pytest.raises(InterfaceError, match="cannot hold a datetime"):
        encode(datetime(2026, 1, 1))  # noqa: DTZ001 - any object that is no value


def test_a_kind_that_is_none_is_not_taken_for_nothing() -> None:
    with pytest.raises(InterfaceError, match="'duration'"):
        decode({"type": "duration", "value": 1})
