"""What the Prefect server has planned, asked over REST: the status page imports no Prefect."""

from __future__ import annotations

from typing import Any

import httpx

from tasks.settings import Settings

DEADLINE_SECONDS = 2.0


def upcoming(settings: Settings) -> dict[str, Any]:
    """The next run of each scheduled deployment: {"server": "none" | "away" | "ok", "next": {deployment: time}}."""
    if settings.prefect_api_url is None:
        return {"server": "none", "next": {}}
    secret = settings.prefect_api_auth_string
    user, _, password = secret.get_secret_value().partition(":") if secret else ("", "", "")
    auth = (user, password) if secret else None
    try:
        with httpx.Client(base_url=settings.prefect_api_url, timeout=DEADLINE_SECONDS, auth=auth) as http:
            deployments = _ask(http, "/deployments/filter", {"limit": 100})
            runs = [run for one in deployments if not one.get("paused") for run in next_runs(http, one["id"])]
    except (httpx.HTTPError, ValueError):
        return {"server": "away", "next": {}}
    names = {one["id"]: _name(one) for one in deployments}
    paused = {names[one["id"]]: "paused" for one in deployments if one.get("paused")}
    times = {names[run["deployment_id"]]: run["expected_start_time"] for run in runs}
    return {"server": "ok", "next": {**times, **paused}}


def next_runs(http: httpx.Client, deployment_id: str) -> list[dict[str, Any]]:
    """The first run that a deployment waits for, if any.

    Each is asked for alone: after a day without a worker hundreds of late runs of one hide those of the others.
    """
    waits = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"any_": [deployment_id]}}
    return _ask(http, "/flow_runs/filter", {"flow_runs": waits, "limit": 1, "sort": "EXPECTED_START_TIME_ASC"})


def _name(deployment: dict[str, Any]) -> str:
    """A flow is called as its file is: flows/end_to_end.py holds "end-to-end"."""
    module = str(deployment.get("entrypoint") or "").split(".")[:-1]
    return "/".join([*(one.replace("_", "-") for one in module[-1:]), str(deployment["name"])])


def _ask(http: httpx.Client, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    answer = http.post(path, json=asked)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
