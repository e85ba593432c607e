"""Bringing the server's automations to what is declared here, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from prefect.automations import Automation

from deployments.automations import acting, telling
from deployments.automations.server import Server, connected
from tasks.rules.alerts import AUTOMATION_PREFIX, automation_name
from tasks.settings import Settings


@dataclass
class Applied:
    """What is on the server now: names without the prefix, in order."""

    names: list[str] = field(default_factory=list)
    #: Switched off in the UI by somebody, and left so.
    off: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def apply(settings: Settings) -> Applied:
    """Make, mend and remove, so that the server has what is declared, once each.

    Without an alert address there are no alerts to make; those that act are made all the same. An automation that
    somebody switched off stays off.
    """
    with connected() as server:
        wanted = acting.declared(server)
        if settings.alert_webhook_url is not None:
            wanted += telling.declared(settings, telling.save_block(settings))
        return _bring(server, wanted)


def _bring(server: Server, wanted: list[Automation]) -> Applied:
    known = server.automations(AUTOMATION_PREFIX)
    applied = Applied()
    for automation in sorted(wanted, key=lambda one: one.name):
        name = automation.name
        automation.name = automation_name(name)
        same = [one for one in known if one["name"] == automation.name]
        applied.names.append(name)
        if not same:
            server.create(automation)
            continue
        automation.enabled = all(one["enabled"] for one in same)
        server.replace(same[0]["id"], automation)
        for extra in same[1:]:
            server.delete(extra["id"])
        if not automation.enabled:
            applied.off.append(name)
    for one in known:
        name = str(one["name"]).removeprefix(AUTOMATION_PREFIX)
        if name not in applied.names:
            server.delete(one["id"])
            applied.removed.append(name)
    return applied
