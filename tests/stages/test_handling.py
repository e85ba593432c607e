"""What an operator does to one lot by hand: shown before, done once, refused with a sentence where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from deployments.sandbox.faults import Fault
from deployments.sandbox.wire import Reply
from tasks import handling
from tasks.fulfilment import ordering
from tasks.handling import CANCELLING, Refused
from tasks.lots.ledger import Kind, total
from tasks.lots.moving import hold
from tasks.lots.states import LotStatus
from tests.simulation.knife import Killed
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.conftest import Stage
from tests.stages.test_refunding import refunds, share

READS = ("GET", "items", "sale", "userOrders", "user", "account")


def writes(stage: Rehearsal, since: int = 0) -> list[tuple[str, str]]:
    """What changed the outside world since then, by the sandbox's own log."""
    calls = [(call.vendor, call.operation) for call in stage.world.calls[since:]]
    return [one for one in calls if not one[1].startswith(READS) and not one[1].endswith("preview")]


def cancel(stage: Rehearsal, lot: int) -> str:
    return handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))


def announced(stage: Rehearsal, lot: int) -> list[tuple[str, str]]:
    """What the dry run shows; it asks nobody."""
    before = len(stage.world.calls)
    plan = handling.cancel_plan(stage.desk, lot)
    assert stage.world.calls[before:] == []
    assert plan.refused is None
    return [(call.vendor, call.operation) for call in plan.calls]


def listed(stage: Rehearsal) -> int:
    stage.source(publish=False)
    return stage.lots()[-1].id


def published(stage: Rehearsal) -> int:
    stage.source()
    return stage.lots()[-1].id


def invoiced(stage: Rehearsal) -> int:
    stage.person("ada", "ignores")
    (lot,) = stage.sell("ada")
    stage.cycle()
    return lot


def paid(stage: Rehearsal) -> int:
    """Paid, and held before anything was ordered."""
    stage.person("ada", address=None)
    (lot,) = stage.sell("ada")
    stage.cycle()
    return lot


def unconfirmed(stage: Rehearsal) -> int:
    """Paid, with an order at CJ that nobody confirmed yet."""
    lot = paid(stage)
    handling.set_address(stage.desk, handling.plan_address(stage.desk, lot), handling.address_of(WHERE))
    assert ordering.order_goods(stage.desk, lot) == "done"
    return lot


def out_of_stock(stage: Rehearsal) -> int:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cj.delist(stage.lot(lot).cj_vid)
    stage.cycle()
    return lot


def dearer(stage: Rehearsal) -> int:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cj.set_price(stage.lot(lot).cj_vid, stage.lot(lot).goods_cents * 3)
    stage.cycle()
    return lot


def declined(stage: Rehearsal) -> int:
    stage.person("ada", "declined")
    (lot,) = stage.sell("ada")
    stage.cycle()
    return lot


def bought(stage: Rehearsal) -> int:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    stage.cycle()
    return lot


def ordered(stage: Rehearsal) -> int:
    """Ordered at CJ and confirmed, and not paid for want of balance."""
    stage.cj.set_balance(0)
    return bought(stage)


Way = Callable[[Rehearsal], int]
CANCELLABLE = [
    pytest.param(listed, LotStatus.LISTED, id="LISTED"),
    pytest.param(published, LotStatus.PUBLISHED, id="PUBLISHED"),
    pytest.param(invoiced, LotStatus.AUCTION_CLOSED, id="AUCTION_CLOSED"),
    pytest.param(paid, LotStatus.PAID, id="PAID"),
    pytest.param(unconfirmed, LotStatus.PAID, id="PAID, with an unconfirmed order"),
    pytest.param(declined, LotStatus.PAYMENT_FAILED, id="PAYMENT_FAILED"),
    pytest.param(out_of_stock, LotStatus.CJ_OUT_OF_STOCK, id="CJ_OUT_OF_STOCK"),
    pytest.param(dearer, LotStatus.CJ_PRICE_CHANGED, id="CJ_PRICE_CHANGED"),
]


