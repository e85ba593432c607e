"""Root fields about action hooks."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import hooks, views
from deployments.sandbox.basta.fields import Fields

Row = dict[str, Any]


class HookFields(Fields):
    """Subscriptions and the log of what was sent to them."""

    def actionHookSubscriptions(self, accountId: str) -> list[Row]:
        return [{**one, "accountId": accountId} for one in self.house.subscriptions]

    def addActionHookSubscription(self, accountId: str, input: Row) -> Row:
        """Repeats pile up."""
        row = {"id": self._new_id("hook"), "action": input["action"], "url": input["url"]}
        row["headers"] = input.get("headers") or []
        self.house.subscriptions.append(row)
        return {**row, "accountId": accountId}

    def updateActionHookSubscription(self, accountId: str, input: Row) -> Row:
        row = self._subscription(input["id"])
        row["url"], row["headers"] = input["url"], input.get("headers") or []
        return {**row, "accountId": accountId}

    def deleteActionHookSubscription(self, accountId: str, input: Row) -> bool:
        self.house.subscriptions.remove(self._subscription(input["id"]))
        return True

    def actionHookLogs(
        self, accountId: str, first: int = 10, after: str | None = None, filter: Row | None = None
    ) -> Row:
        """The newest first."""
        wanted = filter or {}
        rows = [
            one
            for one in reversed(self.house.sendings)
            if one.action in (wanted.get("types") or [one.action])
            and one.status in (wanted.get("statuses") or [one.status])
        ]
        return views.page([views.sending(self.house, one) for one in rows], first, after)

    def retryActionHook(self, accountId: str, input: Row) -> Row:
        """The same event, with the same key, once more."""
        for one in self.house.sendings:
            if one.id == input["id"]:
                hooks.post(self.house, one)
                return views.sending(self.house, one)
        raise GraphQLError("action hook log not found")

    def _subscription(self, subscription_id: str) -> Row:
        for row in self.house.subscriptions:
            if row["id"] == subscription_id:
                return row
        raise GraphQLError("subscription not found")
