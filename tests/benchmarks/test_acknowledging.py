"""How soon a webhook is answered, its row durable before the answer: 100 a second over real sockets, by database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from deployments.sandbox.run import environment, listen
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tests.deployments.hostile import HEADERS, genuine, signature

A_SECOND, NUMBER, BOUND_MS = 100, 2_000, 50.0
#: Fewer than five seconds apart on each, or the receiver closes them.
CONNECTIONS = 40


def start(url: str, home: Path, port: int) -> subprocess.Popen[bytes]:
    """`pipeline webhooks`, in a process of its own."""
    given = {**environment("http://127.0.0.1:9"), "DATABASE_URL": url, "PIPELINE_HOME": str(home)}
    command = [sys.executable, "-m", "deployments.cli", "webhooks", "--port", str(port)]
    env = {**os.environ, **given, "STRIPE_WEBHOOK_SECRET": "whsec_s"}
    return subprocess.Popen(command, env=env, cwd=Path(__file__).parents[2])


async def send(port: int) -> list[float]:
    """Every one at its own moment, whatever became of the others; milliseconds from that moment to the answer.

    Over bare connections that are kept: a client library's own pool was slower than the receiver.
    """
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await _connected(port))
    began = time.perf_counter() + 0.5

    async def one(number: int) -> float:
        body, due = genuine("stripe", f"{number}"), began + number / A_SECOND
        await asyncio.sleep(due - time.perf_counter())
        reader, writer = await idle.get()
        signed = signature("stripe", body, int(time.time()))
        head = f"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\n{HEADERS['stripe']}: {signed}\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        took = (time.perf_counter() - due) * 1_000
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        idle.put_nowait((reader, writer))
        return took

    took = await asyncio.gather(*(one(number) for number in range(NUMBER)))
    while not idle.empty():
        _, writer = idle.get_nowait()
        writer.close()
        await writer.wait_closed()
    return took


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(1_200):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError("the receiver did not come up")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_the_time_to_an_acknowledgement(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite = f"sqlite:////{tmp_path / 'record.sqlite'}"
    url = sqlite if database == "sqlite" else str(request.getfixturevalue("postgres_url"))
    record = Record(connect(url))
    migrate(record)
    with record.write() as session:
        session.execute(text("delete from inbox"))
    with listen(0) as probe:
        port = probe.getsockname()[1]
    receiver = start(url, tmp_path, port)
    try:
        took = sorted(asyncio.run(send(port)))
    finally:
        receiver.terminate()
        receiver.wait(timeout=15)
    with record.read() as session:
        assert session.execute(text("select count(*) from inbox")).scalar() == NUMBER
        durable = "synchronous=FULL"
        if database == "postgresql":
            shown = [str(session.execute(text(f"show {name}")).scalar()) for name in ("fsync", "synchronous_commit")]
            assert shown == ["on", "on"]
            durable = "fsync and synchronous_commit on"
    record.close()
    median, high = took[NUMBER // 2], took[int(NUMBER * 0.99)]
    with capsys.disabled():
        print(
            f"\n{database} ({durable}): {NUMBER} at {A_SECOND} a second, median {median:.1f} ms, p99 {high:.1f} ms, "
            f"longest {took[-1]:.1f} ms; load {os.getloadavg()[0]:.1f}"
        )
    if database == "postgresql":
        assert high <= BOUND_MS
