"""The judge sees: of a run that kept every promise something is taken, doubled or bent, and the right promise cries.

A promise that no bent world breaks would be kept by nothing.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text, update

from tasks.lots import approvals, clock, incidents
from tasks.lots.engine import Record
from tasks.lots.incidents import Trouble
from tasks.lots.models import History, Lot
from tests.simulation.attended import unasked
from tests.simulation.play import Play, Scripted
from tests.simulation.promises import PROMISES, broken

Bend = Callable[[Play], object]
pytestmark = pytest.mark.xdist_group("judge")  # one life for all of them


def written(statement: str) -> Bend:
    """A change in our own record, behind the pipeline's back."""

    def bend(play: Play) -> None:
        with play.record.quietly() as session:
            session.execute(text(statement))

    return bend


def paid_invoice(play: Play) -> Any:
    return next(one for one in play.stage.bank.store.invoices.values() if one["status"] == "paid")


def pay(play: Play) -> Any:
    return next(one for one in play.stage.cj.payments if one.kind == "pay")


def twin(rows: Any, key: str = "id", **more: Any) -> None:
    """One of some rows is there twice."""
    first = next(one for one in rows.values())
    rows["twin"] = {**first, key: "twin", **more} if isinstance(first, dict) else vary(first, id="twin", **more)


def vary(thing: Any, **more: Any) -> Any:
    other = copy.copy(thing)
    for name, value in more.items():
        setattr(other, name, value)
    return other


def another_invoice(play: Play) -> None:
    store, first = play.stage.bank.store, paid_invoice(play)
    store.invoices["twin"] = {**first, "id": "twin"}
    store.lines["twin"], store.payments["twin"] = store.lines[first["id"]], []


def given_back_early(play: Play) -> None:
    """All of a payment went back some minutes before its lot was ordered."""
    (order, *_), store = play.stage.cj.orders, play.stage.bank.store
    lot = next(one for one in play.stage.lots() if one.cj_order_number == order.number)
    intent = store.payments[lot.stripe_invoice_id][0]["payment"]["payment_intent"]
    charge = store.charges[store.intents[intent]["latest_charge"]]
    created = int((order.created - timedelta(minutes=5)).timestamp())
    twin(store.refunds, charge=charge["id"], amount=charge["amount"], created=created)


def told(key: str, *changes: str, invoice: bool = False) -> Bend:
    """A lot is left as the changes say, and the operator is told of this."""

    def bend(play: Play) -> None:
        with play.record.quietly() as session:
            lot = session.scalars(select(Lot).where(Lot.refund_status == "SUCCEEDED")).one()
            for change in changes:
                session.execute(text(change.format(lot=lot.id)))
            about = {"lot": lot.id, "invoice": lot.invoice_id, "stripe": f"{lot.stripe_invoice_id}7"}
            title = f"The payment of invoice {lot.stripe_invoice_id}7 is disputed"
            lot_id = None if invoice else lot.id
            incidents.report(session, Trouble(key.format(**about), "refund", "HIGH", title, "Wait.", lot_id=lot_id))

    return bend


def ordered(when: str, *, ours: bool = False) -> Bend:
    """The first order was made, or paid for, a second before its payment was captured; or before it was recorded."""

    def bend(play: Play) -> None:
        (order, *_), store = play.stage.cj.orders, play.stage.bank.store
        lot = next(one for one in play.stage.lots() if one.cj_order_number == order.number)
        payment = next(one for one in play.stage.cj.payments if one.number == order.number and one.kind == "pay")
        at = order.created if when == "created" else payment.at
        if ours:
            hop = update(History).where(History.lot_id == lot.id, History.to == "PAID")
            with play.record.quietly() as session:
                session.execute(hop.values(at=at + timedelta(seconds=1)))
            return
        intent = store.payments[lot.stripe_invoice_id][0]["payment"]["payment_intent"]
        charge = store.charges[store.intents[intent]["latest_charge"]]
        if when == "paid":
            order.created = at + timedelta(days=9)  # so that the payment alone came too early
        charge["created"] = int(at.timestamp()) + 1

    return bend


def order_for_the_refunded(play: Play) -> None:
    """CJ has a living order of the lot whose money went back."""
    lot = next(one for one in play.stage.lots() if one.refund_status == "SUCCEEDED")
    written(f"update lots set cj_order_number = 'HS-99' where id = {lot.id}")(play)
    play.stage.cj.orders.append(vary(play.stage.cj.orders[0], number="HS-99", order_id="another"))


