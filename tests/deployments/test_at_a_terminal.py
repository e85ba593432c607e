"""Asked at a terminal: a real one, as the kernel makes it, with its Ctrl-C and its Ctrl-D."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select as rows

from tasks.lots.engine import Record, connect
from tasks.lots.models import Keyword, Lot
from tasks.lots.records import Approval
from tasks.lots.states import LotStatus
from tasks.settings import Settings
from tests.builders import make_lot

#: Takes the terminal as its own, which is what makes Ctrl-C a signal; one process for all of a test's commands.
COMMANDS = """import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from deployments.cli import main
while words := sys.stdin.readline().split("|"):
    try:
        main([word.strip() for word in words])
    except SystemExit as ended:
        print("status", ended.code, flush=True)"""
DEAD = "http://127.0.0.1:1"
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A person's: what is typed, and what is read."""

    def __init__(self, env: dict[str, str]) -> None:
        self.keyboard, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", COMMANDS],
            stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        """Once it waits for a key: Python misses a Ctrl-C between its prompt and its waiting, until the next key."""
        while Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "S":
            time.sleep(0.01)
        os.write(self.keyboard, keys)

    def read_until(self, words: str, patience: float = 60) -> str:
        """All that was shown up to these words and the rest of their line."""
        shown, ends = "", time.monotonic() + patience
        while words not in shown:
            left = ends - time.monotonic()
            ready, _, _ = select.select([self.keyboard], [], [], max(left, 0))
            assert ready, f"{words!r} was not shown: {shown}"
            shown += os.read(self.keyboard, 65_536).decode(errors="replace")
        return shown

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # and a Prefect server that it may have started
        self._process.wait()
        os.close(self.keyboard)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    ours = {str(field.alias) for field in Settings.model_fields.values()}
    env = {name: value for name, value in os.environ.items() if name not in ours}
    vendors = {name: DEAD for name in ("CJ_API_URL", "BASTA_API_URL", "STRIPE_API_URL", "RESEND_API_URL")}
    keys = {"CJ_API_KEY": "k", "ACCOUNT_ID": "a", "API_KEY": "k", "STRIPE_SECRET_KEY": "sk_test_x"}
    prefect = {"PREFECT_API_URL": f"{DEAD}/api", "PREFECT_HOME": str(tmp_path / "prefect")}
    at = Terminal({**env, **vendors, **keys, **prefect, "PIPELINE_HOME": str(tmp_path), "COLUMNS": "200"})
    yield at
    at.close()


@contextmanager
def its_record(home: Path) -> Iterator[Record]:
    record = Record(connect(f"sqlite:///{home / 'pipeline.sqlite'}"))
    yield record
    record.close()


def asked(home: Path) -> list[tuple[str, int | None, str]]:
    """Every question: its state, what was granted, and who answered."""
    with its_record(home) as record, record.read() as session:
        return [
            (one.state, one.granted_cents, one.answered_by or "")
            for one in session.scalars(rows(Approval).order_by(Approval.id))
        ]


def test_a_dear_run_is_asked_for_and_ctrl_c_ctrl_d_no_and_yes_each_mean_what_they_say(
    terminal: Terminal, tmp_path: Path
) -> None:
    def ask(keyword: str) -> None:
        terminal.type(f"source | --keyword | {keyword} | --max-cost | 60\n".encode())
        terminal.read_until("allowed? [y/N]: ")

    for key in (CTRL_C, CTRL_D):
        ask("usb hub")
        terminal.type(key)
        said = terminal.read_until("status 1")
        assert "Awaiting approval: $60.00 a product is above $50.00" in said
        assert "Traceback" not in said
        assert asked(tmp_path) == [("ASKED", None, "")]  # one question, and it waits
    ask("usb hub")
    terminal.type(b"maybe\n")
    terminal.read_until("allowed? [y/N]: ")  # asked again
    terminal.type(b"n\n")
    assert "said no to $60.00 a product for 'usb hub'" in terminal.read_until("status 2")
    ((state, granted, by),) = asked(tmp_path)
    assert (state, granted) == ("NO", None)
    assert by.endswith(" at a terminal")
    ask("phone case")
    terminal.type(b"y\n")
    said = terminal.read_until("status 1")  # there is no server here, which is said too
    assert "no Prefect server answers there" in said
    assert "Traceback" not in said
    assert [one[:2] for one in asked(tmp_path)] == [("NO", None), ("USED", 6_000)]


