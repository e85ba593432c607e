"""Who does not finish what he began to send is hung up on, and keeps no line from the vendors."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from deployments import listening
from deployments.webhooks import LARGEST_BODY, receiver
from tasks.lots.engine import Record
from tests.deployments.serving import served
from tests.deployments.test_webhooks import KNOWN, STRIPE, signed

SECONDS = 0.6
POST = b"POST /webhooks/stripe HTTP/1.1\r\nhost: receiver.invalid\r\n"


@pytest.fixture
def address(sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    monkeypatch.setattr(listening, "REQUEST_SECONDS", SECONDS)
    with served(receiver(KNOWN, sqlite_record)) as url:
        yield url


def held_for(address: str, said: bytes, byte: bytes = b"") -> float:
    """How long a line lives on which this is said, and then a byte at a time, or nothing."""
    where = urlsplit(address)
    began = time.monotonic()  # before the receiver can know of the line
    with socket.create_connection((where.hostname, where.port), timeout=0.1) as line:
        line.sendall(said)
        while time.monotonic() - began < 10:
            try:
                line.sendall(byte)
                if line.recv(65_536) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("said", "byte"),
    [
        (b"", b""),
        (POST, b""),
        (POST + b"x-slow: ", b"x"),
        (POST + b"content-length: 1000\r\n\r\n", b"x"),
        (POST + f"content-length: {LARGEST_BODY + 9}\r\n\r\n".encode(), b"x"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET ", b""),
    ],
    ids=["nothing", "half a head", "a slow head", "a slow body", "a body refused", "half of a second request"],
)
def test_a_line_on_which_no_request_ends_is_cut(address: str, said: bytes, byte: bytes) -> None:
    if said.startswith(b"GET"):  # uvicorn's own pause between two requests
        assert held_for(address, said, byte) < 8
    else:
        assert SECONDS <= held_for(address, said, byte) < SECONDS + 1.5


def test_a_vendor_who_asks_again_and_again_on_one_line_is_not_cut(address: str) -> None:
    async def go() -> list[int]:
        async with httpx.AsyncClient(base_url=address) as http:
            came = []
            for _ in range(6):  # longer than any one request may take
                answer = await http.post("/webhooks/stripe", content=STRIPE, headers=signed("stripe", STRIPE))
                came.append(answer.status_code)
                await asyncio.sleep(SECONDS / 3)
            return came

    began = time.monotonic()
    assert asyncio.run(go()) == [200] * 6
    assert time.monotonic() - began > SECONDS


def test_a_socket_of_another_protocol_is_only_another_request(address: str) -> None:
    upgrade = {
        "connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert httpx.get(f"{address}/webhooks/stripe", headers=upgrade).status_code == 405
