"""C9, C10, L11: what an operator does in the vendors' own pages is adopted, and never undone."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tasks.listing.publishing import publish
from tasks.lots import effects
from tests.simulation.promises import broken
from tests.simulation.rehearsal import DAY, HOUR, Rehearsal
from tests.stages.test_refunding import give_back, share


class TestCreditedLots:
    """C9: only lots whose own lines were captured are PAID."""

    def billed(self, stage: Rehearsal) -> tuple[int, int]:
        stage.person("ada", "no_card", pays_after=10**7)
        one, two = stage.sell("ada", "ada")
        stage.cycle()
        return one, two

    def test_one_lot_is_credited_and_the_rest_paid(self, stage: Rehearsal) -> None:
        one, two = self.billed(stage)
        give_back(stage, one)
        stage.cycle()
        (invoice,) = stage.bank.store.invoices
        stage.bank.pay_by_hand(invoice)
        stage.cycles(3)
        assert stage.bank.store.invoices[invoice]["amount_paid"] == share(stage, two)
        assert stage.status(two) == "CJ_PAID"
        assert stage.status(one) == "CANCELLED"
        assert "PAID" not in stage.life(one)
        assert stage.bank.store.refunds == {}
        assert len(stage.cj.orders) == 1

    def test_all_are_credited_to_zero(self, stage: Rehearsal) -> None:
        lots = self.billed(stage)
        for lot in lots:
            give_back(stage, lot)
        stage.cycles(4)
        (invoice,) = stage.bank.store.invoices.values()
        assert (invoice["status"], invoice["amount_paid"]) == ("paid", 0)
        assert all(stage.life(lot)[-1] == "CANCELLED" and "PAID" not in stage.life(lot) for lot in lots)
        assert stage.cj.orders == []
        assert stage.bank.store.refunds == {}
        assert broken(stage) == []


class TestASaleThatWeOnlyListed:
    """C10."""

    def test_published_by_the_operator_it_is_handled_like_any_sale(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
        assert stage.source(publish=False).is_completed()
        (lot,) = stage.lots()
        assert lot.status == "LISTED"
        (sale,) = stage.house.sales.values()
        for item in sale.items:
            item.opens, item.closes = stage.clock.at + timedelta(hours=1), stage.clock.at + timedelta(hours=5)
        stage.house.publish(sale)
        stage.cycle()
        assert stage.status(lot.id) == "PUBLISHED"
        assert stage.effect(f"publish:{lot.sale_id}").state == "ADOPTED"
        assert stage.calls("basta", "publishSale") == 0
        stage.advance(6 * HOUR)
        stage.until_quiet(apart=2 * DAY)
        assert stage.status(lot.id) == "DELIVERED"
        assert broken(stage) == []
        assert stage.reconcile().clean


WRITES = ("createSale", "createItemForSale", "updateItemForSale", "removeItemFromSale", "publishSale")


class TestInBastasDashboard:
    """L11."""

    def writes(self, stage: Rehearsal) -> int:
        return sum(stage.calls("basta", write) for write in WRITES)

    @pytest.mark.parametrize("published", [False, True], ids=["listed", "published"])
    def test_a_removed_lot_is_cancelled_with_its_reason_and_not_listed_again(
        self, stage: Rehearsal, published: bool
    ) -> None:
        stage.listen()
        assert stage.source(products=2, publish=published).is_completed()
        gone, stays = stage.lots()
        (sale,) = stage.house.sales.values()
        sale.items = [item for item in sale.items if item.id != gone.basta_item_id]
        before = self.writes(stage)
        stage.advance(27 * HOUR)
        stage.cycles(2)  # one answer without it may be a slip of Basta's; the next one is believed
        assert stage.life(gone.id)[-1] == "CANCELLED"
        assert stage.lot(gone.id).error_message == "withdrawn at Basta"
        assert "CANCELLED" not in stage.life(stays.id)
        assert self.writes(stage) == before

    @pytest.mark.parametrize("shown", ["no item", "no sale"])
    def test_one_answer_that_leaves_a_lot_out_gives_no_lot_up(self, stage: Rehearsal, shown: str) -> None:
        stage.person("ada")
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
        assert stage.source().is_completed()
        (lot,) = stage.lots()
        sales, ((sale_id, sale),) = stage.house.sales, stage.house.sales.items()
        items = sale.items
        stage.advance(27 * HOUR)
        if shown == "no sale":
            del sales[sale_id]
        else:
            sale.items = []
        stage.cycle()
        stage.cycle()  # too early to believe the second answer
        waits = stage.lot(lot.id)
        assert (waits.status, waits.hold_reason) == ("PUBLISHED", "not shown")
        sales[sale_id], sale.items = sale, items
        stage.cycles(2)
        assert stage.status(lot.id) == "CJ_PAID"
        assert stage.lot(lot.id).hold_reason is None

    def test_a_cancelled_sale_ends_its_lots_and_is_not_made_again(self, stage: Rehearsal) -> None:
        assert stage.source(products=2).is_completed()
        stage.house.sales.clear()
        before = self.writes(stage)
        stage.advance(27 * HOUR)
        stage.cycles(2)
        assert {lot.error_message for lot in stage.lots()} == {"its sale is gone at Basta"}
        assert {lot.status for lot in stage.lots()} == {"CANCELLED"}
        assert self.writes(stage) == before

    @pytest.mark.parametrize("published", [False, True], ids=["listed", "published"])
    def test_an_edited_lot_is_sold_by_what_the_operator_wrote(self, stage: Rehearsal, published: bool) -> None:
        stage.person("ada")
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
        assert stage.source(publish=published).is_completed()
        (lot,) = stage.lots()
        (item,) = stage.house.items
        item.title, item.reserve = "A finer name", item.starting_bid
        if not published:  # the dates are set when it is published, and every word of the item with them
            assert publish(stage.desk, lot.sale_id, logging.getLogger()).lots == 1
        before = self.writes(stage)
        stage.advance(27 * HOUR)
        stage.cycles(2)
        (item,) = stage.house.items
        assert (item.title, item.reserve) == ("A finer name", item.starting_bid)
        assert self.writes(stage) == before
        assert stage.status(lot.id) == "CJ_PAID"
        sold = stage.lot(lot.id)
        assert sold.winning_bid_cents == item.current
        assert (sold.title, sold.reserve_cents) == ("A finer name", item.reserve)
        edit = stage.effect(f"edit:{lot.id}:1")
        assert (edit.state, edit.request["reserve_cents"]) == ("ADOPTED", lot.reserve_cents)
        assert edit.answer == {"title": "A finer name", "reserve_cents": item.reserve}
        ((line,),) = stage.bank.store.lines.values()
        assert "A finer name" in line["description"]
        assert stage.calls("basta", "createItemForSale") == 1
        with stage.record.read() as session:
            assert len(effects.of_lot(session, lot.id, "edit")) == 1

    def test_a_closing_date_that_was_moved_is_recorded_and_waited_for(self, stage: Rehearsal) -> None:
        stage.person("ada")
        stage.house.plan_lot(winner="ada", hammer="above_reserve", item_number=1)
        assert stage.source().is_completed()
        (lot,) = stage.lots()
        stage.advance(25 * HOUR + 60)
        (item,) = stage.house.items
        item.closing_end = stage.clock.at + timedelta(hours=5)
        stage.advance(2 * HOUR)
        stage.cycle()
        assert stage.status(lot.id) == "PUBLISHED"
        assert stage.lot(lot.id).closes_at == item.closing_end
        stage.advance(4 * HOUR)
        stage.cycles(2)
        assert stage.status(lot.id) == "CJ_PAID"
