"""W7: what the operator is told arrives, is cut to the channel's limits, cannot ping, or visibly fails."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from deployments.commands import dashboard
from deployments.sandbox.faults import Fault
from tasks.lots import incidents, pauses
from tasks.lots.incidents import Trouble
from tasks.lots.models import Lot
from tasks.notifying import posting
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.conftest import Stage

NASTY = "@everyone <!channel> <@1> **bold** [click](http://x) `code` {{address}} & co 🎉"


def report(stage: Rehearsal, number: int = 1, text: str = "Look at it.", severity: str = "HIGH") -> None:
    with stage.record.write() as session:
        for one in range(number):
            incidents.report(
                session, Trouble(f"books:{one}", "books", severity, f"Trouble {one}", text, "pipeline status")
            )


def channel(stage: Rehearsal, kind: str, times: int = 1) -> None:
    stage.world.faults.plan(Fault("alerts", "POST *", kind, times=times))


def page(stage: Rehearsal) -> dict[str, Any]:
    with stage.record.read() as session:
        return dashboard.view(session, stage.settings)


def test_a_message_says_how_grave_what_since_when_what_is_at_stake_where_to_look_and_what_to_type(
    stage: Rehearsal,
) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    invoice = stage.lot(lot).stripe_invoice_id
    with stage.record.write() as session:
        incidents.report(
            session,
            Trouble("refund:x", "refund-failed", "CRITICAL", "It failed", "Why.", "pipeline status", lot, 4_250),
        )
    stage.cycle()
    (post,) = stage.sink.posts
    lines = post.text.split("\n")
    assert lines == [
        "[CRITICAL] It failed",
        "Why.",
        "Since 2026-03-03 09:00:00 UTC.",
        "At stake: $42.50.",
        f"Look at: <https://dashboard.stripe.com/test/invoices/{invoice}>",
        "Runbook: deployments/RUNBOOK.md#alert-refund-failed",
        "Type: pipeline status",
    ]


def test_without_an_address_an_alert_is_a_log_line_of_its_severity_and_nothing_is_owed(
    rehearse: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage = rehearse(ALERT_WEBHOOK_URL="")
    report(stage, severity="CRITICAL")
    stage.cycle()
    told = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "dropship.alerts"]
    assert told == [("CRITICAL", "[CRITICAL] Trouble 0: Look at it.")]
    assert page(stage)["untold"] is None
    assert stage.sink.posts == []


@pytest.mark.parametrize("kind", ["429", "500_before", "reset_before", "timeout_before"])
def test_a_channel_that_fails_for_an_hour_gets_every_message_once_it_is_back(
    stage: Rehearsal, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    report(stage, 3)
    channel(stage, kind, times=12)
    with caplog.at_level(logging.WARNING):
        state = stage.cycle()
    assert state.name == "PartiallyDone"  # seen in the UI
    assert "tell: 1 failed" in state.message
    assert "3 messages wait for the operator: the alert channel" in caplog.text
    assert page(stage)["untold"]["messages"] >= 1  # and on the status page
    assert "alerts/discord/1" not in caplog.text + state.message
    asked = [call for call in stage.world.calls if call.vendor == "alerts"]
    assert len(asked) <= 2  # a channel that is down is not hammered
    stage.cycles(14)
    assert sorted(post.text.split("\n")[0] for post in stage.sink.posts) == [
        f"[HIGH] Trouble {one}" for one in range(3)
    ]
    assert page(stage)["untold"] is None
    assert stage.cycle().name == "Completed"


def test_a_short_pause_that_the_channel_asks_for_is_kept_within_the_cycle(stage: Rehearsal) -> None:
    report(stage, 3)
    channel(stage, "429", times=1)
    assert stage.cycle().name == "Completed"
    assert len(stage.sink.posts) == 3


def test_one_message_that_the_channel_refuses_keeps_no_other_back(
    stage: Rehearsal, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    report(stage, 3)
    real = posting.content

    def wrong(kind: str, message: Any) -> dict[str, Any]:
        return {"content": ""} if message["key"] == "books:0" else real(kind, message)

    monkeypatch.setattr(posting, "content", wrong)
    stage.cycle()
    assert len(stage.sink.posts) == 2
    assert "1 message waits for the operator: the alert channel answered HTTP 400" in caplog.text


@pytest.mark.parametrize(("kind", "limit"), [("discord", 2_000), ("slack", 4_000)])
def test_a_text_that_is_too_long_loses_its_end_and_never_the_command(rehearse: Stage, kind: str, limit: int) -> None:
    stage = rehearse(ALERT_WEBHOOK_URL=f"http://127.0.0.1:1/alerts/{kind}/1", ALERT_WEBHOOK_KIND=kind)
    report(stage, text=NASTY * 200)
    stage.cycle()
    (post,) = stage.sink.posts
    assert limit - 60 < len(post.text.encode("utf-16-le")) // 2 <= limit
    assert post.text.endswith(
        " …\nSince 2026-03-02 06:00:00 UTC.\nLook at: "
        + ("<https://dashboard.stripe.com/>" if kind == "discord" else "https://dashboard.stripe.com/")
        + "\nRunbook: deployments/RUNBOOK.md#alert-books\nType: pipeline status"
    )


@pytest.mark.parametrize("kind", ["discord", "slack"])
def test_mentions_and_markup_of_a_product_name_ping_nobody_and_make_no_link(rehearse: Stage, kind: str) -> None:
    stage = rehearse(ALERT_WEBHOOK_URL=f"http://127.0.0.1:1/alerts/{kind}/1", ALERT_WEBHOOK_KIND=kind)
    report(stage, text=NASTY)
    stage.cycle()
    (post,) = stage.sink.posts
    assert post.pings is False
    line = post.text.split("\n")[1]
    if kind == "slack":
        assert "<" not in line
    else:
        assert r"\[click\](http" in line
        assert r"\<@1\>" in line.replace(r"\@", "@")


def test_plain_json_is_the_whole_message_for_a_program(rehearse: Stage) -> None:
    stage = rehearse(ALERT_WEBHOOK_URL="http://127.0.0.1:1/alerts/json/1", ALERT_WEBHOOK_KIND="json")
    report(stage, text=NASTY)
    stage.cycle()
    (message,) = stage.events()
    told = posting.content("json", message.payload)
    assert set(told) == {"severity", "title", "message", "lot_id", "dedup_key", "timestamp", "source"}
    assert stage.sink.posts[0].text == told["message"]
    assert NASTY in told["message"]


def test_twenty_four_hours_with_one_stuck_lot_are_five_messages_at_most(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    stage.cycles(48, apart=HOUR / 2)
    told = [post.text.split("\n")[0] for post in stage.sink.posts]
    assert [" ".join(one.split()[:2]) for one in told] == ["[MEDIUM] Lot", "[MEDIUM] STILL"]
    assert all(f"Lot {lot}" in one for one in told)


def test_a_margin_that_stays_negative_for_a_day_is_told_louder(rehearse: Stage) -> None:
    stage = rehearse(RATE_MINIMUM_LOTS=1)
    stage.person("ada")
    lots = stage.sell("ada", "ada")
    for lot in lots:  # refunded, and Stripe keeps its fee
        stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycles(3, apart=HOUR)  # rates are reckoned once an hour
    (incident,) = stage.incidents("rates:margin")
    assert (incident.severity, incident.title) == ("HIGH", "The margin is negative")
    stage.cycles(5, apart=6 * HOUR)
    (incident,) = stage.incidents("rates:margin")
    assert incident.severity == "CRITICAL"
    assert sum("WORSE The margin has been negative for a day" in post.text for post in stage.sink.posts) == 1


def test_a_login_that_cj_refuses_is_told_at_once_and_so_is_its_end(stage: Rehearsal) -> None:
    stage.person("ada")
    stage.sell("ada")
    stage.advance(2 * HOUR)
    stage.settings.token_path.unlink()
    stage.cj.options.api_key = "another"
    stage.cycle()
    (incident,) = stage.incidents("login:")
    assert incident.severity == "CRITICAL"
    stage.cj.options.api_key = ""
    stage.advance(600)
    stage.cycle()
    assert stage.incidents("login:") == []
    assert [post.text.split("\n")[0] for post in stage.sink.posts] == [
        "[CRITICAL] CJ refuses our login",
        "[CRITICAL] OVER CJ refuses our login",
    ]


class TestWhatIsNoAlert:
    """Normal ends, and mails that do not go."""

    def test_a_reserve_that_was_not_met(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.sell("ada", None, hammer="below_reserve")
        stage.until_quiet()
        assert {str(lot.status) for lot in stage.lots()} == {"RESERVE_NOT_MET"}
        assert stage.sink.posts == []

    def test_a_payment_that_failed(self, stage: Rehearsal) -> None:
        stage.person("ben", "recovers", pays_after=2 * HOUR)
        (lot,) = stage.sell("ben")
        stage.cycles(4, apart=HOUR)
        assert "PAYMENT_FAILED" in stage.life(lot)
        assert stage.sink.posts == []

    @pytest.mark.parametrize("end", ["CJ_OUT_OF_STOCK", "CJ_PRICE_CHANGED"])
    def test_one_lot_that_cannot_be_bought(self, stage: Rehearsal, end: str) -> None:
        stage.person("ada")
        (lot,) = stage.sell("ada")
        vid = stage.lot(lot).cj_vid
        if end == "CJ_OUT_OF_STOCK":
            stage.cj.delist(vid)
        else:
            stage.cj.set_price(vid, 30_000)
        stage.until_quiet()
        assert end in stage.life(lot)
        assert stage.sink.posts == []

    def test_a_mail_that_did_not_go(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.world.faults.plan(Fault("resend", "POST *", "500_before", times=10_000))
        stage.sell("ada")
        stage.cycles(3)
        stage.advance(2 * DAY)
        stage.cycles(3)
        assert stage.mails() == []
        assert stage.sink.posts == []


@pytest.mark.parametrize(("kind", "limit"), [("discord", 2_000), ("slack", 4_000)])
def test_forty_lots_that_get_stuck_in_one_cycle_are_one_message_with_their_number_and_the_worst(
    rehearse: Stage, kind: str, limit: int
) -> None:
    stage = rehearse(ALERT_WEBHOOK_URL=f"http://127.0.0.1:1/alerts/{kind}/1", ALERT_WEBHOOK_KIND=kind)
    stage.person("ada")
    (lot,) = stage.sell("ada")
    with stage.record.write() as session:
        pauses.pause(session, "buying")
    worst = stage.stock_up(lot, 40)[7]
    stage.cycle()
    with stage.record.write() as session:
        session.get_one(Lot, worst).winning_bid_cents = 99_900
    stage.advance(4.5 * HOUR)
    stage.cycle()
    stuck = stage.incidents("stuck:")
    assert len(stuck) == 40
    (post,) = stage.sink.posts
    assert post.text.startswith(f"[MEDIUM] 40 at once, the worst: Lot {worst} has been PAID for 4 hours\n")
    assert f"At stake: ${sum(one.cents or 0 for one in stuck) / 100:,.2f}." in post.text
    assert post.text.count("has been PAID") > 20
    assert len(post.text) <= limit
    assert "Type: pipeline status" in post.text
    assert page(stage)["untold"] is None
    stage.cycle()
    assert len(stage.sink.posts) == 1


def test_many_that_are_told_as_one_are_kept_until_that_one_has_arrived(stage: Rehearsal) -> None:
    report(stage, 30)
    channel(stage, "500_before")
    stage.cycle()
    assert stage.sink.posts == []
    stage.cycle()
    (post,) = stage.sink.posts
    assert "30 at once" in post.text
    report(stage, 33)  # three new ones, which are told apart
    stage.cycle()
    assert len(stage.sink.posts) == 4
