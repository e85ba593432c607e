"""Every command of the runbook is typed, in the order of the book, against the sandbox and a Prefect server."""

from __future__ import annotations

import io
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from deployments.cli import main
from deployments.sandbox.people import Address, Person
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots import clock
from tasks.lots.models import Keyword, Lot
from tests.runbook.test_rows import BOOK, to_type

#: These run until they are ended: they are started, and seen to listen.
ENDLESS = ("webhooks", "sandbox")
#: A doctor without a worker finds one missing; a lot may be past what is asked, which is refused in a sentence;
#: the books may differ for the moment in which a parcel or a refund is under way; and who waits for a second only
#: does not hear of every message that it arrived (tests/flows/test_alerts.py does).
MAY_SAY = {"doctor": {0, 1, 3}, "lot": {0, 2}, "reconcile": {0, 1}, "automations": {0, 1}}
#: Between two polls a person waits for half a minute; a test does not.
LONGEST_WAIT = 1.0
SECOND = 1 / 86_400
FAST = {
    "SOURCING_RUNS_PER_DAY": "20",
    "PAYMENT_REMINDER_DAYS": str(2 * SECOND),
    "PAYMENT_DEADLINE_DAYS": str(5 * SECOND),
}


def in_order() -> list[str]:
    """The book's commands as they come, each once; pauses are ended where they were begun.

    Those that other tests run are in `tests/runbook/rows.py`, with what runs them.
    """
    return sorted((one for one in to_type() if one.startswith("pipeline ")), key=place)


def place(command: str) -> int:
    """Where it stands in the book first, in a line of its own or in a sentence."""
    found = re.search(rf"^{re.escape(command)}$|`{re.escape(command)}`", BOOK, re.MULTILINE)
    assert found, command
    return found.start()


def type_it(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def listens(command: tuple[str, ...]) -> bool:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "deployments.cli", *command, str(port)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            ends = time.monotonic() + 60
            while time.monotonic() < ends and it.poll() is None:
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        return True
                time.sleep(0.1)
            return False
        finally:
            it.terminate()


@pytest.mark.timeout(280)
def test_every_command_of_the_book_does_what_it_says(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect.settings import PREFECT_API_URL

    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody is there to be asked
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    for name, value in FAST.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "prefect.yaml").write_text((Path(__file__).parents[2] / "prefect.yaml").read_text())
    where = Address("Ada Demo", "1 Orchard Row", "Dover", "DE", "19901")
    world.people.add(Person("ada", "Ada Demo", "ada@demo.invalid", "good", where))
    house: Any = world.vendors["basta"]
    house.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
    assert type_it(["source", "--keyword", "phone stand", "--max-cost", "45", "--max-products", "2", "--publish"]) == 0
    assert type_it(["keywords", "add", "--keyword", "desk lamp"]) == 0
    assert type_it(["backup", "--to", str(tmp_path / "copy.sqlite")]) == 0
    with desk().record.read() as session:
        lot = session.scalars(select(Lot).order_by(Lot.id)).first()
        assert lot is not None
        names = {
            "SALE_ID": str(lot.basta_sale_id),
            "LOT_ID": str(lot.id),
            "ID": str(lot.id),
            "KEYWORD_ID": str(session.scalars(select(Keyword.id)).first()),
            "FILE": str(tmp_path / "another.sqlite"),
        }
    with clock.held_by(lambda: datetime.now(UTC), lambda seconds: time.sleep(min(seconds, LONGEST_WAIT))):
        surprises = list(surprising(names, capsys))
    assert surprises == []
    for line in (one for one in to_type() if one.startswith("prefect ")):  # its deployment was made by `pipeline setup`
        command = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def surprising(names: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Type them all; those that ended otherwise than the book says."""
    for line in in_order():
        if (what := line.split()[1]) in ENDLESS:
            assert listens((what, "--port")), line
            continue
        came = type_it([names.get(word, word) for word in shlex.split(line)[1:]])
        if came not in MAY_SAY.get(what, {0}):
            yield f"{line}: exit status {came}: {capsys.readouterr().err[-300:]}"
        if line.startswith("pipeline pause"):
            type_it(["resume", "all"])
