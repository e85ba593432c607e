"""All root fields."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.basta import views
from deployments.sandbox.basta.bids import BidFields
from deployments.sandbox.basta.membership import MemberFields
from deployments.sandbox.basta.ordering import OrderFields
from deployments.sandbox.basta.selling import SaleFields
from deployments.sandbox.basta.signals import HookFields


class Resolvers(SaleFields, BidFields, MemberFields, OrderFields, HookFields):
    """One method a root field, named as the field is."""

    def account(self, accountId: str) -> dict[str, Any]:
        """Most accounts keep no payment details."""
        fees = self.house.options.fees
        details = None if fees is None else {"paymentProviderAccountId": "x", "status": "ENABLED", "accountFees": fees}
        now = views.iso(self.house.world.clock.now())
        return {
            "id": accountId,
            "name": "Sandbox",
            "email": "ops@sandbox.invalid",
            "created": now,
            "paymentDetails": details,
        }
