"""The table of alerts: complete, and nothing says a name that is not in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tasks.rules.alerts import ALERTS, NAMED

ROOT = Path(__file__).parents[2]


def said() -> Iterator[tuple[str, str]]:
    """Every alert that a stage's `Trouble` names, and where."""
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "Trouble":
                continue
            given = [word.value for word in call.keywords if word.arg == "alert"] or call.args[1:2]
            for name in (part for one in given for part in ast.walk(one) if isinstance(part, ast.Constant)):
                if isinstance(name.value, str):
                    yield name.value, f"{path.relative_to(ROOT)}:{call.lineno}"


def test_every_alert_that_a_stage_reports_is_declared() -> None:
    found = list(said())
    assert len(found) > 10
    assert [where for name, where in found if name not in NAMED] == []


def test_names_are_unique_and_each_has_a_section_of_its_own_in_the_runbook() -> None:
    assert len(NAMED) == len(ALERTS)
    assert len({alert.section for alert in ALERTS}) == len(ALERTS)
    assert NAMED["quota"].section == "deployments/RUNBOOK.md#alert-quota"


def test_the_nine_alerts_that_the_operator_was_promised_are_all_there() -> None:
    promised = {one for alert in ALERTS if alert.original for one in alert.original.split("; ")}
    assert promised == {
        "CJ API quota below 200",
        "CJ API quota below 100",
        "Multiple fulfillment failures (>3/day)",
        "Refund rate above 20%",
        "Negative profit margin",
        "Lot stuck >4 hours",
        "Stripe webhook failures",
        "CJ balance insufficient",
        "Auto-source cron failure",
    }


def test_what_is_normal_is_no_alert() -> None:
    quiet = {"reserve-not-met", "payment-failed", "cj-out-of-stock", "cj-price-changed", "mail"}
    assert not quiet & set(NAMED)
