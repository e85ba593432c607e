"""Root fields about bids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from graphql import GraphQLError

from deployments.sandbox.basta import bidding, hooks, members, views
from deployments.sandbox.basta.fields import Fields

Row = dict[str, Any]


class BidFields(Fields):
    """Root fields about bidding."""

    def bidOnBehalf(self, accountId: str, input: Row) -> Row:
        sale = self._sale(input["saleId"])
        row = self._item(input["saleId"], input["itemId"])
        if members.registration(self.house, sale, input["userId"]) is None:
            self.house.register(sale, input["userId"])
        if not members.is_admitted(self.house, sale, input["userId"]):
            raise GraphQLError("FAILED_PRECONDITION: the user's registration for this sale is not accepted")
        if input["type"] not in row.bid_types:
            raise GraphQLError(f"bids of type {input['type']} are not allowed on this item")
        try:
            bid = bidding.place(self.house.world, sale, row, input["userId"], input["amount"], input["type"])
        except bidding.BidRefused as error:
            raise GraphQLError(str(error)) from error
        hooks.bid_made(self.house, sale, row, bid)
        return views.bid(self.house, row, bid)

    def cancelLatestBidOnItem(self, accountId: str, input: Row) -> Row:
        sale = self._sale(input["saleId"])
        row = self._item(input["saleId"], input["itemId"])
        if not row.bids or row.bids[-1].sequence != input["sequenceNumber"]:
            raise GraphQLError("FAILED_PRECONDITION: this is not the latest bid")
        shown = views.bid(self.house, row, row.bids[-1])
        gone = row.bids.pop()
        last = row.bids[-1] if row.bids else None
        row.leader, row.current = (last.user_id, last.amount) if last else (None, None)
        row.top_max = max(last.max_amount, last.amount) if last else 0
        hooks.bid_cancelled(self.house, sale, row, gone)
        return {"removedBids": [shown]}

    def createBidderToken(self, accountId: str, input: Row) -> Row:
        """Its life is given in minutes."""
        asked = input["metadata"]
        until = self.house.world.clock.now() + timedelta(minutes=asked["ttl"])
        return {"token": self._new_id(f"token-{asked['userId']}"), "expiration": views.iso(until)}
