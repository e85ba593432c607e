"""Commands about one lot, one question and one word, through their real entry point."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tasks.desk import prepare
from tasks.handling import CANCELLING, Way
from tasks.lots import approvals, keywords
from tasks.lots.clock import now
from tasks.lots.columns import Base
from tasks.lots.engine import Record
from tasks.lots.models import Lot, Sale
from tasks.lots.records import Stamp
from tasks.lots.states import LotStatus
from tasks.settings import Settings
from tests.builders import make_lot
from tests.deployments.test_cli import run


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    keys = "CJ_API_KEY=k\nACCOUNT_ID=a\nAPI_KEY=k\nSTRIPE_SECRET_KEY=sk_test_x\n"
    (tmp_path / ".env.local").write_text(keys)
    return prepare(Settings.load())


def lot_in(record: Record, status: LotStatus = LotStatus.SOURCED, **values: object) -> int:
    with record.write() as session:
        lot = make_lot(session)
        lot.status = status
        for name, value in values.items():
            setattr(lot, name, value)
        return lot.id


def status_of(record: Record, lot_id: int) -> LotStatus:
    with record.read() as session:
        return session.get_one(Lot, lot_id).status


def test_a_dry_cycle_tells_what_comes_next_for_each_open_lot(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = lot_in(record, LotStatus.PAID)
    lot_in(record, LotStatus.DELIVERED)
    assert run("process", "--dry-run") == 0
    told = capsys.readouterr().out
    assert told.startswith("Dry run, no call was made. 1 lots are open.\n")
    assert f"Lot {paid} is PAID: it is ordered at CJ" in told
    assert status_of(record, paid) is LotStatus.PAID


def test_a_vendor_that_is_away_is_one_sentence_and_the_sale_stays(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("CJ", "BASTA", "STRIPE", "RESEND")
    away = "".join(f"{name}_API_URL=http://127.0.0.1:1\n" for name in names)
    with (tmp_path / ".env.local").open("a") as local:
        local.write(f"{away}DATABASE_URL=sqlite:///other.sqlite\n")
    other = prepare(Settings.load())
    with other.write() as session:
        sale = Sale(title="a sale", basta_sale_id="sale-1", created_at=now())
        session.add(sale)
        session.flush()
        make_lot(session, LotStatus.LISTED, sale_id=sale.id, basta_sale_id="sale-1", basta_item_id="item-1")
    assert run("publish", "--sale-id", "sale-1") == 1
    told = capsys.readouterr()
    assert told.err.startswith("Not published: Basta")
    assert (told.err.count("\n"), told.out) == (1, "")


def ask(record: Record) -> int:
    with record.write() as session:
        return approvals.ask(
            session,
            "cost:usb hub:8000",
            kind="cost",
            question="Source 'usb hub' up to $80.00 a product?",
            reason="It is dear.",
            amount_cents=8_000,
            facts={"keyword": "usb hub", "max_cost": 80.0, "max_products": 2, "publish": True},
            lasts=timedelta(hours=24),
        ).id


ADDRESS = ("--name", "Ada", "--line1", "7 Secret Lane", "--city", "Springfield", "--zip", "62701", "--country", "US")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("lot", "show", "99"), "no lot has the id 99"),
        (("lot", "show", "x"), "'x' is no id"),
        (("lot", "cancel", "99"), "no lot has the id 99"),
        (("lot", "retry", "99", "--dry-run"), "no lot has the id 99"),
        (("lot", "refund", "1"), "nobody has paid for it"),
        (("lot", "retry", "1"), "nothing holds it"),
        (("lot", "address", "1", *ADDRESS), "between its sale and its order"),
        (("lot", "address", "1"), "between its sale and its order"),
        (("lot", "address", "99"), "no lot has the id 99"),
        (("approvals", "answer", "9", "--yes"), "no question has the id 9"),
        (("approvals", "answer", "1"), "--yes"),
        (("keywords", "enable", "--id", "9"), "no keyword has the id 9"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_done(
    record: Record, arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = lot_in(record)
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert names in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert "Secret" not in told.err
    assert status_of(record, lot) is LotStatus.SOURCED


def test_an_address_in_no_country_is_refused(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    lot = lot_in(record, LotStatus.PAID)
    assert run("lot", "address", str(lot), *ADDRESS[:-1], "Utopia") == 2
    assert "two letters" in capsys.readouterr().err


def test_a_cancelled_lot_is_shown_before_and_after_and_once(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    lot = lot_in(record)
    assert run("lot", "cancel", str(lot), "--dry-run") == 0
    assert "Dry run, nothing was sent" in capsys.readouterr().out
    assert status_of(record, lot) is LotStatus.SOURCED
    assert run("lot", "cancel", str(lot)) == 0
    assert status_of(record, lot) is LotStatus.CANCELLED
    assert run("lot", "cancel", str(lot)) == 2
    assert "cancelled already" in capsys.readouterr().err


def test_a_dry_run_names_the_call_and_the_key_that_makes_it_happen_once(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    lot = lot_in(record, LotStatus.LISTED, basta_sale_id="sale-1", basta_item_id="item-1")
    assert run("lot", "cancel", str(lot), "--dry-run") == 0
    assert f"1. basta: removeItemFromSale of item-1, once, as unlist:{lot}" in capsys.readouterr().out


def test_a_vendor_that_does_not_say_is_exit_status_1_and_the_lot_stays(
    record: Record, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CJ_API_URL", "BASTA_API_URL", "STRIPE_API_URL", "RESEND_API_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with record.write() as session:
        session.execute(update(Stamp).where(Stamp.name == "mode").values(value="sandbox"))
    lot = lot_in(record, LotStatus.LISTED, basta_sale_id="sale-1", basta_item_id="item-1")
    assert run("lot", "cancel", str(lot)) == 1
    assert capsys.readouterr().err.startswith("Not done: ")
    assert status_of(record, lot) is LotStatus.LISTED


def test_a_lots_story_is_a_page_and_an_object(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    lot = lot_in(record, ship_to={"line1": "7 Secret Lane"})
    assert run("lot", "show", str(lot)) == 0
    page = capsys.readouterr().out
    assert "Timeline" in page
    assert "Next: it is listed at Basta" in page
    assert run("lot", "show", str(lot), "--json") == 0
    text = capsys.readouterr().out
    told = json.loads(text)
    assert (told["id"], told["status"], told["address"]) == (lot, "SOURCED", "known")
    assert "Secret" not in page + text


def test_a_question_is_answered_at_the_terminal_once_and_the_next_command_is_told(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    number = str(ask(record))
    assert run("approvals", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["state"], row["amount_cents"]) == ("ASKED", 8_000)
    assert run("approvals", "answer", number, "--yes", "--amount", "81") == 2
    assert "at most $80.00" in capsys.readouterr().err
    assert run("approvals", "answer", number, "--yes", "--amount", "60") == 0
    told = capsys.readouterr().out
    assert "yes, up to $60.00" in told
    assert "pipeline source --keyword 'usb hub' --max-cost 80 --max-products 2 --publish" in told
    assert run("approvals", "answer", number, "--no") == 2
    assert "was answered before" in capsys.readouterr().err
    assert run("approvals", "list") == 0
    assert "yes" in capsys.readouterr().out


def test_a_word_rests_and_takes_its_turns_again(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    with record.write() as session:
        word = str(keywords.add(session, "usb hub", 2_000).id)

    def active() -> bool:
        assert run("keywords", "list", "--json") == 0
        return bool(json.loads(capsys.readouterr().out)[0]["active"])

    assert run("keywords", "disable", "--id", word, "--dry-run") == 0
    assert "Dry run" in capsys.readouterr().out
    assert active()
    assert run("keywords", "disable", "--id", word) == 0
    capsys.readouterr()
    assert not active()
    assert run("keywords", "disable", "--id", word) == 0
    assert "Nothing changes" in capsys.readouterr().out
    assert run("keywords", "enable", "--id", word) == 0
    capsys.readouterr()
    assert active()


@pytest.mark.parametrize("typed", ["", "y\ny\n"], ids=["end of input", "a yes to no question"])
def test_without_a_terminal_nobody_is_waited_for_and_nothing_is_done(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    lot = lot_in(record, LotStatus.PAID)
    assert run("backup", "--to", str(tmp_path / "copy")) == 0
    late = lot_in(record)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert run("restore", "--from", str(tmp_path / "copy")) == 1
    assert "Without a terminal, --yes must be given.\nNothing was done.\n" in capsys.readouterr().err
    assert status_of(record, late) is LotStatus.SOURCED
    assert run("lot", "address", str(lot)) == 1
    assert "Nobody answered, so nothing was done." in capsys.readouterr().err
    with record.read() as session:
        assert session.get_one(Lot, lot).ship_to is None


def everything(record: Record) -> list[Any]:
    """All rows of all tables."""
    with record.read() as session:
        return [session.execute(select(table)).all() for table in Base.metadata.sorted_tables]


@pytest.mark.parametrize("status", list(LotStatus))
def test_a_dry_run_by_hand_in_any_status_says_what_the_runbook_says_and_touches_nothing(
    record: Record, capsys: pytest.CaptureFixture[str], status: LotStatus
) -> None:
    """Sockets are open to this machine alone, and these vendors are not on it: a call would be an error."""
    lot = str(lot_in(record, status, basta_item_id="item-1", basta_sale_id="sale-1", hold_reason="no address"))
    before = everything(record)
    way, told = CANCELLING[status]
    refused = way is Way.REFUSED
    assert run("lot", "cancel", lot, "--dry-run") == (2 if refused else 0)
    said = capsys.readouterr()
    assert told.removeprefix("refused: ") in " ".join((said.err if refused else said.out).split())
    for words in (("retry", lot), ("refund", lot), ("address", lot, *ADDRESS)):
        assert run("lot", *words, "--dry-run") in (0, 2)
        said = capsys.readouterr()
        assert "Dry run, nothing was sent" in said.out or said.err.count("\n") == 1
        assert "Secret" not in said.out + said.err
    assert everything(record) == before
