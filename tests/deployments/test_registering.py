"""The vendors are asked to tell us: what is missing is added, and CJ's unsigned knock is answered only meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import stripe
from sqlalchemy import select

from deployments.registering import Registered, register
from deployments.sandbox.run import build_world, in_thread
from deployments.sandbox.world import World
from deployments.webhooks import receiver
from tasks.clients.stripe import API_VERSION
from tasks.clients.stripe.webhooks import EVENTS
from tasks.desk import Desk, Lines
from tasks.lots import leases
from tasks.lots.engine import Record
from tasks.lots.records import InboxEvent
from tasks.settings import Settings, SettingsError
from tests.deployments.serving import served
from tests.simulation.rehearsal import rehearsal_settings


@dataclass
class Place:
    """The world, and where the receiver of this test lives in it."""

    world: World
    base_url: str
    public: str
    record: Record
    lines: Lines

    def desk(self, **settings: Any) -> Desk:
        given = {"WEBHOOK_PUBLIC_URL": self.public, **settings}
        return Desk(rehearsal_settings(base_url=self.base_url, **given), self.record, self.lines)

    def register(self, **settings: Any) -> dict[str, Registered]:
        return {one.vendor: one for one in register(self.desk(**settings))}

    def vendor(self, name: str) -> Any:
        return self.world.vendors[name]

    def asked(self, *operations: str) -> list[str]:
        return [call.operation for call in self.world.calls if call.operation in operations]


@pytest.fixture
def place(sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    world = build_world(seed=3)
    options: Any = world.vendors["cj"].options  # type: ignore[attr-defined]
    options.min_interval_seconds = 0
    options.refuse_same_webhook = True
    known = Settings(STRIPE_WEBHOOK_SECRET="whsec_sandbox", BASTA_WEBHOOK_SECRET="whsec_sandbox")
    with (
        in_thread(world) as base_url,
        served(receiver(known, sqlite_record)) as public,
        httpx.Client(timeout=20) as http,
        requests.Session() as session,
    ):
        lines = Lines(http=lambda: http, stripe=stripe.RequestsClient(timeout=20, session=session))
        yield Place(world, base_url, public, sqlite_record, lines)


def test_what_is_missing_is_added_and_the_second_time_nothing(place: Place) -> None:
    first = place.register()
    assert all(one.ok for one in first.values()), first
    hooks = [(one["action"], one["url"]) for one in place.vendor("basta").house.subscriptions]
    basta, cj = f"{place.public}/webhooks/basta", f"{place.public}/webhooks/cj"
    assert hooks == [("SALE_STATUS_CHANGED", basta), ("ITEMS_STATUS_CHANGED", basta)]
    assert place.vendor("cj").webhooks.topics == {"product": [], "stock": [], "order": [cj], "logistics": [cj]}
    before = place.asked("addActionHookSubscription", "POST /webhook/set")
    assert all(one.ok for one in place.register().values())
    assert place.asked("addActionHookSubscription", "POST /webhook/set") == before
    assert before == ["addActionHookSubscription"] * 2 + ["POST /webhook/set"]


def test_only_the_missing_half_is_added_and_what_others_set_stays(place: Place) -> None:
    basta, theirs = f"{place.public}/webhooks/basta", "https://shop.invalid/hook"
    place.vendor("basta").house.subscriptions += [
        {"id": "1", "action": "SALE_STATUS_CHANGED", "url": basta, "headers": []},
        {"id": "2", "action": "BID_ON_ITEM", "url": theirs, "headers": []},
    ]
    assert place.register()["Basta"].text == "ITEMS_STATUS_CHANGED added"
    assert len(place.vendor("basta").house.subscriptions) == 3


def test_stripes_events_and_version_are_shown_until_its_endpoint_is_there(place: Place) -> None:
    text = place.register()["Stripe"].text
    assert all(event in text for event in EVENTS)
    assert API_VERSION in text
    assert f"{place.public}/webhooks/stripe" in text
    place.vendor("stripe").options.webhook_url = f"{place.public}/webhooks/stripe"
    assert "already" in place.register()["Stripe"].text


def test_an_unsigned_knock_is_answered_only_while_setup_waits_for_it_and_leaves_nothing(place: Place) -> None:
    def knock(source: str) -> int:
        return httpx.post(f"{place.public}/webhooks/{source}", content=b"{}").status_code

    assert knock("cj") == 401
    with leases.held(place.record, leases.PROBE, "pipeline setup", timedelta(seconds=60)):
        assert knock("cj") == 200
        assert knock("stripe") == knock("basta") == 401
    assert knock("cj") == 401
    place.register()
    assert knock("cj") == 401
    with place.record.read() as session:
        assert session.scalars(select(InboxEvent)).all() == []


def test_a_window_that_a_killed_setup_left_open_closes_by_itself(place: Place) -> None:
    leases.take(place.record, leases.PROBE, "pipeline setup", timedelta(seconds=-1))
    assert httpx.post(f"{place.public}/webhooks/cj", content=b"{}").status_code == 401


def test_a_receiver_that_is_not_there_is_said_and_nobody_is_asked(place: Place) -> None:
    (only,) = place.register(WEBHOOK_PUBLIC_URL="http://127.0.0.1:9").values()
    assert not only.ok
    assert "pipeline webhooks" in only.text
    assert place.world.calls == []


def test_a_vendor_that_says_no_does_not_keep_the_others_from_being_asked(place: Place) -> None:
    came = place.register(API_KEY="wrong")
    assert [name for name, one in came.items() if not one.ok] == ["Basta"]


def test_an_address_without_tls_is_refused_but_on_loopback() -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_PUBLIC_URL must begin with https://"):
        rehearsal_settings(WEBHOOK_PUBLIC_URL="http://auctions.invalid").check()
    rehearsal_settings(WEBHOOK_PUBLIC_URL="https://auctions.invalid").check()
