"""What of our promises is broken by the record's own word: goods that nobody paid for, money that never went back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from tasks.lots import incidents
from tasks.lots.incidents import Trouble
from tasks.lots.ledger import Kind
from tasks.lots.models import Invoice, Lot
from tasks.lots.moving import move
from tasks.lots.records import LedgerEntry
from tasks.lots.states import LotStatus
from tasks.reconciling import here
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_reconciling import names
from tests.stages.test_refunding import give_back
from tests.stages.test_reversals import invoice_of, paid


@pytest.mark.parametrize("missing", ["payment", "invoice"])
def test_goods_that_nobody_paid_for_are_a_broken_promise(stage: Rehearsal, missing: str) -> None:
    (one,) = paid(stage, "ada", webhooks=False, order=True)
    with stage.record.write() as session:
        if missing == "payment":
            session.execute(update(Invoice).values(paid_cents=0))
        else:
            session.execute(update(Lot).where(Lot.id == one).values(invoice_id=None))
    found = {(one.vendor, one.what.value, one.about, one.text) for one in stage.reconcile().findings}
    assert ("our record", "promise", f"lot {one}", "it was bought without a captured payment") in found


def test_goods_asked_for_before_their_payment_was_on_record_are_a_broken_promise(stage: Rehearsal) -> None:
    (one,) = paid(stage, "ada", webhooks=False, order=True)
    assert broken_promises(stage) == []
    hammer = LedgerEntry.kind == Kind.HAMMER
    for kind, what in (("cj-order", "ordered"), ("cj-pay", "bought")):
        at = stage.effect(f"{kind}:{one}").created_at + here.SKEW + timedelta(seconds=1)
        for late in (
            update(Lot).values(paid_at=at),
            update(LedgerEntry).where(hammer).values(at=at),
            delete(LedgerEntry).where(hammer),
        ):
            with stage.record.write() as session:
                session.execute(late)
                found = promises(session)
                session.rollback()
            assert f"lot {one}: it was {what} before its payment was on record" in found, late


#: What is told of the lot, how its refund stands, and whether that is truly before a person.
TOLD = [
    (None, None, False),
    ("stuck:lot:{lot}", None, False),
    ("cancelled:lot:{lot}", None, False),
    ("late:cj-order:{lot}", None, False),
    ("refund:failed:{lot}", None, False),
    ("refund:failed:{lot}", "FAILED", True),
    ("refund:failed:1{lot}", "FAILED", False),
    (None, "FAILED", False),
    ("refund:disputed:{lot}", "PLANNED", True),
    ("refund:unproven:{lot}", "PLANNED", True),
    ("refund:failed:{lot}", "PLANNED", False),
    (None, "PLANNED", False),
    (None, "PENDING", False),
    ("refund:disputed:{lot}", "PENDING", False),
    (None, "NONE_DUE", False),
]


def test_money_that_never_went_back_is_a_broken_promise_unless_a_person_was_told_of_it(stage: Rehearsal) -> None:
    (one,) = paid(stage, "ada", webhooks=False)
    give_back(stage, one)
    stage.cycles(3)
    assert stage.status(one) == "CANCELLED"
    stage.advance(15 * DAY)
    for told, stands, excused in TOLD:
        with stage.record.write() as session:
            session.execute(update(Lot).where(Lot.id == one).values(refund_status=stands))
            if told:
                trouble = Trouble(told.format(lot=one), "refund", "HIGH", "It waits", "for somebody", lot_id=one)
                incidents.report(session, trouble)
            found = promises(session)
            session.rollback()
        broken = [] if excused else [f"lot {one}: paid"]
        assert (told, stands, [text.split(",")[0] for text in found]) == (told, stands, broken)


@pytest.mark.parametrize(("stands", "days"), [("PLANNED", 1), ("PENDING", 14)])
def test_a_refund_may_be_on_its_way_for_some_time_and_not_for_ever(stage: Rehearsal, stands: str, days: int) -> None:
    (one,) = paid(stage, "ada", webhooks=False)
    give_back(stage, one)
    stage.cycles(3)
    with stage.record.write() as session:
        session.execute(update(Lot).where(Lot.id == one).values(refund_status=stands, status_since=stage.clock.at))
    stage.advance(days * DAY - 1)
    assert broken_promises(stage) == []
    stage.advance(1)
    text = f"lot {one}: paid, CANCELLED, and its money never went back (its refund is {stands})"
    assert broken_promises(stage) == [text]


def test_a_batch_of_refunds_that_waits_for_a_yes_breaks_no_promise(rehearse: Callable[..., Rehearsal]) -> None:
    stage = rehearse(REFUND_BATCH_LIMIT_USD="1")
    stage.person("ada", "no_card", pays_after=10 * DAY)
    (one,) = stage.sell("ada")
    stage.cycle()
    stage.bank.pay_by_hand(invoice_of(stage)["id"])
    with stage.record.write() as session:
        move(session, one, LotStatus.CANCELLED, why="given up as its buyer paid")
    for _ in range(4):
        stage.cycle()
        stage.advance(12 * HOUR)
    assert (stage.lot(one).refund_status, stage.lot(one).hold_reason) == ("PLANNED", "refund batch")
    assert broken_promises(stage) == []


def broken_promises(stage: Rehearsal) -> list[str]:
    with stage.record.read() as session:
        return promises(session)


def promises(session: Session) -> list[str]:
    return [f"{one.about}: {one.text}" for one in here.promises(session)]


def test_money_that_never_went_back_is_a_broken_promise(stage: Rehearsal) -> None:
    (lot,) = paid(stage, "ada", webhooks=False)
    with stage.record.write() as session:
        move(session, lot, LotStatus.CANCELLED, why="by mistake")
        session.get_one(type(stage.lot(lot)), lot).refund_status = "NONE_DUE"
    assert names(stage) == {("our record", "promise")}
