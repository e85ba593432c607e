"""The control API over a real socket: everything it shows can be shown."""

from __future__ import annotations

import socket

import httpx
import pytest

from deployments.sandbox.run import build_world, in_thread, listen


@pytest.mark.parametrize("what", ["calls", "mails", "alerts", "state"])
def test_everything_can_be_shown_also_after_an_order_was_paid(what: str) -> None:
    world = build_world()
    with in_thread(world) as url:
        cj = world.vendors["cj"]
        cj.top_up(100)  # type: ignore[attr-defined] # a movement of the purse, with its time
        answer = httpx.get(f"{url}/control/{what}", timeout=5)
    assert answer.status_code == 200, answer.text


def test_what_nobody_can_show_is_a_sentence_and_400() -> None:
    with in_thread(build_world()) as url:
        answer = httpx.get(f"{url}/control/nothing", timeout=5)
    assert answer.status_code == 400
    assert "nothing" in answer.json()["error"]


def test_no_answer_is_kept_back_as_a_socket_of_no_named_protocol_does() -> None:
    with listen(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio turns Nagle's delay off for these alone