def test_a_copy_is_put_back_only_by_a_yes(terminal: Terminal, tmp_path: Path) -> None:
    def words() -> list[str]:
        with its_record(tmp_path) as record, record.read() as session:
            return list(session.scalars(rows(Keyword.keyword).order_by(Keyword.id)))

    terminal.type(b"keywords | add | --keyword | before\n")
    terminal.read_until("status 0")
    terminal.type(f"backup | --to | {tmp_path / 'copy'}\n".encode())
    terminal.read_until("status 0")
    terminal.type(b"keywords | add | --keyword | since\n")
    terminal.read_until("status 0")
    for keys in (CTRL_C, CTRL_D, b"n\n", b"\n"):
        terminal.type(f"restore | --from | {tmp_path / 'copy'}\n".encode())
        terminal.read_until("at the vendors. [y/N]: ")
        terminal.type(keys)
        said = terminal.read_until("status 1")
        assert "othing was done." in said
        assert "Traceback" not in said
        assert words() == ["before", "since"]
    assert list(tmp_path.glob("backups/*")) == []
    terminal.type(f"restore | --from | {tmp_path / 'copy'}\n".encode())
    terminal.read_until("at the vendors. [y/N]: ")
    terminal.type(b"y\n")
    assert "Next: pipeline reconcile" in terminal.read_until("status 0")
    assert words() == ["before"]
    assert len(list(tmp_path.glob("backups/before-restore-*"))) == 1


def test_an_address_is_asked_for_part_by_part_and_set_only_when_all_is_said(
    terminal: Terminal, tmp_path: Path, migrated_file: Path
) -> None:
    shutil.copy(migrated_file, tmp_path / "pipeline.sqlite")
    with its_record(tmp_path) as record, record.write() as session:
        lot = make_lot(session, LotStatus.PAID, hold_reason="no address").id

    def where() -> tuple[str | None, object]:
        with its_record(tmp_path) as record, record.read() as session:
            found = session.get_one(Lot, lot)
            return found.hold_reason, (found.ship_to or {}).get("line1")

    def answer(*parts: str) -> None:
        asked_for = ["Name: ", "Street and number: ", "City: ", "Postal code: ", "Country (two letters): "]
        if parts[0] == "":
            asked_for.insert(0, "Name: ")  # an empty part is asked for again
        terminal.type(f"lot | address | {lot} | --province | DE\n".encode())
        for what, part in zip(asked_for, parts, strict=False):
            terminal.read_until(what)
            terminal.type(f"{part}\n".encode())
        if len(parts) < len(asked_for):
            terminal.read_until(asked_for[len(parts)])

    for key in (CTRL_C, CTRL_D):
        answer("Ada Brook", "1 Orchard Row")
        terminal.type(key)
        said = terminal.read_until("status 1")
        assert "Nobody answered, so nothing was done." in said
        assert "Traceback" not in said
        assert where() == ("no address", None)
    answer("Ada Brook", "1 Orchard Row", "Dover", "19901", "Utopia")
    assert "two letters" in terminal.read_until("status 2")
    assert where() == ("no address", None)
    answer("", "Ada Brook", "1 Orchard Row", "Dover", "19901", "us")
    said = terminal.read_until("status 0")
    assert "its shipping address is set, and its wait for one ends" in said
    assert where() == (None, "1 Orchard Row")
