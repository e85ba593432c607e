"""W1 and W2: webhooks and polls end in the same place, whatever becomes of the webhooks."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import select

from deployments.sandbox.faults import Fault
from tasks.lots.engine import Record, connect
from tasks.lots.records import InboxEvent
from tests.simulation.courier import Courier
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal


def ending(stage: Rehearsal) -> dict[int, list[str]]:
    stage.person("ada")
    stage.person("ben", "recovers", pays_after=3 * HOUR)
    stage.sell("ada", "ada", "ben")
    stage.cj.delist(stage.lot(2).cj_vid)
    stage.until_quiet(apart=4 * HOUR)
    return stage.lives()


ROAD = ["SOURCED", "LISTED", "PUBLISHED", "AUCTION_CLOSED"]
PARCEL = ["CJ_ORDERED", "CJ_PAID", "SHIPPED", "DELIVERED"]
LIVES = {
    1: [*ROAD, "PAID", *PARCEL],
    2: [*ROAD, "PAID", "CJ_OUT_OF_STOCK", "CANCELLED"],
    3: [*ROAD, "PAYMENT_FAILED", "PAID", *PARCEL],
}


@pytest.mark.parametrize("mode", ["normal", "lost", "doubled", "shuffled"])
def test_every_lot_reaches_the_same_end_and_nothing_happens_twice(stage: Rehearsal, mode: str) -> None:
    courier = stage.listen(mode)
    assert ending(stage) == LIVES
    if mode == "lost":
        assert courier.answers == []
    else:
        assert {source for source, _, _ in courier.answers} == {"basta", "cj", "stripe"}
        assert {status for _, label, status in courier.answers if label != "probe"} == {200}
    assert len(stage.cj.orders) == 2
    assert sorted(len(one) for one in stage.bank.store.payments.values()) == [1, 1]
    assert len(stage.bank.store.refunds) == 1
    keys = [mail.key for mail in stage.post.mails]
    assert len(keys) == len(set(keys))
    with stage.record.read() as session:
        assert [one.id for one in session.scalars(select(InboxEvent).where(InboxEvent.handled_at.is_(None)))] == []


def test_a_payment_is_learned_from_its_webhook_alone_while_stripes_list_is_away(stage: Rehearsal) -> None:
    """The invoice is told of; nothing else asks for it before its time."""
    stage.listen()
    stage.person("ada", "no_card", pays_after=2 * HOUR)
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.advance(3 * HOUR)
    stage.cycle()
    assert stage.status(lot) in ("PAID", "CJ_PAID")
    assert stage.invoices()[0].told_by_webhook


def test_news_that_come_late_move_nothing_back(stage: Rehearsal) -> None:
    """W2: DELIVERED before SHIPPED."""
    stage.cj.options.ship_after_seconds = stage.cj.options.deliver_after_seconds = 90 * DAY
    stage.listen()
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    number = stage.lot(lot).cj_order_number
    stage.cj.ship(number)
    late = list(stage.world.deliveries)
    stage.world.deliveries.clear()
    stage.cj.deliver(number)
    stage.cycle()
    assert stage.status(lot) == "DELIVERED"
    stage.world.deliveries.extend(late)
    stage.cycle()
    assert stage.life(lot)[-3:] == ["CJ_PAID", "SHIPPED", "DELIVERED"]
    assert len(stage.mails("order_shipped")) == len(stage.mails("order_delivered")) == 1


def test_an_event_is_handled_only_after_its_work_is_done(stage: Rehearsal) -> None:
    """W4: the work fails, and the event waits for the next cycle."""
    stage.listen()
    stage.person("ada", "no_card", pays_after=2 * HOUR)
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.advance(3 * HOUR)
    stage.world.faults.plan(Fault("stripe", "GET /v1/invoices/{id}", "500_before", times=2))
    stage.cycle()
    assert stage.status(lot) == "AUCTION_CLOSED"
    with stage.record.read() as session:
        assert session.scalars(select(InboxEvent).where(InboxEvent.handled_at.is_(None))).all()
    stage.cycle()
    assert "PAID" in stage.life(lot)


def test_a_receiver_killed_between_its_answer_and_the_work_leaves_the_work_in_the_inbox(stage: Rehearsal) -> None:
    """W4: a process of its own answers 200, and is gone by SIGKILL before anything was done."""
    courier = stage.listen()
    stage.person("ada", "no_card", pays_after=2 * HOUR)
    (lot,) = stage.sell("ada")
    stage.cycle()
    stage.advance(2 * HOUR - 120)
    stage.courier = None  # what the vendors send now waits for the process below
    stage.advance(240)
    answers, status = answered_and_killed(stage)
    stage.world.deliveries.clear()
    stage.courier = courier
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert answers
    assert set(answers) == {"stripe 200"}
    assert stage.status(lot) == "AUCTION_CLOSED"
    assert not stage.invoices()[0].told_by_webhook
    stage.cycle()
    assert "PAID" in stage.life(lot)
    assert stage.invoices()[0].told_by_webhook  # by the inbox, and not by the poll
    assert len(stage.cj.orders) == 1
    with stage.record.read() as session:
        assert [one.id for one in session.scalars(select(InboxEvent).where(InboxEvent.handled_at.is_(None)))] == []


def answered_and_killed(stage: Rehearsal) -> tuple[list[str], int]:
    """Let a real process take all that waits, and die as soon as it has answered; its answers, and its end."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            record = Record(connect(stage.record.engine.url.render_as_string(hide_password=False)))
            receiver = Courier(stage.world, record, stage.settings)
            receiver.deliver()
            os.write(theirs, "\n".join(f"{source} {status}" for source, _, status in receiver.answers).encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(theirs)
    with os.fdopen(ours) as told:
        answers = told.read().splitlines()
    return answers, os.waitpid(child, 0)[1]