def test_the_table_tells_of_all_fourteen_statuses() -> None:
    assert set(CANCELLING) == set(LotStatus)
    assert all(does for _, does in CANCELLING.values())


@pytest.mark.parametrize(("way", "status"), CANCELLABLE)
def test_a_cancellation_makes_the_calls_it_announced_and_no_other_and_twice_changes_nothing(
    stage: Rehearsal, way: Way, status: LotStatus
) -> None:
    lot = way(stage)
    assert stage.status(lot) is status
    shown = announced(stage, lot)
    since = len(stage.world.calls)
    cancel(stage, lot)
    assert writes(stage, since) == shown
    assert stage.status(lot) is LotStatus.CANCELLED
    after = len(stage.world.calls)
    with pytest.raises(Refused, match="cancelled already"):
        cancel(stage, lot)
    assert stage.world.calls[after:] == []
    stage.cycles(3)
    assert refunds(stage) == ([share(stage, lot)] if way in (paid, unconfirmed, out_of_stock, dearer) else [])
    assert stage.unsettled() == []


def test_a_cancelled_lot_of_a_live_sale_is_sold_to_nobody_and_the_others_are(stage: Rehearsal) -> None:
    stage.person("ada")
    for number in (1, 2):
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=number, sale_title="phone stand")
    stage.source(products=2)
    one, two = (lot.id for lot in stage.lots())
    cancel(stage, one)
    stage.advance(27 * HOUR)
    stage.cycles(2)
    assert [str(stage.status(lot)) for lot in (one, two)] == ["CANCELLED", "CJ_PAID"]
    assert stage.life(one)[-2:] == ["PUBLISHED", "CANCELLED"]


