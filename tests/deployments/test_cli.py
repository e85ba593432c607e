"""The commands, through their real entry point: bad input does nothing and says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from deployments.cli import main
from tasks.desk import Desk, prepare, working_at
from tasks.lots.clock import now
from tasks.lots.models import SourcingRun
from tasks.settings import Settings
from tasks.sourcing import runs


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    monkeypatch.chdir("/")
    keys = "CJ_API_KEY=k\nACCOUNT_ID=a\nAPI_KEY=k\nSTRIPE_SECRET_KEY=sk_test_x\n"
    (tmp_path / ".env.local").write_text(keys)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(("source", "--max-cost", "abc"), "'abc'", id="no number"),
        pytest.param(("source", "--max-cost", "nan"), "'nan'", id="nan"),
        pytest.param(("source", "--max-cost", "0"), "more than nothing", id="free"),
        pytest.param(("source", "--max-products", "-1"), "--max-products", id="less than none"),
        pytest.param(("source", "--max-products", "6"), "5 products at most", id="six"),
        pytest.param(("source", "--keyword"), "--keyword", id="a flag without its value"),
        pytest.param(("source", "--keyword", "  "), "empty", id="an empty keyword"),
        pytest.param(("source", "--wrong"), "--wrong", id="an unknown flag"),
        pytest.param(("publish",), "--sale-id", id="what is required"),
        pytest.param(("publish", "--sale-id", "nobody's"), "on record", id="an unknown sale"),
        pytest.param(("monitor", "--sale-id", "x", "--poll-interval", "0"), "--poll-interval", id="no interval"),
        pytest.param(("monitor", "--sale-id", "x", "--until", "never"), "--until", id="an unknown end"),
        pytest.param(("monitor", "--sale-id", "nobody's"), "on record", id="an unknown sale to watch"),
        pytest.param(("process", "--sale-id", "nobody's"), "on record", id="an unknown sale to process"),
        pytest.param(("keywords", "remove", "--id", "9"), "no keyword has the id 9", id="an unknown keyword"),
        pytest.param(("pause", "thinking"), "'thinking'", id="an unknown part of the work"),
        pytest.param(("source", "--max-cost", "10000.01"), "$10,000.00", id="dearer than the run form takes"),
        pytest.param(("source", "--max-cost", "9" * 30), "$10,000.00", id="no database holds it"),
        pytest.param(("source", "--max-products", "2.5"), "'2.5' is not a whole number", id="half a product"),
        pytest.param(("source", "--keyword", "\udcff"), "cannot be printed", id="bytes that are no text"),
        pytest.param(("run", "--keyword", "x" * 201), "200 are the most", id="a keyword without end"),
        pytest.param(("keywords", "add", "--keyword", "a", "--priority", "9" * 20), "--priority", id="a priority"),
        pytest.param(("keywords", "add", "--keyword", "a", "--priority", "-1"), "0 is the least", id="none"),
        pytest.param(("keywords", "remove", "--id", "9" * 20), "is no id", id="an id that no keyword has"),
        pytest.param(("lot", "show", "9" * 20), "is no id", id="an id that no lot has"),
        pytest.param(("lot", "cancel", "0"), "is no id", id="the lot before the first"),
        pytest.param(("approvals", "answer", "9" * 20, "--no"), "is no id", id="an id that no question has"),
        pytest.param(("status", "--sale-id", ""), "--sale-id: it is empty", id="the status of no sale"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_status_2(
    arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert names in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_the_sixth_product_is_refused_whatever_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAX_PRODUCTS_PER_RUN", "10")
    assert run("source", "--max-products", "6") == 2  # the flow would refuse it too, with a run begun
    assert "5 products at most" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("database", "status"),
    [
        pytest.param("sqlite:////nowhere/at/all.sqlite", 1, id="no file"),
        pytest.param("postgresql://nobody:hush@127.0.0.1:1/lots", 1, id="no server"),
        pytest.param("somewhere", 2, id="no address"),
    ],
)
def test_without_a_database_the_status_is_one_object_that_says_why(
    database: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    assert run("status", "--json") == status
    told = capsys.readouterr()
    assert json.loads(told.out)["lots"] == []
    assert json.loads(told.out)["error"] == told.err.strip()
    assert run("keywords", "list", "--json") == status
    assert (capsys.readouterr().out, told.err.count("\n"), "hush" in told.err) == ("", 1, False)


def test_the_object_of_a_status_that_failed_has_every_field(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("status", "--json")
    whole = json.loads(capsys.readouterr().out)
    monkeypatch.setenv("CJ_API_URL", "http://[::1")
    run("status", "--json")
    empty = json.loads(capsys.readouterr().out)
    assert set(empty) - {"error"} == set(whole)
    assert {name: type(value) for name, value in empty.items() if value is not None and name != "error"} == {
        name: type(value) for name, value in whole.items() if name not in ("untold", "mode")
    }


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(("backup", "--to", "/proc/nowhere/x"), "/proc/nowhere/x cannot be written", id="no place for it"),
        pytest.param(("backup", "--to", ""), "empty", id="a copy without a name"),
        pytest.param(("restore", "--from", "/nowhere", "--yes"), "/nowhere is no file", id="no copy"),
        pytest.param(("restore", "--from", " ", "--yes"), "empty", id="the copy without a name"),
        pytest.param(("report", "--out", "/dev/null"), "/dev/null", id="no folder"),
        pytest.param(("report", "--since", "2026-13-01"), "no day", id="a thirteenth month"),
        pytest.param(("webhooks", "--port", "0"), "1 is the least", id="no port"),
        pytest.param(
            ("webhooks", "--host", "203.0.113.1"), "nobody can listen at 203.0.113.1", id="somebody's address"
        ),
        pytest.param(("sandbox", "--port", "65536"), "65535 is the most", id="a port above the last"),
        pytest.param(("sandbox", "--speed", "inf"), "'inf' is no pace", id="a clock without end"),
        pytest.param(("sandbox", "--speed", "-1"), "'-1' is no pace", id="a clock that goes back"),
        pytest.param(("sandbox", "--speed", "nan"), "'nan' is no pace", id="no number for a clock"),
    ],
)
def test_what_cannot_be_written_read_or_listened_at_is_one_sentence(
    arguments: tuple[str, ...], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert names in told.err
    assert (told.err.count("\n"), told.out) == (1, "")


@pytest.mark.parametrize("arguments", [("setup",), ("automations", "apply"), ("source", "--keyword", "usb hub")])
def test_a_prefect_server_that_is_away_is_one_sentence_and_nothing_is_begun(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert run(*arguments) == 1
    told = capsys.readouterr()
    assert "No Prefect server answers at http://127.0.0.1:1/api" in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    with prepare(Settings.load()).read() as session:
        assert session.scalars(select(SourcingRun)).all() == []


def test_a_group_without_its_command_shows_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keywords") == 2
    assert "\n  list  " in capsys.readouterr().err


def test_a_missing_key_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".env.local").write_text("ACCOUNT_ID=a\n")
    assert run("process") == 2
    assert "CJ_API_KEY is not set" in capsys.readouterr().err


def test_the_third_run_of_a_day_is_exit_status_2_and_nothing_is_begun(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from deployments.commands import work

    monkeypatch.setattr(work, "start_temporary_server", lambda: pytest.fail("a server was started"))
    with prepare(Settings.load()).write() as session:
        for word in ("phone stand", "desk lamp"):
            today = now().date().isoformat()
            done = {"max_cost_cents": 5_000, "max_products": 5, "publish": True, "state": "DONE", "counted_on": today}
            session.add(SourcingRun(keyword=word, created_at=now(), **done))
    assert run("source", "--keyword", "usb hub") == 2
    told = capsys.readouterr()
    assert "2 sourcing runs are used up" in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    with prepare(Settings.load()).read() as session:
        assert [one.keyword for one in session.scalars(select(SourcingRun))] == ["phone stand", "desk lamp"]


@pytest.mark.parametrize("command", [("source",), ("run", "--keyword", "usb hub")], ids=["source", "run"])
def test_the_days_third_run_is_refused_in_one_sentence_and_begins_nothing(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.load()
    with working_at(Desk(settings, prepare(settings))) as desk:
        for word in ("one", "two"):
            (begun,) = runs.begin(word, 5_000, 5, False)
            runs.mark_counted(begun.id)
            runs.finish(begun.id)
    assert run(*command) == 2
    told = capsys.readouterr()
    assert "Today's 2 sourcing runs are used up: the next may begin at 00:00 UTC." in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    with desk.record.read() as session:
        assert [one.keyword for one in session.scalars(select(SourcingRun))] == ["one", "two"]


def test_51_dollars_await_approval_and_nothing_is_done(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("source", "--keyword", "usb hub", "--max-cost", "51") == 1
    assert "Awaiting approval" in capsys.readouterr().err
    assert run("status", "--json") == 0
    page = json.loads(capsys.readouterr().out)
    assert page["lots"] == []
    assert [one["question"] for one in page["approvals"]] == [
        "Source 'usb hub' up to $51.00 a product, above the $50.00 allowed?"
    ]


def test_a_database_of_another_mode_is_refused_in_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 0
    (home / ".env.local").write_text("STRIPE_SECRET_KEY=" + "sk_live" + "_x\n")
    capsys.readouterr()
    assert run("status") == 2
    assert "belongs to the mode test, and the settings say live" in capsys.readouterr().err


def test_the_rotation_is_kept_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keywords", "add", "--keyword", "usb hub", "--max-cost", "20", "--priority", "1") == 0
    assert run("keywords", "add", "--keyword", "usb  hub") == 2
    capsys.readouterr()
    assert run("keywords", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["keyword"], row["max_cost_cents"], row["priority"], row["last_sourced_at"]) == (
        "usb hub",
        2_000,
        1,
        None,
    )
    assert run("keywords", "remove", "--id", str(row["id"])) == 0


def test_an_unknown_sale_is_an_empty_object_and_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--sale-id", "nobody's", "--json") == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["lots"] == []
    assert "nobody's" in told.err


def test_a_pause_is_shown_on_top_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pause", "buying") == 0
    capsys.readouterr()
    assert run("status") == 0
    assert capsys.readouterr().out.startswith("buying is paused")
    assert run("resume", "all") == 0
    assert "Storefront empty" in (run("status"), capsys.readouterr().out)[1]


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["keywords", "list"], ["pause", "buying"]])
def test_what_only_looks_or_pauses_imports_no_prefect(words: list[str]) -> None:
    typed = f"""import sys
from deployments.cli import main
try:
    main({words})
finally:
    sys.stderr.write("Prefect" if "prefect" in sys.modules else "")"""
    done = subprocess.run([sys.executable, "-c", typed], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_report_of_an_empty_record_says_so_and_is_written_all_the_same(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report") == 0
    assert "no income yet" in capsys.readouterr().out
    assert {path.suffix for path in (home / "reports-out").iterdir()} == {".html", ".csv", ".parquet"}
    assert run("report", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["margin_rate"] is None
    assert told["keywords"] == []
    assert run("report", "--since", "soon") == 2
    assert "soon" in capsys.readouterr().err
