"""Prefect, asked over REST: server, pool, worker, deployments and automations, alive and as this code has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import httpx
import yaml  # type: ignore[import-untyped]

from deployments.commands.schedule import next_runs
from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import CALL_SECONDS, Ward
from deployments.waking import AUTOMATION, DEPLOYMENT
from tasks.lots.clock import now
from tasks.rules.alerts import ALERTS, AUTOMATION_PREFIX, automation_name
from tasks.settings import Settings

POOL = "pipeline"
#: Automations that are no alerts.
ACTING = (AUTOMATION, "zombies")
BY_HAND = "silence, sent by hand"
APPLY, SETUP = "pipeline automations apply", "pipeline setup"
#: What Prefect's scheduler may take until it has planned the runs of a new schedule: it looks every minute.
SCHEDULER_TIME = timedelta(minutes=3)
WORKER = f"prefect worker start --pool {POOL}"


def examine(ward: Ward) -> Iterator[Finding]:
    """From the server inwards."""
    settings = ward.settings
    if settings.prefect_api_url is None:
        text = "there is no PREFECT_API_URL: nothing runs by itself, and flows run on a server of their own"
        yield warn("Prefect", text, "set PREFECT_API_URL, and type pipeline setup")
        return
    secret = settings.prefect_api_auth_string
    user, _, password = secret.get_secret_value().partition(":") if secret else ("", "", "")
    auth = (user, password) if secret else None
    with httpx.Client(base_url=settings.prefect_api_url, timeout=CALL_SECONDS, auth=auth) as http:
        try:
            yield _server(http)
            if settings.prefect_server_api_auth_string is not None:
                yield _password(settings.prefect_api_url)
            yield _worker(http)
            deployed = _deployed(http)
            yield from _deployments(settings, deployed)
            yield from _planned(http, deployed)
            yield _automations(settings, http, deployed)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            fix = "see PREFECT_API_AUTH_STRING" if status in (401, 403) else SETUP
            yield fail("Prefect", f"the server answers HTTP {status} to {error.request.url.path}", fix)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            text = f"no server answers at {settings.prefect_api_url} ({type(error).__name__})"
            yield fail("Prefect", text, "prefect server start")


def _ask(http: httpx.Client, path: str, asked: dict[str, Any]) -> Any:
    return http.post(path, json=asked).raise_for_status().json()


def _server(http: httpx.Client) -> Finding:
    http.get("/health").raise_for_status()
    theirs, ours = http.get("/admin/version").raise_for_status().json(), version("prefect")
    if theirs != ours:
        return warn("Prefect server", f"it is version {theirs}, and this is {ours}", "run both from one environment")
    return ok("Prefect server", f"version {theirs}")


def _password(url: str) -> Finding:
    """Whether it asks for the one that it should: `prefect server start` reads no `.env.local`."""
    answer = httpx.get(f"{url.rstrip('/')}/admin/version", timeout=CALL_SECONDS)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return ok("Prefect password", "the server asks for it")
    text = "the server asks nobody for it, though PREFECT_SERVER_API_AUTH_STRING is set here"
    return fail("Prefect password", text, "start the server with that variable in its shell: it reads no .env.local")


def _worker(http: httpx.Client) -> Finding:
    pool = http.get(f"/work_pools/{POOL}")
    if pool.status_code == httpx.codes.NOT_FOUND:
        return fail("worker", f"there is no work pool {POOL!r}", SETUP)
    if pool.raise_for_status().json().get("is_paused"):
        return fail("worker", f"the work pool {POOL!r} is paused", f"prefect work-pool resume {POOL}")
    workers = _ask(http, f"/work_pools/{POOL}/workers/filter", {})
    alive = [one["name"] for one in workers if one.get("status") == "ONLINE"]
    if not alive:
        return fail("worker", "none is alive: nothing that is scheduled runs", WORKER)
    late = _ask(http, "/flow_runs/count", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    if late:
        return warn("worker", f"{len(alive)} alive, and {late} runs are late", f"see its log, or another: {WORKER}")
    return ok("worker", f"{', '.join(sorted(alive))} alive")


def _deployed(http: httpx.Client) -> dict[str, dict[str, Any]]:
    flows = {one["id"]: one["name"] for one in _ask(http, "/flows/filter", {"limit": 200})}
    found = _ask(http, "/deployments/filter", {"limit": 200})
    return {f"{flows.get(one['flow_id'])}/{one['name']}": one for one in found}


def _deployments(settings: Settings, deployed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Every one of prefect.yaml, with its entrypoint and schedules."""
    file = settings.root / "prefect.yaml"
    if not file.is_file():
        text = f"there is no prefect.yaml in {settings.root}, which says what must be deployed"
        yield fail("deployments", text, "put it there, or let PIPELINE_HOME name the folder that has it")
        return
    wanted = yaml.safe_load(file.read_text())["deployments"]
    missing, old, paused = [], [], []
    for one in wanted:
        # A flow is called as its file is: flows/end_to_end.py holds "end-to-end".
        name = f"{one['entrypoint'].split('.')[-2].replace('_', '-')}/{one['name']}"
        known = deployed.get(name)
        if known is None:
            missing.append(name)
            continue
        active = [row for row in known.get("schedules") or () if row.get("active")]
        crons = sorted(str((row.get("schedule") or {}).get("cron")) for row in active)
        if known.get("paused") or (one.get("schedules") and not active):
            paused.append(name)
        elif known.get("entrypoint") != one["entrypoint"] or (
            crons != sorted(row["cron"] for row in one.get("schedules") or ())
        ):
            old.append(name)
    if missing:
        yield fail("deployments", f"{', '.join(missing)} are missing", SETUP)
    if old:
        yield warn("deployments", f"{', '.join(old)} differ from prefect.yaml", SETUP)
    if paused:
        resume = f"prefect deployment schedule resume {paused[0]} ID, or in the UI"
        yield warn("schedules", f"{', '.join(paused)} are paused", resume)
    if not missing and not old and not paused:
        yield ok("deployments", f"{len(wanted)}, as prefect.yaml has them, and their schedules are on")