def test_a_lot_that_is_won_already_stays_and_its_winner_is_invoiced(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")  # closed at Basta, and our record does not know it yet
    with pytest.raises(Refused, match="bidding on it is over"):
        cancel(stage, lot)
    assert ("basta", "removeItemFromSale") not in writes(stage)
    stage.cycles(2)
    assert str(stage.status(lot)) == "CJ_PAID"


def test_where_basta_refuses_the_lot_stays_and_the_same_command_may_be_tried_again(stage: Rehearsal) -> None:
    lot = published(stage)
    no = Reply.of({"errors": [{"message": "the sale is live"}]})
    stage.exchange.scripted.append(("basta removeItemFromSale", no))
    with pytest.raises(Refused, match="the sale is live"):
        cancel(stage, lot)
    assert stage.status(lot) is LotStatus.PUBLISHED
    stage.advance(600)
    cancel(stage, lot)
    assert stage.status(lot) is LotStatus.CANCELLED


def test_an_unpaid_lot_of_an_invoice_is_credited_and_the_buyer_pays_for_the_other_only(rehearse: Stage) -> None:
    stage = rehearse()
    stage.person("ada", "no_card")
    one, two = stage.sell("ada", "ada")
    stage.cycle()
    assert stage.status(one) is LotStatus.AUCTION_CLOSED
    (invoice,) = stage.invoices()
    assert invoice.status == "OPEN"
    cancel(stage, one)
    assert stage.status(one) is LotStatus.CANCELLED
    assert refunds(stage) == []
    stage.cycles(15, apart=4 * HOUR)
    assert str(stage.status(two)) in ("CJ_PAID", "SHIPPED", "DELIVERED", "CANCELLED")
    assert stage.status(one) is LotStatus.CANCELLED


def test_after_cj_was_paid_and_at_the_end_it_is_refused_with_a_sentence(stage: Rehearsal) -> None:
    lot = bought(stage)
    assert stage.status(lot) is LotStatus.CJ_PAID
    since = len(stage.world.calls)
    plan = handling.cancel_plan(stage.desk, lot)
    assert plan.refused == (f"lot {lot} is CJ_PAID: CJ cannot cancel an order that is paid; open a dispute at CJ.")
    with pytest.raises(Refused):
        handling.cancel(stage.desk, plan)
    assert stage.world.calls[since:] == []
    assert "CJ order is paid" in (handling.refund_plan(stage.desk, lot).refused or "")


def test_a_confirmed_order_is_not_paid_any_more_and_its_deletion_by_hand_refunds_the_buyer(stage: Rehearsal) -> None:
    lot = ordered(stage)
    assert stage.status(lot) is LotStatus.CJ_ORDERED
    assert announced(stage, lot) == []
    cancel(stage, lot)
    stage.cj.set_balance(100_000_00)
    stage.cycles(3)
    assert stage.status(lot) is LotStatus.CJ_ORDERED
    assert stage.calls("cj", "POST /shopping/pay/payBalance") == 0
    stage.cj.cancel_order(stage.lot(lot).cj_order_id)
    stage.advance(DAY)
    stage.cycles(3)
    assert stage.status(lot) is LotStatus.CANCELLED
    assert refunds(stage) == [share(stage, lot)]


def test_a_retry_lets_a_confirmed_order_be_paid_after_all(stage: Rehearsal) -> None:
    lot = ordered(stage)
    cancel(stage, lot)
    stage.cj.set_balance(100_000_00)
    assert "cancel asked" in handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    stage.cycles(2)
    assert stage.status(lot) is LotStatus.CJ_PAID


def test_an_order_that_may_be_confirmed_is_left_alone_until_that_is_known(stage: Rehearsal) -> None:
    stage.world.faults.plan(Fault("cj", "PATCH /shopping/order/confirmOrder", "timeout_after"))
    lot = bought(stage)
    assert stage.status(lot) is LotStatus.PAID
    with pytest.raises(Refused, match=f"a CJ order may exist, as cj-confirm:{lot} is not decided"):
        cancel(stage, lot)
    stage.advance(DAY)
    stage.cycles(3)
    assert stage.status(lot) is not LotStatus.CANCELLED
    assert refunds(stage) == []


def test_an_order_of_unknown_fate_is_never_refunded(stage: Rehearsal) -> None:
    stage.world.faults.plan(Fault("cj", "POST /shopping/order/createOrderV2", "timeout_after"))
    lot = bought(stage)
    assert stage.status(lot) is LotStatus.PAID
    plan = handling.cancel_plan(stage.desk, lot)
    assert plan.refused is not None
    assert f"cj-order:{lot}" in plan.refused
    assert refunds(stage) == []


#: Before and after each call that a cancellation makes: so many points of each.
POINTS = {published: 4, paid: 12, unconfirmed: 6}
KILLS = [pytest.param(way, at, id=f"{way.__name__} {at}") for way, number in POINTS.items() for at in range(number)]


@pytest.mark.parametrize(("way", "point"), KILLS)
def test_killed_at_any_call_and_run_again_nothing_happens_twice(stage: Rehearsal, way: Way, point: int) -> None:
    lot = way(stage)
    seen = 0

    def knife(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == point + 1:
            raise Killed

    point, after = divmod(point, 2)
    line = "after" if after else "before"
    setattr(stage.exchange, line, knife)
    try:
        cancel(stage, lot)
    except Killed:
        pass
    finally:
        setattr(stage.exchange, line, lambda _: None)
    stage.advance(900)
    with suppress(Refused):  # it was done before the process died, and is final
        cancel(stage, lot)
    stage.cycles(4)
    assert stage.status(lot) is LotStatus.CANCELLED
    assert refunds(stage) == ([share(stage, lot)] if way in (paid, unconfirmed) else [])
    assert [one for one in writes(stage) if one == ("basta", "removeItemFromSale")] in (
        [[]] if way in (paid, unconfirmed) else [[("basta", "removeItemFromSale")]]
    )
    assert stage.unsettled() == []


def test_a_refund_by_hand_gives_the_lots_own_share_back_once(stage: Rehearsal) -> None:
    lot = paid(stage)
    plan = handling.refund_plan(stage.desk, lot)
    (call,) = plan.calls
    assert (call.vendor, call.operation, call.cents) == ("stripe", "POST /v1/credit_notes", share(stage, lot))
    handling.cancel(stage.desk, plan)
    stage.cycles(3)
    assert refunds(stage) == [share(stage, lot)]
    assert "was made" in (handling.refund_plan(stage.desk, lot).refused or "")
    with stage.record.read() as session:
        assert total(session, Kind.REFUND, lot_id=lot) == -share(stage, lot)


def test_nobody_is_refunded_who_has_not_paid(stage: Rehearsal) -> None:
    lot = published(stage)
    assert "nobody has paid" in (handling.refund_plan(stage.desk, lot).refused or "")


WHERE = {
    "name": "Ada Demo",
    "line1": "7 Secret Lane",
    "line2": "",
    "city": "Springfield",
    "province": "IL",
    "zip_code": "62701",
    "country": "us",
    "phone": "",
}


def test_an_address_given_by_hand_frees_the_lot_and_is_where_cj_sends_it(
    stage: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    lot = paid(stage)
    assert stage.lot(lot).hold_reason == "no address"
    said = handling.set_address(stage.desk, handling.plan_address(stage.desk, lot), handling.address_of(WHERE))
    assert said == "its shipping address is set, and its wait for one ends"
    stage.cycles(2)
    assert stage.status(lot) is LotStatus.CJ_PAID
    assert "7 Secret Lane" in str(stage.cj.book.orders[-1].address)
    assert "Secret Lane" not in caplog.text
    assert "Secret Lane" not in str(handling.story(stage.desk, lot))
    assert "order may be made" in (handling.plan_address(stage.desk, lot).refused or "")


@pytest.mark.parametrize(
    ("part", "value", "why"),
    [("line1", " ", "needs a name"), ("country", "USA", "two letters"), ("city", "x" * 201, "too long"),
     ("name", "a\x00b", "no text")],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_quoted(part: str, value: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as told:
        handling.address_of({**WHERE, part: value})
    assert "Secret" not in str(told.value)


def test_a_retry_ends_a_backoff_and_the_next_cycle_tries_now(stage: Rehearsal) -> None:
    stage.person("ada")
    (lot,) = stage.sell("ada")
    no = Reply.of({"code": 1603000, "result": False, "message": "order create fail", "data": None, "requestId": "r"})
    stage.exchange.scripted.append(("cj POST /shopping/order/createOrderV2", no))
    stage.cycle()
    assert stage.lot(lot).hold_reason == "refused by CJ"
    stage.advance(130)
    stage.cycle()
    assert stage.status(lot) is LotStatus.PAID, "it waits"
    said = handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
    assert said == "its wait for 'refused by CJ' ends; the next cycle tries now"
    stage.cycle()
    assert stage.status(lot) is LotStatus.CJ_PAID


@pytest.mark.parametrize(("hold_reason", "why"), [("dispute", "the bank decides it"), ("refund batch", "answer the")])
def test_what_no_retry_can_end_is_said(stage: Rehearsal, hold_reason: str, why: str) -> None:
    lot = paid(stage)
    with stage.record.write() as session:
        hold(session, lot, hold_reason, "as it is")
    assert why in (handling.plan_retry(stage.desk, lot).refused or "")


def test_a_lots_story_tells_what_happened_why_it_waits_and_what_comes_next(stage: Rehearsal) -> None:
    lot = paid(stage)
    told = handling.story(stage.desk, lot)
    assert [one["to"] for one in told["timeline"]] == ["SOURCED", "LISTED", "PUBLISHED", "AUCTION_CLOSED", "PAID"]
    assert told["waits_for"] == "no address"
    assert "refunded" in told["next"]
    assert told["next_at"] > told["status_since"]
    assert {"basta_item", "stripe_invoice", "cj_variant"} <= {name for name, value in told["ids"].items() if value}
    assert sum(one["cents"] for one in told["money"]) == share(stage, lot)
    assert {f"lot:{lot}", "publish:1"} <= {one["key"] for one in told["effects"]}
    assert {"sale", "lot", "image", "publish", "invoice", "pay"} <= {
        one["key"].partition(":")[0] for one in told["effects"]
    }
    with pytest.raises(handling.UnknownLot, match="no lot has the id 99"):
        handling.story(stage.desk, 99)
