"""The runbook keeps every row of the one that the operator had, and says the truth about commands and settings."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from deployments.cli import app
from tasks.handling import CANCELLING
from tasks.lots.states import LotStatus
from tasks.rules.alerts import ALERTS
from tasks.settings import Settings
from tests.runbook import rows

ROOT = Path(__file__).parents[2]
BOOK = (ROOT / "deployments" / "RUNBOOK.md").read_text()
LINES = BOOK.splitlines()
PROSE = " ".join(BOOK.split())


def section(title: str) -> str:
    """A section of the book, whole."""
    found = re.search(rf"^## \d+\. {re.escape(title)}\n(.*?)(?=^## |\Z)", BOOK, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}


def exists(test: str) -> bool:
    """A test by its name; of a script, words that stand in it."""
    path, _, name = test.partition("::")
    if path == ".ci/run":
        return name in (ROOT / path).read_text()
    return (ROOT / path).is_file() and name in names_in(path)


def all_exist(tests: Sequence[str]) -> None:
    assert tests
    assert [test for test in tests if not exists(test)] == []


@pytest.mark.parametrize("row", [*rows.CHECKLIST, *rows.SYMPTOMS, *rows.GUARDRAILS], ids=lambda row: row[0])
def test_each_row_stands_in_the_book_and_names_a_test_that_is_there(row: rows.Row) -> None:
    _, words, *tests = row
    assert any(words in line for line in LINES), words
    all_exist(tests)


def test_nothing_was_left_out_of_the_tables() -> None:
    assert (len(rows.CHECKLIST), len(rows.SYMPTOMS), len(rows.GUARDRAILS)) == (6, 12, 7)
    assert (len(rows.VARIABLES), len(rows.ALERTS)) == (14, 9)
    assert (len(rows.ESCALATIONS), len(rows.NEVER_ESCALATED), len(rows.DASHBOARDS)) == (9, 4, 5)
    assert {str(status) for status in LotStatus} == set(rows.STATUSES)
    assert len(rows.STATUSES) == 14
    assert len(rows.SCHEDULES) == 2


@pytest.mark.parametrize("row", rows.ALERTS, ids=lambda row: row[0])
def test_each_alert_of_old_has_a_section_a_name_in_the_table_and_a_test(row: rows.Row) -> None:
    words, name, *tests = row
    assert words in PROSE
    assert name in {alert.name for alert in ALERTS}
    all_exist(tests)


def test_each_alert_links_to_a_section_and_no_section_is_without_its_alert() -> None:
    anchors = {
        f"#{heading.lower().replace(':', '').replace(' ', '-')}" for heading in re.findall(r"^### (.*)$", BOOK, re.M)
    }
    assert {f"#{alert.section.partition('#')[2]}" for alert in ALERTS} == {one for one in anchors if "#alert-" in one}


def test_each_variable_and_dashboard_is_there_with_basta_s_account() -> None:
    for name, words, *tests in rows.VARIABLES:
        assert any(f"`{name}`" in line and words in line for line in section("Settings").splitlines()), name
        all_exist(tests)
    for _, address, *tests in rows.DASHBOARDS:
        assert address in section("Dashboards")
        all_exist(tests)
    assert rows.BASTA_ACCOUNT in section("Dashboards")
    known = {str(field.alias) for field in Settings.model_fields.values()}
    elsewhere = {"CRON_SECRET", "NEXTAUTH_SECRET", "NEXTAUTH_URL", "POSTGRES_PASSWORD"}  # of old, and of compose.yaml
    named = set(re.findall(r"`([A-Z][A-Z_]{5,})`", BOOK))
    assert named - elsewhere - known - {str(status) for status in LotStatus} == set(), (
        "the book names settings that do not exist"
    )


def test_whom_to_call_and_when_not_to() -> None:
    call, never = section("When to call a developer").split("Do not call for:")
    for part, table in ((call, rows.ESCALATIONS), (never, rows.NEVER_ESCALATED)):
        for _, words, *tests in table:
            assert words in part
            all_exist(tests)


def test_every_status_and_schedule_is_explained() -> None:
    life = section("A lot's life")
    assert [str(status) for status in LotStatus if str(status) not in life] == []
    all_exist([*rows.STATUSES.values()])
    for old, when, *tests in rows.SCHEDULES:
        assert any(old in line and when in line for line in section("Schedules").splitlines())
        all_exist(tests)


def test_what_cancelling_does_is_told_for_every_status_as_the_code_has_it() -> None:
    told = dict(re.findall(r"^\| ([A-Z_]+) \| (.*) \|$", section("A lot's life"), re.MULTILINE))
    assert told == {str(status): sentence for status, (_, sentence) in CANCELLING.items()}


def go_live(vendor: str) -> list[tuple[str, str]]:
    """What is open with a vendor, and how to settle it: the lines of its table in the go-live list."""
    table = section("Before going live").partition(f"### {vendor}\n")[2].partition("\n### ")[0]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    return [(one[1].strip(), one[2].strip()) for one in cells]


@pytest.mark.parametrize("vendor", rows.UNPROVEN)
def test_the_go_live_list_names_all_that_the_contracts_leave_open_and_how_to_settle_it(vendor: str) -> None:
    lines, known = go_live(vendor), rows.UNPROVEN[vendor]
    told = {words: sum(words in open_ for open_, _ in lines) for words in known}
    assert told == dict.fromkeys(known, 1)
    assert [open_ for open_, how in lines if not how] == []
    assert [open_ for open_, _ in lines if not any(words in open_ for words in known)] == []


def test_the_go_live_list_has_no_table_besides_these() -> None:
    assert re.findall(r"^### (.*)$", section("Before going live"), re.MULTILINE) == list(rows.UNPROVEN)


def command_at(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and what is left of them."""
    found: Any = get_command(app)
    while words and hasattr(found, "commands"):
        assert words[0] in found.commands, f"there is no command {' '.join(words)}"
        found, words = found.commands[words[0]], words[1:]
    return found, words


