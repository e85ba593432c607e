"""Bugs in how a sale is made and shown."""

from __future__ import annotations

from tests.simulation.knife import CRASH
from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import LANDED, Scene

AT_SOURCING = ("after basta createSale", "after basta createItemForSale")
KILLED = Scene("killed while a sale is made", lots=(1, 2), blows=2, aim=AT_SOURCING, kinds=(CRASH,))
MUTANTS = (
    Mutant(
        "sale-not-found-again",
        "a run that goes on makes its sale anew",
        (Cut("tasks.listing.making:making_sale", "return Answer(found.id, {}) if found else None", "return None"),),
        KILLED,
    ),
    Mutant(
        "item-not-found-again",
        "a lot that may be in its sale is put there again",
        (
            Cut(
                "tasks.listing.making:listing_lot",
                'return Answer(found[0].id, {"number": found[0].item_number}) if found else None',
                "return None",
            ),
        ),
        KILLED,
    ),
    Mutant(
        "published-though-its-item-failed",
        "a sale goes out with the lots whose items were not made",
        (
            Cut("flows.sourcing:_finish", "if not cycle.whole:", "if False:"),
            Cut(
                "tasks.listing.publishing:publishing_sale",
                "for lot in _listed(session, sale.id):",
                "for lot in session.scalars(select(Lot).where(Lot.sale_id == sale.id, Lot.status != 'CANCELLED')):",
            ),
        ),
        Scene(
            "items cannot be made",
            lots=(2, 3),
            blows=2,
            aim=("before basta createItemForSale",),
            kinds=("500_before", "timeout_before", "timeout_after"),
        ),
    ),
    Mutant(
        "run-begun-anew",
        "a run that was killed is begun from nothing",
        (
            Cut("tasks.sourcing.steps:save_lots", "if existing := lots_of(run_id):", "if (existing := []):"),
            Cut("tasks.sourcing.steps:save_lots", "if run.chosen is not None:", "if False:"),
            Cut("flows.sourcing:_finish", "lots = stage.lots_of(run.id)\n", "lots = []\n"),
        ),
        Scene(
            "killed while a sale is made",
            lots=(1, 2),
            blows=1,
            span=2,
            kinds=(CRASH,),
            aim=("before basta createSale", "before basta createItemForSale"),
        ),
    ),
    Mutant(
        "items-of-lots-given-up",
        "a lot that Basta's answer left in doubt is given up, and its item stays",
        (
            Cut(
                "tasks.listing.making:list_lot",
                'desk.settle(f"lot:{lot_id}", listing_lot(desk, lot))',
                'desk.perform(f"lot:{lot_id}", listing_lot(desk, lot))\n'
                "    if outcome.came is Came.WAITING:\n        with desk.record.write() as session:\n"
                "            move(session, lot_id, LotStatus.CANCELLED, why=outcome.error)",
            ),
        ),
        Scene("answers of Basta are lost", lots=(2, 3), blows=2, aim=("before basta createItemForSale",), kinds=LANDED),
    ),
)