def _planned(http: httpx.Client, deployed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Whether the server plans the runs of every schedule: one whose scheduler fails shows all else in good order."""
    early = (now() - SCHEDULER_TIME).isoformat()
    due = {
        one["id"]: name
        for name, one in deployed.items()
        if not one.get("paused")
        and any(row.get("active") and str(row["updated"]) < early for row in one.get("schedules") or ())
    }
    if without := sorted(name for deployment, name in due.items() if not next_runs(http, deployment)):
        text = f"the server plans no run of {', '.join(without)}, though their schedules are on"
        yield fail("schedules", text, "see the log of prefect server start; pip install -c constraints.txt -e .")


def wanted_automations(settings: Settings) -> dict[str, str | None]:
    """What must be on the server: name -> description, None where this page does not know it."""
    names: dict[str, str | None] = dict.fromkeys(automation_name(one) for one in ACTING)
    if settings.alert_webhook_url is not None:
        names |= {automation_name(one.name): f"{one.severity}: {one.rule}. See {one.section}" for one in ALERTS}
        names[automation_name(BY_HAND)] = None
    return names


def _automations(settings: Settings, http: httpx.Client, deployed: dict[str, dict[str, Any]]) -> Finding:
    found = _ask(http, "/automations/filter", {"limit": 200})
    known = [one for one in found if str(one["name"]).startswith(AUTOMATION_PREFIX)]
    by_name = {one["name"]: one for one in known}
    wanted = wanted_automations(settings)
    if missing := sorted(set(wanted) - set(by_name)):
        return fail("automations", f"{_named(missing)} are missing", APPLY)
    starts = {one.get("deployment_id") for one in by_name[automation_name(AUTOMATION)].get("actions") or ()}
    if (deployed.get(DEPLOYMENT) or {}).get("id") not in starts:
        return fail("automations", f"{AUTOMATION} starts a deployment that is gone", APPLY)
    old = [name for name, text in wanted.items() if text is not None and by_name[name].get("description") != text]
    if old or len(known) != len(wanted):
        strange = sorted(set(by_name) - set(wanted)) + old
        return warn("automations", f"{_named(strange) or 'some, twice,'} are not as this code has them", APPLY)
    if off := sorted(name for name in wanted if not by_name[name].get("enabled")):
        return warn("automations", f"{_named(off)} are switched off", "switch them on in Prefect's UI")
    return ok("automations", f"{len(wanted)}, on, as this code has them")


def _named(names: list[str]) -> str:
    short = [name.removeprefix(AUTOMATION_PREFIX) for name in names]
    return ", ".join(short[:4]) + (f" and {len(short) - 4} more" if len(short) > 4 else "")
