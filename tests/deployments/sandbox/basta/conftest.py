"""A Basta account to call, on a clock that stands still until it is moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.sandbox.basta import Basta, BastaOptions
from deployments.sandbox.people import Address, Person
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import Clock, World

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HOME = Address("Ada Demo", "1 Orchard Row", "Springfield", "IL", "62701")
RULES = [{"lowRange": 0, "highRange": 10_000, "step": 500}]
COUNTDOWN_SECONDS = 120
BID = """mutation($i: BidOnBehalfInput!) { bidOnBehalf(accountId: "sandbox-account", input: $i) {
  bidId amount maxAmount bidStatus bidSequenceNumber bidOrigin { ... on OnlineBidOrigin { type } } } }"""


class Account:
    """An account with its caller. Nobody bids but those who are told to."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("bidding", False)
        self.world = World(seed=1, clock=Clock(START, speed=0))
        self.world.base_url = "http://127.0.0.1:8000"
        self.basta = Basta(self.world, BastaOptions(**options))
        self.world.add(self.basta)
        self.house = self.basta.house
        self.headers = {"x-account-id": "sandbox-account", "x-api-key": "sandbox-key"}

    def send(self, query: str, **variables: Any) -> Reply:
        """One document; the whole reply."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        reply = self.world.dispatch("basta", Request("POST", "/graphql", headers=self.headers, body=body)).reply
        assert reply is not None
        return reply

    def ask(self, query: str, **variables: Any) -> Any:
        """The root field's value of a document that must succeed."""
        reply = self.send(query, **variables)
        answer = json.loads(reply.body)
        assert reply.status == 200
        assert "errors" not in answer, answer
        (value,) = answer["data"].values()
        return value

    def refusal(self, query: str, **variables: Any) -> str:
        """The message of a document that must be refused, under HTTP 200 and with no data."""
        reply = self.send(query, **variables)
        answer = json.loads(reply.body)
        assert (reply.status, answer["data"]) == (200, None)
        return str(answer["errors"][0]["message"])

    def do(self, field: str, kind: str, shown: str = "id", **given: Any) -> Any:
        """A mutation that must succeed."""
        return self.ask(self.mutation(field, kind, shown), i=given)

    @staticmethod
    def mutation(field: str, kind: str, shown: str = "id") -> str:
        """A mutation's document."""
        shape = f"{{ {shown} }}" if shown else ""
        return f'mutation($i: {kind}!) {{ {field}(accountId: "sandbox-account", input: $i) {shape} }}'

    def person(self, user_id: str, address: Address | None = HOME) -> Person:
        """A bidder."""
        return self.world.people.add(Person(user_id, user_id.title(), f"{user_id}@people.invalid", address=address))

    def sale(self, **more: Any) -> str:
        """An unpublished sale."""
        given = {"title": "Lamps", "closingTimeCountdown": COUNTDOWN_SECONDS * 1_000, **more}
        return str(self.do("createSale", "CreateSaleInput", bidIncrementTable={"rules": RULES}, **given)["id"])

    def item(self, sale: str, **more: Any) -> str:
        """A lot that opens now and starts to close in an hour."""
        given = {
            "saleId": sale,
            "title": "Lamp",
            "startingBid": 2_000,
            "reserve": 3_000,
            "openDate": START.isoformat(),
            "closingDate": (START + timedelta(hours=1)).isoformat(),
            "allowedBidTypes": ["MAX", "NORMAL"],
            **more,
        }
        return str(self.do("createItemForSale", "SaleItemInput", **given)["id"])

    def publish(self, sale: str) -> None:
        """Publish, and let the first lots open."""
        self.do("publishSale", "PublishSaleInput", saleId=sale)
        self.pass_time(1)

    def lot(self, **more: Any) -> tuple[str, str]:
        """An open lot: the sale's id and its own."""
        sale = self.sale()
        item = self.item(sale, **more)
        self.publish(sale)
        return sale, item

    def bid(self, lot: tuple[str, str], user: str, amount: int, kind: str = "NORMAL") -> Any:
        """A bid that must be taken."""
        return self.ask(BID, i={"saleId": lot[0], "itemId": lot[1], "userId": user, "amount": amount, "type": kind})

    def no_bid(self, lot: tuple[str, str], user: str, amount: int, kind: str = "NORMAL") -> str:
        """The reason of a bid that must not be taken."""
        given = {"saleId": lot[0], "itemId": lot[1], "userId": user, "amount": amount, "type": kind}
        return self.refusal(BID, i=given)

    def shown(self, lot: tuple[str, str], fields: str = "status leaderId currentBid reserveStatus reserveMet") -> Any:
        """A lot as it is shown."""
        return self.ask(
            f'query($s: String!, $i: String!) {{ saleItem(accountId: "sandbox-account", saleId: $s, itemId: $i)'
            f" {{ {fields} }} }}",
            s=lot[0],
            i=lot[1],
        )

    def status(self, sale: str) -> str:
        """A sale's status."""
        return str(
            self.ask('query($s: ID!) { sale(accountId: "sandbox-account", id: $s) { status } }', s=sale)["status"]
        )

    def pass_time(self, seconds: float) -> None:
        """Let the sandbox's time pass in small steps, so that each thing happens in its own moment."""
        end = self.world.clock.now() + timedelta(seconds=seconds)
        while (due := self.world.next_due()) is not None and due <= end:
            self.world.clock.advance(max((due - self.world.clock.now()).total_seconds(), 0))
            self.world.run_due()
        self.world.clock.advance((end - self.world.clock.now()).total_seconds())

    def close(self) -> None:
        """Let everything close by the clock."""
        self.pass_time(3_600 + COUNTDOWN_SECONDS + 60)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def open_account() -> Callable[..., Account]:
    return Account