def captured_in_part(play: Play) -> None:
    """Stripe has the order's payment, but not all of it."""
    lot = next(one for one in play.stage.lots() if one.cj_order_number == play.stage.cj.orders[0].number)
    play.stage.bank.store.invoices[lot.stripe_invoice_id]["amount_paid"] += 1


def nothing_at_all(play: Play) -> None:
    stage, store = play.stage, play.stage.bank.store
    for rows in (stage.house.sales, stage.house.orders, stage.cj.orders, stage.cj.payments, stage.post.mails):
        rows.clear()
    for rows in (store.invoices, store.payments, store.charges, store.refunds, store.movements, store.notes):
        rows.clear()
    for table in ("history", "ledger_entries", "effects", "invoice_lines", "lots", "invoices"):
        written(f"delete from {table}")(play)


def first_sale(play: Play) -> Any:
    return next(iter(play.stage.house.sales.values()))


PLANNED_STILL = "update lots set refund_status = 'PLANNED' where refund_status = 'SUCCEEDED'"
#: What is bent, and the promise that must cry.
BENT: dict[str, tuple[str, Bend]] = {
    "an order is there twice": (
        "ordered and bought once",
        lambda play: play.stage.cj.orders.append(vary(play.stage.cj.orders[0], order_id="twin")),
    ),
    "an order was paid twice": (
        "ordered and bought once",
        lambda play: play.stage.cj.payments.append(copy.copy(pay(play))),
    ),
    "an invoice is there twice": ("charged once, and exactly", another_invoice),
    "an invoice was paid twice": (
        "charged once, and exactly",
        lambda play: play.stage.bank.store.payments[paid_invoice(play)["id"]].extend(
            play.stage.bank.store.payments[paid_invoice(play)["id"]]
        ),
    ),
    "a cent too much was billed": (
        "charged once, and exactly",
        lambda play: play.stage.bank.store.lines[paid_invoice(play)["id"]][0].update(amount=1),
    ),
    "a charge pays no invoice": (
        "charged by an invoice alone",
        lambda play: twin(play.stage.bank.store.charges, amount_captured=100),
    ),
    "more went back than was taken": (
        "no refund above its share",
        lambda play: [one.update(amount_refunded=10**6) for one in play.stage.bank.store.charges.values()],
    ),
    "a paid lot ended without its money": (
        "every lot ends",
        written("update lots set refund_status = 'FAILED' where refund_status is not null"),
    ),
    "a refund is planned for ever": ("every lot ends", written(PLANNED_STILL)),
    "a refund is pending for ever": ("every lot ends", written(PLANNED_STILL.replace("PLANNED", "PENDING"))),
    "its refund is planned for ever, and another's failure is told": (
        "every lot ends",
        told("refund:failed:77", PLANNED_STILL),
    ),
    "its refund is planned for ever, and its cancelled order is told": (
        "every lot ends",
        told("cancelled:lot:{lot}", PLANNED_STILL),
    ),
    "its refund is planned for ever, and a failed one is told": (
        "every lot ends",
        told("refund:failed:{lot}", PLANNED_STILL),
    ),
    "its refund is pending for ever, and a dispute about it is told": (
        "every lot ends",
        told("refund:disputed:{lot}", PLANNED_STILL.replace("PLANNED", "PENDING")),
    ),
    "its refund is planned for ever, and its void invoice is told": (
        "every lot ends",
        told("invoice:{invoice}:voided", PLANNED_STILL, invoice=True),
    ),
    "a lot is under dispute, and another invoice's dispute is told": (
        "every lot ends",
        told("dispute:dp_1", "update lots set status = 'CJ_PAID', hold_reason = 'dispute' where id = {lot}"),
    ),
    "a lot is not even ordered, and a payment at CJ without effect is told": (
        "every lot ends",
        told("pay:lot:{lot}", "update lots set status = 'PAID' where id = {lot}"),
    ),
    "an effect is open": ("every effect is settled", written("update effects set state = 'UNKNOWN'")),
    "it was bought before it was paid for": (
        "bought only when paid for, within the cap",
        lambda play: [one.update(created=2**40) for one in play.stage.bank.store.charges.values()],
    ),
    "it was ordered before it was paid for": ("bought only when paid for, within the cap", ordered("created")),
    "it was paid at CJ before it was paid for": ("bought only when paid for, within the cap", ordered("paid")),
    "it was ordered before that was on record": (
        "bought only when paid for, within the cap",
        ordered("created", ours=True),
    ),
    "it was bought before that was on record": (
        "bought only when paid for, within the cap",
        ordered("paid", ours=True),
    ),
    "its payment was captured in part": ("bought only when paid for, within the cap", captured_in_part),
    "the books had its payment late": (
        "bought only when paid for, within the cap",
        written("update ledger_entries set at = '2027-01-01 00:00:00' where kind = 'hammer'"),
    ),
    "its order was planned before it was paid for": (
        "our record breaks no promise by itself",
        written("update effects set created_at = '2020-01-01 00:00:00' where kind = 'cj-order'"),
    ),
    "an item is nobody's": (
        "every item is a lot's",
        lambda play: first_sale(play).items.append(vary(first_sale(play).items[0], id="twin")),
    ),
    "a sale is there twice": (
        "every item is a lot's",
        lambda play: play.stage.house.sales.update(twin=vary(first_sale(play), id="twin", items=[])),
    ),
    "an item is on two orders": ("every item is a lot's", lambda play: twin(play.stage.house.orders)),
    "a ledger row is gone": ("the books tie", written("delete from ledger_entries where kind = 'stripe_fee'")),
    "a refund is there twice": ("the books tie", lambda play: twin(play.stage.bank.store.refunds)),
    "a hop is gone": ("only lawful moves", written("delete from history where seq = 3")),
    "a mail went twice": (
        "one mail a key",
        lambda play: play.stage.post.mails.append(play.stage.post.mails[0]),
    ),
    "two calls came at once": (
        "CJ's pace",
        lambda play: play.stage.world.calls.append(
            next(one for one in reversed(play.stage.world.calls) if one.vendor == "cj")
        ),
    ),
    "an empty quota was called": ("CJ's quota", lambda play: play.stage.meter.overruns.append("/product/query")),
    "a street is in the log": (
        "no secret and no address",
        lambda play: play.stage.log.append("the parcel goes to 1 Orchard Row"),
    ),
    "an e-mail address is in the log": (
        "no secret and no address",
        lambda play: play.stage.log.append("told ada@demo.invalid"),
    ),
    "a key is in the log": ("no secret and no address", lambda play: play.stage.log.append("Bearer sk_test_sandbox")),
    "an order is no lot's": (
        "every order is a lot's that lives",
        lambda play: play.stage.cj.orders.append(vary(play.stage.cj.orders[0], number="HS-77", order_id="twin")),
    ),
    "an order lives on, and its lot is told to be stuck": (
        "every order is a lot's that lives",
        lambda play: (told("stuck:lot:{lot}")(play), order_for_the_refunded(play)),
    ),
    "an order was far dearer": (
        "bought within the limit",
        lambda play: play.stage.cj.payments.append(replace(pay(play), cents=-(10**6))),
    ),
    "it was ordered after all went back": ("not ordered when the money went back", given_back_early),
    "a draft advances by itself": (
        "billed what was won, with its fees",
        lambda play: paid_invoice(play).update(auto_advance=True),
    ),
    "an ended lot's invoice asks for money": (
        "billed what was won, with its fees",
        lambda play: [
            one.update(status="open") for one in play.stage.bank.store.invoices.values() if one["status"] == "void"
        ],
    ),
    "a part of a lot was given back": (
        "given back whole",
        lambda play: [one.update(subtotal=1) for one in play.stage.bank.store.notes.values()],
    ),
    "nobody was told": ("everybody is told, once", written("delete from effects where kind = 'mail'")),
    "nothing was delivered": (
        "delivered is what CJ delivered",
        lambda play: [setattr(one, "delivered", None) for one in play.stage.cj.orders],
    ),
    "nothing is ordered": ("delivered is what CJ delivered", lambda play: play.stage.cj.orders.clear()),
    "a parcel goes elsewhere": (
        "sent to who won it",
        lambda play: play.stage.cj.orders[0].address.update(line1="2 Other Street"),
    ),
    "another thing was ordered": (
        "sent to who won it",
        lambda play: setattr(play.stage.cj.orders[0], "lines", play.stage.cj.orders[1].lines),
    ),
    "nothing was given back": (
        "refunded is what Stripe gave back",
        lambda play: play.stage.bank.store.refunds.clear(),
    ),
    "Basta was not told of a payment": (
        "Basta shows what became of an order",
        lambda play: [setattr(one, "status", "PUBLISHED") for one in play.stage.house.orders.values()],
    ),
    "nothing was done": ("something was made", nothing_at_all),
}


