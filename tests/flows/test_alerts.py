"""Alerts on a real Prefect server: their causes happen in the sandbox, and they are read at the sink."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from deployments.sandbox.run import build_world, environment, in_thread
from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots import incidents, outbox, pauses
from tasks.lots.engine import Record, connect
from tasks.lots.incidents import Trouble
from tasks.lots.migrate import migrate
from tasks.lots.records import OutboxMessage
from tasks.rules.alerts import ALERTS, Seen
from tasks.settings import Settings
from tests.deployments.hostile import genuine, signature
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal, rehearsal_settings

PATIENCE = 45.0
#: A server learns of changed automations a moment after it answers.
LEARNS = 2.0


def wait_until(true: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
    ends = time.monotonic() + patience
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(0.3)


def told(world: World) -> list[str]:
    sink: Any = world.vendors["alerts"]
    return [post.text for post in sink.posts]


def names_told(world: World) -> set[str]:
    return {text.split("#alert-")[1].split("\n")[0] for text in told(world)}


def apply(settings: Settings) -> list[str]:
    from deployments import automations
    from tasks.notifying.automations import forget

    applied = automations.apply(settings)
    forget()
    time.sleep(LEARNS)
    return applied.names


@pytest.fixture(scope="module", autouse=True)
def none_left(harness: None) -> Iterator[None]:
    """What these tests applied watches no other test's runs."""
    yield
    remove_all()


@pytest.fixture
def automations(world: World) -> None:
    """All of ours, pointed at this test's sink. Only the block changes from test to test, which is quicker."""
    from deployments.automations import telling
    from tasks.rules.alerts import NAMED

    settings = Settings.load()
    if {name for name, one in on_the_server().items() if one["enabled"]} >= set(NAMED):
        telling.save_block(settings)
    else:
        remove_all()
        apply(settings)


def remove_all() -> None:
    from deployments.automations.server import connected
    from tasks.notifying.automations import forget

    with connected() as server:
        for one in server.automations("dropship: "):
            server.delete(one["id"])
    forget()


def on_the_server() -> dict[str, dict[str, Any]]:
    from deployments.automations.server import connected

    with connected() as server:
        return {one["name"].removeprefix("dropship: "): one for one in server.automations("dropship: ")}


def report(key: str = "quota:x", alert: str = "quota") -> None:
    with desk().record.write() as session:
        trouble = Trouble(key, alert, "WARNING", 'CJ allows "90" more', "Source less @everyone", "pipeline status")
        incidents.report(session, trouble)


def tell_operator() -> None:
    from tasks import notifying

    with notifying.operator_told():
        pass


def all_delivered(record: Record) -> bool:
    with record.read() as session:
        return all(one.delivered_at is not None for one in session.scalars(select(OutboxMessage)))


