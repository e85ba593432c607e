"""A flow run that failed or crashed: told by the server's automation, or where there is none by the run itself."""

from __future__ import annotations

import logging
from typing import Any

from prefect.client.schemas.objects import FlowRun, State

from tasks.desk import sockets
from tasks.lots.clock import now
from tasks.notifying import automations, posting
from tasks.pages import run_page
from tasks.rules.alerts import DATABASE_DOWN, NAMED
from tasks.settings import Settings, SettingsError

_logger = logging.getLogger("dropship.alerts")


def tell_of_failure(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:
    """A hook for flows. It needs no database, as that may be why the run failed, and raises nothing."""
    why = state.message or "no reason was given"
    alert = NAMED["database" if DATABASE_DOWN in why else "failed-run"]
    told = f"{alert.severity}: flow run {flow_run.name} is {state.name}: {why}"
    _logger.log(logging.CRITICAL if alert.severity == "CRITICAL" else logging.ERROR, "%s", told)
    if automations.is_watched(alert.name):
        return
    message = {
        "what": "opened",
        "alert": alert.name,
        "key": f"{alert.name}:{flow_run.id}",
        "severity": alert.severity,
        "title": f"Flow run {flow_run.name} is {state.name}",
        "text": why,
        "since": now().isoformat(timespec="seconds"),
        "run": run_page(str(flow_run.id)),
        "command": alert.command,
    }
    try:
        settings = Settings.load()
        if settings.alert_webhook_url is None:
            return
        kind, url = posting.channel(settings)
        with sockets() as http:
            posting.post(http, url, kind, message)
    except (SettingsError, posting.NotDelivered) as error:
        _logger.error("the failure of %s could not be told: %s", flow_run.name, error)