@pytest.mark.parametrize(("command", "flag", "default"), rows.FLAGS)
def test_each_flag_keeps_its_name_and_default(command: str, flag: str, default: object) -> None:
    found, _ = command_at(command.split())
    (option,) = [one for one in found.params if flag in one.opts]
    if default is not None:
        assert option.default == default


def told() -> Iterator[str]:
    """Every command that an alert tells to type, with a 1 for each of its values."""
    yield from {alert.command for alert in ALERTS}
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        for part in ast.walk(ast.parse(path.read_text())):
            if isinstance(part, ast.JoinedStr):
                line = "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in part.values)
            elif isinstance(part, ast.Constant):
                line = str(part.value)
            else:
                continue
            if re.match(r"pipeline [a-z]+", line) and "\n" not in line:
                yield line


@pytest.mark.parametrize("line", sorted(set(told())))
def test_every_command_that_an_alert_tells_to_type_is_one(line: str) -> None:
    command, words = command_at(shlex.split(line)[1:])
    assert not hasattr(command, "commands"), f"{line} names a group"
    flags = {flag for one in command.params for flag in one.opts}
    assert {word for word in words if word.startswith("--")} <= flags


def typed() -> list[str]:
    """Every command that stands in the book, in its blocks and in its sentences."""
    blocks = re.findall(r"```bash\n(.*?)```", BOOK, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    return sorted({*lines, *re.findall(r"`((?:pipeline|prefect|docker|pip|\.venv/bin/\w+) [^`]+)`", BOOK)})


def to_type() -> list[str]:
    """Those that a test types as they stand; all others have a row of their own, or are only a name."""
    return [line for line in typed() if line not in {one for one, *_ in rows.ELSEWHERE} | rows.NAMES]


def test_every_command_of_the_book_is_typed_by_a_test_or_says_what_runs_it_instead() -> None:
    assert [line for line in to_type() if not line.startswith(("pipeline ", "prefect "))] == []
    assert {line for line, *_ in rows.ELSEWHERE} | rows.NAMES <= set(typed())
    for _, why, *tests in rows.ELSEWHERE:
        assert why
        all_exist(tests)


@pytest.mark.parametrize("line", [one for one in typed() if one.startswith("pipeline ")])
def test_every_command_in_the_book_is_one_with_flags_that_it_has(line: str) -> None:
    command, words = command_at(shlex.split(line)[1:])
    assert not hasattr(command, "commands"), f"{line} names a group"
    flags = {flag for one in command.params for flag in one.opts}
    assert {word for word in words if word.startswith("--")} <= flags