class Bending(Scripted):
    """The scripted life, at whose end each change is made in a fork of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.cries: dict[str, list[str]] = {}

    def ended(self) -> list[str]:
        """What broke without any change."""
        for name, bend in {**{name: bend for name, (_, bend) in BENT.items()}, **HELD}.items():
            ours, theirs = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    bend(self)
                    told = sorted({one.split(": ", 1)[0] for one in broken(self.stage)})
                except BaseException as error:
                    told = [f"{type(error).__name__}: {error}"]
                os.write(theirs, json.dumps(told).encode())
                os._exit(0)
            os.close(theirs)
            with os.fdopen(ours) as told_by:
                self.cries[name] = json.load(told_by)
            os.waitpid(pid, 0)
        return super().ended()


@pytest.fixture(scope="module")
def cries() -> dict[str, list[str]]:
    play = Bending()
    result = play.run()
    assert result.kept, result.violations
    return play.cries


@pytest.mark.parametrize("name", BENT)
def test_a_world_that_was_bent_breaks_its_promise(cries: dict[str, list[str]], name: str) -> None:
    assert BENT[name][0] in cries[name]


#: What is left to a person truly, and told as that: no promise is broken by the lot that waits.
HELD: dict[str, Bend] = {
    "a refund is frozen by a dispute": told("refund:disputed:{lot}", PLANNED_STILL),
    "an order at CJ may live": told("refund:unproven:{lot}", PLANNED_STILL),
    "a refund failed": told("refund:failed:{lot}", PLANNED_STILL.replace("PLANNED", "FAILED")),
}


@pytest.mark.parametrize("name", HELD)
def test_what_is_before_a_person_breaks_no_promise_of_an_end(cries: dict[str, list[str]], name: str) -> None:
    assert {"every lot ends", "our record breaks no promise by itself"}.isdisjoint(cries[name])


def test_every_promise_is_broken_by_something() -> None:
    assert {promise for promise, _ in BENT.values()} == set(PROMISES)


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def answered(record: Record, kind: str, subject: str, cents: int, at: datetime) -> None:
    """A person said yes."""
    with clock.held_by(lambda: at, lambda _: None), record.write() as session:
        words: dict[str, Any] = {"question": "May I?", "reason": "It is dear.", "amount_cents": cents, "facts": {}}
        row = approvals.ask(session, subject, kind=kind, lasts=timedelta(hours=9), **words)
        assert approvals.answer(session, row.id, True, "the operator", lasts=timedelta(hours=9))


@pytest.mark.parametrize(
    ("granted", "hours", "broken"),
    [(0, 0, True), (900, -1, False), (900, 1, True), (899, -1, True)],
    ids=["nobody", "before", "after", "too little"],
)
def test_a_day_may_spend_its_cap_or_what_a_person_had_granted_by_then(
    sqlite_record: Record, granted: int, hours: float, broken: bool
) -> None:
    if granted:
        answered(sqlite_record, "spend", f"spend:{NOON:%Y-%m-%d}", granted, NOON + timedelta(hours=hours))
    paid = SimpleNamespace(kind="pay", order_id="o", number="n", cents=-900, at=NOON)
    stage: Any = SimpleNamespace(
        record=sqlite_record,
        settings=SimpleNamespace(daily_cap_cents=500),
        lots=list,
        cj=SimpleNamespace(payments=[paid], orders=[]),
        bank=SimpleNamespace(store=SimpleNamespace(invoices={})),
    )
    told = list(PROMISES["bought only when paid for, within the cap"](stage))
    assert ("900 cents were spent on 2026-03-02" in told) is broken


def test_what_was_done_before_a_person_said_yes_is_seen_and_what_one_yes_began_twice(sqlite_record: Record) -> None:
    refund, sale = {"id": "re_1", "created": int(NOON.timestamp())}, SimpleNamespace(operation="createSale", at=NOON)
    stage: Any = SimpleNamespace(
        record=sqlite_record,
        bank=SimpleNamespace(store=SimpleNamespace(refunds={"re_1": refund})),
        world=SimpleNamespace(calls=[sale]),
    )
    assert list(unasked(stage, 1)) == ["refund re_1 was made", "a dear word was sourced"]
    answered(sqlite_record, "cost", "cost:usb hub:6000", 6_000, NOON + timedelta(seconds=1))
    answered(sqlite_record, "refunds", "refunds:1", 100, NOON - timedelta(hours=1))
    assert list(unasked(stage, 2)) == ["a dear word was sourced", "one yes began 2 runs"]
    answered(sqlite_record, "cost", "cost:phone stand:6000", 6_000, NOON - timedelta(hours=1))
    assert list(unasked(stage, 1)) == []