class TestTheSetOfAutomations:
    """Applied by name, idempotent."""

    def test_twice_leaves_the_same_set_and_what_is_not_declared_goes(self, world: World, automations: Any) -> None:
        from prefect.automations import Automation

        from deployments.automations.server import connected
        from tasks.rules.alerts import NAMED

        before = on_the_server()
        assert set(NAMED) <= set(before)
        a_copy = Automation(**{k: before["quota"][k] for k in ("name", "trigger", "actions")})
        renamed = Automation(**{**a_copy.model_dump(), "name": "dropship: an older name"})
        theirs = Automation(**{**a_copy.model_dump(), "name": "somebody else's"})
        with connected() as server:
            for one in (a_copy, renamed, theirs):
                server.create(one)
            apply(Settings.load())
            after = server.automations("")
            assert sorted(one["name"] for one in after) == sorted(
                [*(f"dropship: {name}" for name in before), "somebody else's"]
            )
            server.delete(next(one["id"] for one in after if one["name"] == "somebody else's"))
        # of two of one name either may stay; all others are the very same
        assert sum(before[name]["id"] != one["id"] for name, one in on_the_server().items()) <= 1

    def test_one_that_somebody_switched_off_stays_off_and_the_run_posts_itself(
        self, world: World, automations: Any
    ) -> None:
        from deployments import automations as ours
        from deployments.automations.server import connected

        with connected() as server:
            server._http.patch(f"/automations/{on_the_server()['quota']['id']}", json={"enabled": False})
        assert ours.apply(Settings.load()).off == ["quota"]
        from tasks.notifying.automations import forget

        forget()
        report()
        tell_operator()
        assert all_delivered(desk().record)  # at once: no server took part
        assert names_told(world) == {"quota"}

    def test_without_an_address_nothing_tells_and_the_zombies_are_still_cleared(
        self, world: World, automations: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ALERT_WEBHOOK_URL")
        apply(Settings.load())
        assert "zombies" in on_the_server()
        assert "quota" not in on_the_server()

    def test_a_changed_address_reaches_the_block(
        self, world: World, automations: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        from prefect.settings import PREFECT_API_URL

        from deployments.cli import main

        other = build_world(seed=2)
        with in_thread(other) as url:
            monkeypatch.setenv("ALERT_WEBHOOK_URL", f"{url}/alerts/slack/2")
            monkeypatch.setenv("ALERT_WEBHOOK_KIND", "slack")
            monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
            for arguments in (["automations", "apply"], ["automations", "test", "quota"]):
                with pytest.raises(SystemExit) as ended:
                    main(arguments)
                assert ended.value.code == 0
                time.sleep(LEARNS)
        assert names_told(other) == {"quota"}
        assert told(world) == []
        assert "quota: taken" in capfd.readouterr().out


class TestSentByHand:
    """`pipeline automations test`."""

    def test_every_alert_arrives_through_its_own_automation(self, world: World, automations: Any) -> None:
        from deployments.automations.trying import send_by_hand
        from tasks.rules.alerts import NAMED

        outcomes = send_by_hand(Settings.load(), sorted(NAMED), PATIENCE)
        assert outcomes == dict.fromkeys(NAMED)
        assert names_told(world) == set(NAMED)
        assert len(told(world)) == len(NAMED)

    def test_a_channel_that_refuses_is_said_and_its_address_is_in_no_event(
        self, world: World, automations: Any
    ) -> None:
        from deployments.automations.server import connected
        from deployments.automations.trying import SILENT, send_by_hand

        world.faults.plan(Fault("alerts", "POST *", "500_before", times=50))
        assert send_by_hand(Settings.load(), ["quota", "silence"], patience=8) == {"quota": SILENT, "silence": SILENT}
        with connected() as server:
            asked = {"filter": {"event": {"prefix": ["prefect.automation", "prefect.block", "dropship"]}}, "limit": 50}
            assert "alerts/discord/1" not in str(server.ask("/events/filter", asked))


class TestMessages:
    """From the outbox to the sink."""

    def test_without_an_automation_the_run_posts_itself(self, world: World) -> None:
        remove_all()
        report()
        tell_operator()
        (text,) = told(world)
        assert 'CJ allows "90" more' in text
        assert "Type: pipeline status" in text
        assert all_delivered(desk().record)

    def test_the_server_posts_it_once_and_the_record_learns_of_it(self, world: World, automations: Any) -> None:
        report()
        tell_operator()
        assert told(world) == [] or not all_delivered(desk().record)  # it left as an event
        wait_until(lambda: tell_operator() or all_delivered(desk().record), "the server did not post it")
        (text,) = told(world)
        assert 'CJ allows "90" more' in text
        sink: Any = world.vendors["alerts"]
        assert sink.posts[0].pings is False

    def test_a_lost_event_and_a_channel_that_is_down_delay_it_and_lose_it_not(
        self, world: World, automations: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tasks.notifying import alerts

        monkeypatch.setattr(outbox, "CONFIRM_WITHIN", timedelta(0))
        real = alerts.emit_event
        monkeypatch.setattr(alerts, "emit_event", lambda *given, **words: None)  # Prefect's queue died with its process
        report()
        tell_operator()
        monkeypatch.setattr(alerts, "emit_event", real)
        sink_down = Fault("alerts", "POST *", "500_before", times=5)  # the server's four posts, and one of ours
        world.faults.plan(sink_down)
        tell_operator()  # a second event, which the server gives up
        wait_until(lambda: sink_down.seen >= 4, "the server did not try")
        tell_operator()  # so the run posts it itself, and learns why it does not go
        with desk().record.read() as session:
            late = outbox.waiting(session)
        assert late is not None
        assert late.error == "the alert channel answered HTTP 500"
        tell_operator()
        assert all_delivered(desk().record)
        assert len(told(world)) == 1


@pytest.fixture
def stage(harness: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rehearsal, World]]:
    """A rehearsal whose messages go through the real server, to a sink of its own."""
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    record = Record(connect(f"sqlite:///{tmp_path / 'record.sqlite'}"))
    migrate(record)
    outside = build_world(seed=3)
    with in_thread(outside) as url:
        address = {"ALERT_WEBHOOK_URL": environment(url)["ALERT_WEBHOOK_URL"]}
        webhooks = {"WEBHOOK_PUBLIC_URL": "https://auctions.example"}
        settings = rehearsal_settings(
            **address, **webhooks, RATE_MINIMUM_LOTS=1, MAX_PRODUCTS_PER_RUN=20, AUTOMATIC_TAX="true"
        )
        rehearsal = Rehearsal(record, settings)
        with rehearsal.running(with_server=True):
            apply(settings)
            yield rehearsal, outside
    record.close()


def bill_again(here: Rehearsal, invoice_id: str | None) -> None:
    """Somebody copies an invoice in Stripe's dashboard, with all that stands in it."""
    store, twin = here.bank.store, "in_99999999"
    store.invoices[twin] = copy.deepcopy(store.invoices[invoice_id]) | {"id": twin}
    store.lines[twin], store.payments[twin] = [], []


async def knock_with_another_secret(here: Rehearsal, times: int) -> list[int]:
    """Stripe's webhooks as they come when STRIPE_WEBHOOK_SECRET is not this endpoint's, brought to the receiver."""
    from deployments.webhooks import receiver

    app, body = receiver(here.settings, here.record), genuine("stripe", "of another endpoint")
    signed = {"stripe-signature": signature("stripe", body, int(here.clock.now().timestamp()), "whsec_another")}
    to_app = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),  # at its end it writes down what it refused
        httpx.AsyncClient(transport=to_app, base_url="http://receiver.invalid") as http,
    ):
        return [(await http.post("/webhooks/stripe", content=body, headers=signed)).status_code for _ in range(times)]


