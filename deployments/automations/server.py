"""The Prefect server's REST API, as much of it as automations need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from prefect.automations import Automation, AutomationCore
from prefect.client.orchestration import get_client

PAGE = 200


class Server:
    """Asks and tells the server that PREFECT_API_URL names. Every refusal is an httpx.HTTPStatusError."""

    def __init__(self, http: Any) -> None:
        self._http = http

    def ask(self, path: str, asked: dict[str, Any]) -> Any:
        """The answer to a POST."""
        return self._http.post(path, json=asked).json()

    def automations(self, prefix: str) -> list[dict[str, Any]]:
        """Every automation whose name begins so, however many there are."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask("/automations/filter", {"limit": PAGE, "offset": len(found), "sort": "NAME_ASC"})
            found += page
            if len(page) < PAGE:
                return [one for one in found if str(one["name"]).startswith(prefix)]

    def create(self, automation: Automation) -> None:
        """Make a new automation."""
        self.ask("/automations/", _body(automation))

    def replace(self, known_id: str, automation: Automation) -> None:
        """Bring an automation to what is declared."""
        self._http.put(f"/automations/{known_id}", json=_body(automation))

    def delete(self, known_id: str) -> None:
        """Remove an automation."""
        self._http.delete(f"/automations/{known_id}")

    def deployment_id(self, name: str) -> UUID | None:
        """The id of a deployment, by "flow/deployment"; None where the server has none of that name."""
        try:
            answer = self._http.get(f"/deployments/name/{name}")
        except httpx.HTTPStatusError as error:  # Prefect's client raises for every status
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise
        return UUID(answer.json()["id"])


def _body(automation: Automation) -> dict[str, Any]:
    core = AutomationCore(**automation.model_dump(exclude={"id", "owner_resource"})).model_dump(mode="json")
    core.pop("owner_resource", None)  # the server refuses it, even when it is null
    return core


@contextmanager
def connected() -> Iterator[Server]:
    """The server, while it is asked."""
    with get_client(sync_client=True) as client:
        yield Server(client._client)
