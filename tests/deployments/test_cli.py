"""The commands, through their real entry point: bad input does nothing and says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.cli import main
from tasks.settings import Settings


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


def test_a_missing_key_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".env.local").write_text("ACCOUNT_ID=a\n")
    assert run("process") == 2
    assert "CJ_API_KEY is not set" in capsys.readouterr().err


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
