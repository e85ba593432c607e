"""B7 and B8: what cannot be had, or has become too dear, is given back, and not ordered."""

from __future__ import annotations

from tests.simulation.rehearsal import Address, Rehearsal
from tests.stages.test_fulfilment import BOUGHT, only_one, refunded, sold


class TestOutOfStock:
    """B7."""

    @staticmethod
    def moved(stage: Rehearsal) -> tuple[int, str]:
        """A lot that was sold, and the only country that still has its goods: another than was planned."""
        lot = sold(stage)
        vid, planned = stage.lot(lot).cj_vid, stage.lot(lot).from_country
        other = "US" if planned == "CN" else "CN"
        stage.cj.set_stock(vid, planned, 0)
        stage.cj.set_stock(vid, other, 5)
        return lot, other

    def test_a_delisted_variant(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.delist(stage.lot(lot).cj_vid)
        refunded(stage, lot, "CJ_OUT_OF_STOCK")

    def test_no_unit_anywhere(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        for country in ("CN", "US"):
            stage.cj.set_stock(stage.lot(lot).cj_vid, country, 0)
        refunded(stage, lot, "CJ_OUT_OF_STOCK")

    def test_stock_only_in_another_warehouse_is_sent_from_there(self, stage: Rehearsal) -> None:
        lot, other = self.moved(stage)
        stage.cycle()
        assert stage.lot(lot).from_country == other
        assert stage.life(lot)[3:7] == BOUGHT
        only_one(stage)

    def test_another_warehouse_from_which_it_would_cost_too_much_is_not_bought_from(self, stage: Rehearsal) -> None:
        lot, _ = self.moved(stage)
        stage.cj.scale_freight("US", 5)
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.cj.orders == []


class TestDearer:
    """B8."""

    def test_goods_up_by_a_quarter(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        row = stage.lot(lot)
        stage.cj.set_price(row.cj_vid, row.goods_cents * 5 // 4 + 1)
        refunded(stage, lot, "CJ_PRICE_CHANGED")

    def test_goods_up_by_a_tenth_are_bought_and_booked_as_cj_took_it(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        row = stage.lot(lot)
        stage.cj.set_price(row.cj_vid, row.goods_cents * 11 // 10)
        stage.cycle()
        assert stage.life(lot)[3:7] == BOUGHT
        only_one(stage)

    def test_freight_that_doubles(self, stage: Rehearsal) -> None:
        lot = sold(stage)
        stage.cj.scale_freight("US", 2)
        refunded(stage, lot, "CJ_PRICE_CHANGED")

    def test_a_buyer_in_another_country_is_judged_by_the_freight_to_there(self, stage: Rehearsal) -> None:
        stage.cj.scale_freight("DE", 20)
        lot = sold(stage, address=Address("Ada Demo", "Ringstrasse 1", "Berlin", "", "10115", "DE"))
        refunded(stage, lot, "CJ_PRICE_CHANGED")
        assert stage.cj.orders == []
