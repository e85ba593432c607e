"""Bugs in what goes back: refunds, disputes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.mutants.planting import Cut, Mutant
from tests.simulation.mutants.scenes import AND, LANDED, NOW, OVERLAP, Hunt, Scene, charging_fees

OUT_OF_STOCK = Scene("one of three lots is out of stock", lots=(3,), happenings=("delisted",), hours=(0.0, 0.0))
REFUND_LOST = Scene(
    "the answer to a refund is lost",
    lots=(2,),
    happenings=("delisted",),
    hours=(0.0, 0.0),
    blows=1,
    span=1,
    aim=("before stripe POST /v1/credit_notes",),
    kinds=(*LANDED, "keys_forgotten"),
)
REFUND_FAILS = Scene(
    "a refund fails", lots=(1,), happenings=("delisted", "refund fails"), all_happen=True, hours=(0.0, 0.0)
)


def _arrived(hunt: Hunt) -> Iterator[str]:
    yield from (
        f"the refund of lot {lot.id} is {lot.refund_status}"
        for lot in hunt.stage.lots()
        if lot.refund_status != "SUCCEEDED"
    )


PLAN = "tasks.refunding:_plan"
OF_LOT = "select(InvoiceLine).where(InvoiceLine.lot_id == lot_id)"
MUTANTS = (
    Mutant(
        "whole-invoice-refunded",
        "a lot that cannot be delivered gives all lots of its invoice back",
        (Cut(PLAN, OF_LOT, "select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)"),),
        OUT_OF_STOCK,
    ),
    Mutant(
        "fee-kept",
        "the buyer's premium of a lot that cannot be delivered is not given back",
        (Cut(PLAN, OF_LOT, OF_LOT.replace("lot_id)", 'lot_id, InvoiceLine.kind == "hammer")')),),
        Scene(
            "out of stock, with a premium", lots=(1, 2), happenings=("delisted",), hours=(0.0, 0.0), stage=charging_fees
        ),
    ),
    Mutant(
        "refund-not-looked-for",
        "a refund whose answer was lost is made again",
        (
            Cut("tasks.refunding:giving_back", "        if found := look(attempt):\n            return found\n", ""),
            Cut(
                "tasks.refunding:giving_back",
                'if note.refund_ref == ref and note.status == "issued":',
                "if False:",
            ),
        ),
        REFUND_LOST,
    ),
    Mutant(
        "refund-key-by-its-amount",
        "two refunds of one amount are one",
        (
            Cut(
                "tasks.refunding:giving_back",
                "refund_cents=cents, refund_ref=ref, key=attempt.vendor_key",
                'refund_cents=cents, refund_ref=ref, key=f"refund-{cents // 10_000}"',
            ),
        ),
        Scene(
            "freight doubles for all lots", lots=(3,), happenings=("freight doubles",), hours=(0.0, 0.0), judge=_arrived
        ),
    ),
    Mutant(
        "refunded-while-the-order-lives",
        "nobody asks whether CJ has a living order",
        (
            Cut(
                "tasks.reversals:living_order",
                "    for effect in effects",
                "    return None\n    for effect in effects",
            ),
        ),
        Scene(
            "refunded by hand when the order is made",
            lots=(1, 2),
            blows=1,
            span=4,
            aim=("after cj POST /shopping/order/createOrderV2", "before cj PATCH"),
            kinds=(f"{NOW}refunded by hand{AND}{OVERLAP}",),
            ignore=("CJ's pace",),
        ),
    ),
    Mutant(
        "bought-under-dispute",
        "a dispute holds nothing",
        (
            Cut(
                "tasks.reversals:_follow_disputes",
                "if held and lot.status in UNSHIPPED and lot.hold_reason != DISPUTE:",
                "if False:",
            ),
        ),
        Scene(
            "disputed before the order is made",
            lots=(1, 2),
            happenings=("disputed and lost",),
            hours=(0.0, 0.5),
            blows=3,
            aim=("before cj GET /product/variant",),
            span=1,
            kinds=("timeout_before",),
        ),
    ),
    Mutant(
        "failed-refund-counts",
        "a refund that came back is as good as one that arrived",
        (Cut("tasks.reversals:bring_up", 'stands = STANDS.get(theirs.status, "PENDING")', 'stands = "SUCCEEDED"'),),
        REFUND_FAILS,
    ),
    Mutant(
        "refund-by-hand-not-seen",
        "what a person gives back in Stripe is not booked",
        (Cut("tasks.reversals:_adopt_refund", "    mine = list(", "    return\n    mine = list("),),
        Scene("refunded by hand", lots=(1, 2), happenings=("refunded by hand",), hours=(0.2, 6.0)),
    ),
    Mutant(
        "nobody-is-told",
        "what only a person can mend is put before nobody",
        (Cut("tasks.lots.incidents:report", "    at = now()\n", "    return None\n    at = now()\n"),),
        REFUND_FAILS,
    ),
)