#: What one alert may say for several reasons: each must get through, not only the first.
VARIANTS = {
    "quota": [r"\[WARNING\] CJ allows 1", r"\[CRITICAL\] WORSE CJ allows \d\d ", r"\[WARNING\] CJ's quota is unknown"],
    "stripe-webhooks": [r"\[HIGH\] \d payments in 24 hours came", r"\[HIGH\] Stripe's webhooks come with signatures"],
}


@pytest.mark.timeout(240)
def test_causes_in_the_sandbox_reach_the_sink_each_through_its_own_automation(
    stage: tuple[Rehearsal, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, outside = stage
    monkeypatch.setattr(outbox, "CONFIRM_WITHIN", timedelta(days=30))  # the server's time is real, ours is not

    def cycle(after: float) -> None:
        here.advance(after)
        here.cycle()

    def buying(on: bool) -> None:
        with here.record.write() as session:
            pauses.resume(session, "all") if on else pauses.pause(session, "buying")

    for name in ("ada", "bob", "cat", "dan", "gus"):
        here.person(name)
    here.person("eve", "ignores")
    here.person("fay", address=None)
    here.cj.options.ship_after_seconds = None
    buying(False)
    # the sixth has no picture, and leaves the sale
    here.sell(*["ada"] * 4, "bob", "ada", "cat", "dan", "eve", "gus", "fay")
    assert here.source("usb hub", max_cost=60).name == "AwaitingApproval"
    let_in, here.post.accepts = here.post.accepts, "re_another"
    cycle(0)  # vendor-login; invoice-refused, as nobody knows where to tax fay; approval
    here.post.accepts = let_in
    assert {one.alert for one in here.incidents(closed=True)} == {"vendor-login", "invoice-refused", "approval"}
    lots = {lot.winner_user_id: lot for lot in here.lots()}

    here.bank.void_by_hand(lots["eve"].stripe_invoice_id)
    here.bank.open_dispute(lots["bob"].stripe_invoice_id)
    for lot in here.lots()[:4]:
        here.cj.delist(lot.cj_vid)
    here.cj.set_balance(0)
    buying(True)
    cycle(600)  # invoice-voided, dispute, fulfilment-failures, cj-balance
    here.cj.top_up(100_000)
    here.cj.options.quota, here.cj.options.quota_limit = "counts", 190
    cycle(HOUR)  # quota, refund-rate, stripe-webhooks: payments that none has told
    here.cj.options.quota_limit = 90
    cats = lots["cat"].stripe_invoice_id
    here.bank.refund_by_hand(cats, here.bank.store.invoices[cats]["amount_paid"])
    here.cj.cancel_order(here.lot(lots["dan"].id).cj_order_id)
    here.bank.fail_refund(next(iter(here.bank.store.refunds)))
    cycle(2 * HOUR)  # order-cancelled, refund, refund-failed; quota, louder
    here.cj.options.quota_limit = 50_000
    bill_again(here, lots["gus"].stripe_invoice_id)
    here.reconcile()  # duplicate, books
    here.settings.token_path.unlink()
    here.cj.options.api_key = "another"
    cycle(2 * HOUR)  # cj-login
    here.cj.options.api_key = ""
    here.advance(8 * DAY)
    assert asyncio.run(knock_with_another_secret(here, 3)) == [401] * 3
    cycle(0)  # lot-stuck: a parcel that is not sent; margin; stripe-webhooks: signatures
    here.world.faults.plan(Fault("cj", "GET /setting/get", "500_before"))
    assert here.source("no such thing at all").is_failed()  # sourcing; quota, which nobody can tell

    caused = {alert.name for alert in ALERTS if alert.seen is Seen.BY_A_STAGE}
    assert {incident.alert for incident in here.incidents(closed=True)} == caused
    wait_until(lambda: tell_operator() or all_delivered(here.record), "the server did not post everything", 120)
    assert names_told(outside) == caused
    for alert, heads in VARIANTS.items():
        texts = [text for text in told(outside) if f"#alert-{alert}\n" in text]
        assert [head for head in heads if not any(re.match(head, text) for text in texts)] == []
    assert len(told(outside)) == len(here.events()) - len(here.events("dropship.order."))
    assert told(here.world) == []  # the run itself posted nothing


def test_failed_crashed_silent_and_zombie_runs_are_told_by_the_server_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.events import emit_event
    from prefect.states import Running

    from deployments.automations import acting, telling
    from flows.processing import processing
    from flows.sourcing import sourcing

    monkeypatch.setattr(telling, "SILENT_AFTER", timedelta(seconds=10))
    monkeypatch.setattr(acting, "ZOMBIE_AFTER", timedelta(seconds=10))
    apply(Settings.load())
    try:
        with get_client(sync_client=True) as client:  # a worker and its run, both killed
            zombie: UUID = client.create_flow_run(processing, name="zombie run", state=Running()).id
        whose = {"prefect.resource.role": "flow", "prefect.resource.name": "processing"}
        emit_event(
            "prefect.flow-run.heartbeat",
            resource={"prefect.resource.id": f"prefect.flow-run.{zombie}"},
            related=[{"prefect.resource.id": f"prefect.flow.{uuid4()}", **whose}],
            id=uuid4(),
        )
        nothing_to_source = sourcing(None, 45, 1, return_state=True)  # type: ignore[call-overload]
        assert nothing_to_source.name == "Stopped"  # no word is enabled: told as sourcing's, and no failed run
        sourcing("`no` such @everyone thing {{body}}", 45, 1, return_state=True)  # type: ignore[call-overload]
        (tmp_path / "garbage.sqlite").write_bytes(b"this is no database" * 1_000)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'garbage.sqlite'}")
        broken = processing(return_state=True)  # type: ignore[call-overload]
        assert broken.is_failed()
        by_the_server = {alert.name for alert in ALERTS if alert.seen is Seen.BY_THE_SERVER}
        wait_until(lambda: {*by_the_server, "sourcing"} <= names_told(world), "not all were told")
        wait_until(lambda: any("zombie run" in text for text in told(world)), "the zombie was not told")
    finally:
        remove_all()
    texts = told(world)
    assert sum("#alert-database" in text for text in texts) == 1
    (down,) = [text for text in texts if "#alert-database" in text]
    assert down.startswith("[CRITICAL] Flow run `processing")
    assert "/v2/runs/flow-run/" in down
    assert {text.split("\n")[0] for text in texts if "zombie" in text} == {"[HIGH] Flow run `zombie run` is `Crashed`"}
    (nothing,) = [text for text in texts if "#alert-failed-run" in text and "zombie" not in text]
    assert any(text.startswith("[MEDIUM] Sourcing has no keyword") for text in texts)
    assert "zero lots" in nothing or "no product" in nothing
    assert any(text.startswith("[HIGH] No processing run finished for 30 minutes") for text in texts)
