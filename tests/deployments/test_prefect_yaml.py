"""Every deployment loads, and says what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.commands.options import LONGEST
from tasks.rules.selection import MOST_COST_CENTS, MOST_PRODUCTS

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: f"{one['entrypoint']}/{one['name']}")
def test_every_entrypoint_loads_strictly_and_takes_the_deployments_parameters(deployment: dict[str, Any]) -> None:
    from prefect.flows import load_flow_from_entrypoint

    flow: Any = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    schema = flow.parameters.model_dump()["properties"]
    assert set(deployment.get("parameters") or {}) <= set(schema)
    assert all(one.get("description") for one in schema.values()), "each parameter is described in the run form"
    assert flow.description


def test_the_run_form_takes_what_the_commands_take() -> None:
    from flows.end_to_end import end_to_end
    from flows.sourcing import sourcing

    for flow in (sourcing, end_to_end):
        schema = flow.parameters.model_dump()["properties"]
        assert schema["max_products"]["maximum"] == MOST_PRODUCTS
        assert schema["max_cost"]["maximum"] * 100 == MOST_COST_CENTS
        keyword = next(iter(schema["keyword"].get("anyOf", [schema["keyword"]])))
        assert (keyword["minLength"], keyword["maxLength"]) == (1, LONGEST)


#: flow -> parameter -> what its field shows: its default, and the least and the most that it takes.
FORM: dict[str, dict[str, tuple[Any, Any, Any]]] = {
    "flows.sourcing.sourcing": {
        "keyword": (None, 1, 200),
        "max_cost": (50, 0, 10_000),
        "max_products": (5, 1, 5),
        "publish": (False, None, None),
        "dry_run": (False, None, None),
    },
    "flows.processing.processing": {"sale_id": (None, 1, 200)},
    "flows.monitoring.monitoring": {
        "sale_id": ("required", 1, 200),
        "poll_interval_s": (30, 1, 3_600),
        "until": ("paid", ["paid", "delivered"], None),
    },
    "flows.end_to_end.end_to_end": {
        "keyword": ("required", 1, 200),
        "max_cost": (50, 0, 10_000),
        "max_products": (5, 1, 5),
        "publish": (False, None, None),
        "poll_interval_s": (30, 1, 3_600),
    },
}


@pytest.mark.parametrize("entrypoint", FORM)
def test_the_run_form_shows_each_parameters_default_and_bounds(entrypoint: str) -> None:
    from prefect.flows import load_flow_from_entrypoint

    flow: Any = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    schema = flow.parameters.model_dump()
    shown = {}
    for name, one in schema["properties"].items():
        bounds = {**next(iter(one.get("anyOf", [{}]))), **one}
        least = next(
            (bounds[key] for key in ("minimum", "exclusiveMinimum", "minLength", "enum") if key in bounds), None
        )
        most = next((bounds[key] for key in ("maximum", "maxLength") if key in bounds), None)
        shown[name] = ("required" if name in schema["required"] else one.get("default"), least, most)
        for bound in (least, most):  # in words too, as the form shows no number's bounds beside its field
            if isinstance(bound, int) and "Length" not in str(bounds.keys()) and bound:
                assert f"{bound:,}" in one["description"], (name, bound)
    assert shown == FORM[entrypoint]


def test_the_deployments_are_those_that_were_promised() -> None:
    names = {f"{one['entrypoint'].split('.')[-2].replace('_', '-')}/{one['name']}" for one in DEPLOYMENTS}
    assert names == {
        "sourcing/daily",
        "sourcing/manual",
        "processing/every-10-minutes",
        "monitoring/manual",
        "end-to-end/manual",
        "reporting/weekly",
        "reconciling/nightly",
        "approving/form",
    }


def test_the_schedules_are_0800_utc_0330_utc_and_every_ten_minutes_and_never_two_at_once() -> None:
    crons = {one["name"]: one["schedules"][0]["cron"] for one in DEPLOYMENTS if one.get("schedules")}
    assert crons == {
        "daily": "0 8 * * *",
        "every-10-minutes": "*/10 * * * *",
        "weekly": "0 7 * * 1",
        "nightly": "30 3 * * *",
    }
    limits = [
        one["concurrency_limit"] for one in DEPLOYMENTS if one["name"] in ("daily", "every-10-minutes", "nightly")
    ]
    assert limits == [{"limit": 1, "collision_strategy": "CANCEL_NEW"}] * 3
