"""The Prefect UI, as an operator sees it: looked at in a real browser.

With SCREENSHOTS naming a folder, the pictures of the README are taken anew.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Site


def show(page: Any, site: Site, path: str) -> None:
    page.goto(f"{site.url}/v2{path}")


def keep(page: Any, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(1_500)  # charts draw themselves
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_runs_bear_names_that_a_person_can_read_and_tags(page: Any, worked: Site) -> None:
    show(page, worked, "/runs")
    expect(page.get_by_text("sourcing phone stand, ").first).to_be_visible()
    expect(page.get_by_text("processing, ").first).to_be_visible()
    expect(page.get_by_text("PartiallyDone").first).to_be_visible()
    expect(page.get_by_text("sandbox").first).to_be_visible()
    keep(page, "runs")


def test_a_failed_lot_is_a_red_task_and_the_others_are_green(page: Any, worked: Site) -> None:
    run = worked.run_called("processing", state="PartiallyDone")
    show(page, worked, f"/runs/flow-run/{run['id']}?tab=TaskRuns")
    keep(page, "red-task")
    states = {
        one["name"]: one["state"]["type"]
        for one in worked.ask("task_runs", flow_runs={"id": {"any_": [run["id"]]}})
        if one["name"].startswith("order lot")
    }
    assert "FAILED" in states.values()
    expect(page.get_by_text(next(name for name, state in states.items() if state == "FAILED")).first).to_be_visible()
    expect(page.get_by_text("Failed").first).to_be_visible()


def test_a_run_shows_lots_linked_funnel_money_and_quota(page: Any, worked: Site) -> None:
    found = {one["key"]: one for one in worked.ask("artifacts/latest")}
    assert {"lots", "funnel", "money", "quota", "products", "stages"} <= set(found)
    show(page, worked, f"/artifacts/artifact/{found['lots']['latest_id']}")
    expect(page.get_by_role("link", name="sandbox").first).to_have_attribute("href", f"{worked.world.base_url}/")
    keep(page, "lots")
    show(page, worked, f"/artifacts/artifact/{found['quota']['latest_id']}")
    expect(page.get_by_text("/product/listV2").first).to_be_visible()
    expect(page.get_by_text("█").first).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 860})  # a table that is too wide runs under what stands beside it
    ends = page.get_by_role("columnheader").last.bounding_box()
    assert ends["x"] + ends["width"] <= page.get_by_text("Flow Run").first.bounding_box()["x"]
    keep(page, "quota")
    page.set_viewport_size({"width": 1280, "height": 860})
    show(page, worked, f"/artifacts/artifact/{found['funnel']['latest_id']}")
    expect(page.get_by_text("CJ_OUT_OF_STOCK").first).to_be_visible()
    show(page, worked, f"/artifacts/artifact/{found['money']['latest_id']}")
    expect(page.get_by_text("refund rate").first).to_be_visible()


def test_sourced_products_are_shown_with_their_pictures(page: Any, worked: Site) -> None:
    (shown,) = [one for one in worked.ask("artifacts/latest") if one["key"] == "products"]
    show(page, worked, f"/artifacts/artifact/{shown['latest_id']}")
    picture = page.get_by_role("img", name="picture").first
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.complete && one.naturalWidth > 0"), "the picture is loaded, not broken"
    keep(page, "products")


def test_the_run_form_shows_each_parameters_description_default_and_bounds(page: Any, worked: Site) -> None:
    (deployment,) = [
        one
        for one in worked.ask("deployments")
        if one["name"] == "manual" and one["entrypoint"] == "flows.sourcing.sourcing"
    ]
    show(page, worked, f"/deployments/deployment/{deployment['id']}/run")
    keep(page, "run-form")
    for name in ("keyword", "max_cost", "max_products", "publish", "dry_run"):
        expect(page.get_by_text(f"{name} (Optional)").first).to_be_visible()
    expect(page.get_by_text("What to search CJ for").first).to_be_visible()
    expect(page.get_by_text("1 to 5").first).to_be_visible()
    assert "wireless headphones" in page.content()


def test_every_alert_is_an_automation_that_can_be_read(page: Any, worked: Site) -> None:
    from tasks.rules.alerts import ALERTS

    show(page, worked, "/automations")
    for alert in ALERTS:
        expect(page.get_by_text(f"dropship: {alert.name}", exact=True).first).to_be_attached()
    keep(page, "automations")


def test_the_deployments_are_listed_with_their_schedules(page: Any, worked: Site) -> None:
    show(page, worked, "/deployments")
    keep(page, "deployments")
    expect(page.get_by_text("every-10-minutes").first).to_be_visible()
    expect(page.get_by_text("At 08:00 AM").first).to_be_visible()


def link_told(site: Site, page: str) -> str:
    """Where the newest message leads that names such a page."""
    sink: Any = site.world.vendors["alerts"]
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for post in reversed(sink.posts):
            if found := re.search(rf"form .*?: (\S+{page})", post.text):
                return found[1]
        time.sleep(0.3)
    raise AssertionError([post.text for post in sink.posts])


def test_a_question_is_answered_by_the_form_its_alert_leads_to_and_its_work_begins(page: Any, worked: Site) -> None:
    words = ("--keyword", "usb hub", "--max-cost", "60", "--max-products", "1")
    worked.pipeline("source", *words, expect=1)
    run = worked.run_called("question")
    worked.work(run["id"])
    page.goto(link_told(worked, run["id"]))
    expect(page.get_by_text("Suspended").first).to_be_visible()
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("menuitem", name="Resume").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("MAX_COST_USD is $50.00")).to_be_visible()
    keep(page, "question")
    form.get_by_role("button", name="Select Answer").click()
    page.get_by_role("option", name="yes").click()
    form.get_by_role("spinbutton").fill("55.50")
    form.get_by_role("button", name="Resume").click()
    expect(form).not_to_be_attached()
    worked.run_called("question", state="Resuming")
    worked.work(run["id"])
    ended = worked.run_called("question", state="Completed")
    assert ended["state"]["message"].startswith("yes, up to $55.50, by the form of question")
    (begun,) = [
        one
        for one in worked.ask("flow_runs")
        if one["state"]["name"] == "Scheduled" and one["parameters"].get("keyword") == "usb hub"
    ]
    assert begun["parameters"]["max_cost"] == 60
