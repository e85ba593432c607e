"""CJ's tokens: one file for all processes, refreshed a day early, and one login in 300 seconds."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import respx
from pydantic import SecretStr

from tasks.clients.cj import Cj, TokenFile
from tests.clients.conftest import TOKEN, URL, Wall

LOGIN, REFRESH = f"{URL}/authentication/getAccessToken", f"{URL}/authentication/refreshAccessToken"
ENDS = datetime(2026, 12, 8, 4, tzinfo=UTC)  # noon in China


@pytest.fixture
def line(login: respx.MockRouter) -> respx.MockRouter:
    """A line at which the balance is told, and a refresh gives a pair of its own, without the openId."""
    later = {**TOKEN, "accessToken": "tok_b", "accessTokenExpiryDate": "2026-12-23T12:00:00+08:00"}
    del later["openId"]
    login.post(REFRESH).mock(return_value=httpx.Response(200, json={"code": 200, "data": later}))
    told = httpx.Response(200, json={"code": 200, "data": {"amount": 1}})
    login.get(f"{URL}/shopping/pay/getBalance").mock(return_value=told)
    return login


def asked(line: respx.MockRouter, url: str) -> int:
    return sum(str(call.request.url) == url for call in line.calls)


def token_used(line: respx.MockRouter) -> str:
    return str(line.calls.last.request.headers["CJ-Access-Token"])


def another(tmp_path: Path, wall: Wall) -> Cj:
    """The same account in another process: it shares no more than the file."""
    tokens = TokenFile(tmp_path / "token.json", wall.now)
    return Cj(
        httpx.Client(),
        api_key=SecretStr("hush"),
        base_url=URL,
        tokens=tokens,
        pace=lambda: None,
        seen=lambda _: None,
    )


def test_a_token_is_refreshed_a_day_before_it_ends_and_not_earlier(cj: Cj, line: respx.MockRouter, wall: Wall) -> None:
    cj.balance()
    wall.at = ENDS - timedelta(days=1, seconds=1)
    cj.balance()
    assert (asked(line, REFRESH), token_used(line)) == (0, "tok_a")
    wall.at += timedelta(seconds=1)
    cj.balance()
    assert (asked(line, REFRESH), token_used(line)) == (1, "tok_b")
    assert asked(line, LOGIN) == 1
    assert cj.open_id() == "9"  # which a refresh does not tell


def test_when_the_refresh_token_is_over_too_it_is_a_login(cj: Cj, line: respx.MockRouter, wall: Wall) -> None:
    cj.balance()
    wall.at = datetime(2027, 5, 22, 4, tzinfo=UTC)
    fresh = {**TOKEN, "accessToken": "tok_c", "accessTokenExpiryDate": "2027-06-06T12:00:00+08:00"}
    line.post(LOGIN).mock(return_value=httpx.Response(200, json={"code": 200, "data": fresh}))
    cj.balance()
    assert (asked(line, REFRESH), asked(line, LOGIN), token_used(line)) == (0, 2, "tok_c")


def test_a_refresh_that_cj_refuses_is_followed_by_a_login(cj: Cj, line: respx.MockRouter, wall: Wall) -> None:
    cj.balance()
    wall.at = ENDS - timedelta(hours=1)
    no = {"code": 1600003, "result": False, "message": "refresh token is failure", "data": None}
    line.post(REFRESH).mock(return_value=httpx.Response(200, json=no))
    cj.balance()
    assert (asked(line, REFRESH), asked(line, LOGIN)) == (1, 2)


def test_processes_that_begin_together_log_in_once(line: respx.MockRouter, wall: Wall, tmp_path: Path) -> None:
    begin = threading.Barrier(6)

    def slowly(_: httpx.Request) -> httpx.Response:
        time.sleep(0.1)  # long enough for all of them to find no token
        return httpx.Response(200, json={"code": 200, "data": TOKEN})

    line.post(LOGIN).mock(side_effect=slowly)

    def work() -> None:
        one = another(tmp_path, wall)
        begin.wait()
        one.balance()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked(line, LOGIN) == 1
    assert asked(line, f"{URL}/shopping/pay/getBalance") == 6


@pytest.mark.parametrize("text", ["", "{", "[]", '{"access": "a"}'], ids=["empty", "cut", "no object", "too little"])
def test_a_broken_file_counts_as_none(line: respx.MockRouter, wall: Wall, tmp_path: Path, text: str) -> None:
    (tmp_path / "token.json").write_text(text)
    another(tmp_path, wall).balance()
    another(tmp_path, wall).balance()
    assert asked(line, LOGIN) == 1
