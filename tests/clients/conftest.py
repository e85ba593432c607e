"""CJ at the other end of a respx line, with a login that lasts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from tasks.clients.cj import Cj, TokenFile, Usage

URL = "https://cj.invalid/api2.0/v1"
TOKEN: dict[str, Any] = {
    "openId": 9,
    "accessToken": "tok_a",
    "accessTokenExpiryDate": "2026-12-08T12:00:00+08:00",
    "refreshToken": "tok_r",
    "refreshTokenExpiryDate": "2027-05-22T12:00:00+08:00",
}


class Wall:
    """A clock on the wall."""

    at = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def seen() -> list[Usage]:
    """Every call that was made, as the record is told of it."""
    return []


@pytest.fixture
def login() -> Iterator[respx.MockRouter]:
    """The line to CJ, at whose end somebody lets us in; all else is the test's."""
    with respx.mock(assert_all_called=False) as router:
        answer = httpx.Response(200, json={"code": 200, "result": True, "data": TOKEN})
        router.post(f"{URL}/authentication/getAccessToken").mock(return_value=answer)
        yield router


@pytest.fixture
def cj(login: respx.MockRouter, wall: Wall, seen: list[Usage], tmp_path: Path) -> Cj:
    return Cj(
        httpx.Client(),
        api_key=SecretStr("hush"),
        base_url=URL,
        tokens=TokenFile(tmp_path / "token.json", wall.now),
        pace=lambda: None,
        seen=seen.append,
    )
