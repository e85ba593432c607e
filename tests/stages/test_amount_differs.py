"""B9: CJ asks another amount than it quoted. A little more is paid and told; too much is deleted before it is paid."""

from __future__ import annotations

import pytest

from deployments.sandbox.faults import Fault
from tasks import handling, tracking
from tasks.fulfilment import ordering
from tasks.lots import effects
from tests.simulation.poison import NO, NOES
from tests.simulation.rehearsal import HOUR, Rehearsal
from tests.stages.test_fulfilment import BOUGHT, CONFIRM, CREATE, DELETE, only_one, refunded, sold


class TestTheAmountDiffers:
    """B9."""

    def test_a_little_more_is_paid_booked_and_told(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = 17
        stage.cycle()
        assert stage.life(lot)[3:7] == BOUGHT
        only_one(stage)
        (event,) = stage.events("dropship.order.amount-differs")
        assert event.payload["cents"] == 17
        assert stage.sink.posts == []  # an event, not an alert

    def test_too_much_more_is_deleted_before_it_is_paid(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.calls("cj", CONFIRM) == 0
        assert stage.calls("cj", DELETE) == 1

    def test_a_deletion_whose_answer_was_lost_is_ours_and_no_cancellation_by_cj(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.world.faults.plan(Fault("cj", DELETE, "timeout_after", seconds=40))
        stage.cycles(2)
        assert stage.status(lot) == "CJ_PRICE_CHANGED"
        assert stage.calls("cj", DELETE) == 1
        assert stage.incidents(closed=True) == []
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.unsettled() == []

    def test_a_deletion_that_was_begun_is_ended_although_the_order_is_cheap_again(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.world.faults.plan(Fault("cj", DELETE, "timeout_before", seconds=40))
        stage.cycle()
        assert stage.status(lot) == "PAID"
        stage.cj.orders[0].goods_cents -= stage.lot(lot).landed_cents
        stage.advance(HOUR)
        assert ordering.compare_orders(stage.desk, [lot]) == 0, "accepted and deleted at once"
        with stage.record.read() as session:
            assert effects.state_of(session, f"cj-confirm:{lot}") is None
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.unsettled() == []

    def test_a_deletion_that_never_comes_to_an_end_keeps_no_other_order_waiting(self, stage: Rehearsal) -> None:
        stage.person("ada")
        dear, *others = stage.sell(*["ada"] * 3)
        stage.world.faults.plan(Fault("cj", DELETE, "timeout_before", seconds=40, times=10**6))
        made = []

        def dearer(label: str) -> None:
            if label == f"cj {CREATE}" and not made:
                made.append(stage.cj.orders[0])
                made[0].goods_cents *= 3

        stage.exchange.after = dearer
        stage.cycles(2)
        poisoned = [one for one in (dear, *others) if stage.lot(one).cj_order_number == made[0].number]
        assert [stage.status(one) for one in poisoned] == ["PAID"]
        healthy = [one for one in (dear, *others) if one not in poisoned]
        assert [stage.status(one) for one in healthy] == ["CJ_PAID", "CJ_PAID"]

    def test_a_confirmed_order_that_is_too_dear_waits_for_a_person_and_keeps_no_other_waiting(
        self, stage: Rehearsal
    ) -> None:
        stage.person("ada")
        stage.sell(*["ada"] * 2)

        def confirmed_and_dearer(label: str) -> None:
            if label == f"cj {CREATE}" and len(stage.cj.orders) == 1:
                stage.cj.orders[0].status = "UNPAID"
                stage.cj.orders[0].goods_cents *= 3

        stage.exchange.after = confirmed_and_dearer
        assert stage.cycle().name == "Completed"
        lives = {lot.cj_order_number: (lot.status, lot.hold_reason) for lot in stage.lots()}
        assert [lives[one.number] for one in stage.cj.orders] == [("PAID", "too dear"), ("CJ_PAID", None)]
        (incident,) = stage.incidents("stuck:refused:")
        assert "It is confirmed" in incident.text

    def test_one_that_cj_does_not_delete_is_a_persons_who_is_told_what_it_costs_and_what_to_type(
        self, stage: Rehearsal
    ) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.exchange.scripted += [(f"cj {DELETE}", NOES["cj"])] * 2
        stage.cycles(3)
        assert (stage.status(lot), stage.calls("cj", DELETE)) == ("PAID", 0)
        (incident,) = stage.incidents()
        assert (incident.cents, incident.command) == (stage.lot(lot).cj_amount_cents, f"pipeline lot retry {lot}")
        assert NO in incident.text
        handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
        stage.cycle()
        assert [one.id for one in stage.incidents()] == [incident.id], "CJ refuses again"
        handling.retry(stage.desk, handling.plan_retry(stage.desk, lot))
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.incidents() == []

    def test_one_that_cj_did_not_delete_is_deleted_and_refunded_by_cancelling_its_lot(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.exchange.scripted += [(f"cj {DELETE}", NOES["cj"])] * 2
        stage.cycle()
        with pytest.raises(handling.Refused, match="does not delete"):
            handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
        handling.cancel(stage.desk, handling.cancel_plan(stage.desk, lot))
        stage.cycles(2)
        assert (stage.status(lot), stage.lot(lot).refund_status) == ("CANCELLED", "SUCCEEDED")
        assert (stage.calls("cj", DELETE), stage.incidents()) == (1, [])

    def test_an_operators_deletion_is_left_to_the_operators_command(self, stage: Rehearsal) -> None:
        """The lot was chosen to be compared just before the operator cancelled it, and was killed."""
        lot = sold(stage)
        stage.world.faults.plan(Fault("cj", "POST /shopping/order/getOrderDetailBatch", "500_before", times=10))
        stage.cycle()
        order_id = stage.cj.orders[0].order_id
        with stage.record.write() as session:
            effects.plan(session, f"cj-delete:{lot}", {"order_id": order_id}, lot_id=lot)
        stage.world.faults.clear()
        assert ordering.compare_orders(stage.desk, [lot]) == 0
        assert (stage.status(lot), stage.calls("cj", DELETE)) == ("PAID", 0)

    def test_a_reading_older_than_the_deletion_does_not_revive_the_order(self, stage: Rehearsal) -> None:
        """Two workers compare one order: the slower one's answer is from before the other deleted it."""
        lot, older = sold(stage), []

        def read(label: str) -> None:
            if label == f"cj {DELETE}":
                stage.exchange.before = lambda _: None
                older.extend(stage.desk.cj.orders([stage.lot(lot).cj_order_number]))

        stage.cj.options.order_surcharge_cents = stage.lot(lot).landed_cents
        stage.exchange.before = read
        stage.cycle()
        assert stage.status(lot) == "CJ_PRICE_CHANGED"
        assert ordering.compare(stage.desk, lot, older[0]) is False
        with stage.record.write() as session:
            assert tracking.apply(session, lot, older[0]) is False
        assert stage.lot(lot).cj_status == "CANCELLED"
        refunded(stage, lot, "CJ_PRICE_CHANGED")
