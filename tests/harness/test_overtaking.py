"""A worker that sleeps past its leases at the very call, while another does its work, does nothing twice."""

from __future__ import annotations

from tests.simulation.forking import Explorer, Job
from tests.simulation.knife import ASLEEP, BEFORE, Point
from tests.simulation.overtaking import Overtaken

#: The calls that make, charge, pay and give back; each is slept at once. Basta knows no keys.
DEEDS = (
    "basta createSale",
    "basta createItemForSale",
    "stripe POST /v1/invoices",
    "stripe POST /v1/invoices/{id}/pay",
    "stripe POST /v1/credit_notes",
    "cj POST /shopping/order/createOrderV2",
    "cj POST /shopping/pay/payBalance",
    "basta createOrder",
    "basta createPayment",
)


class Short(Overtaken):
    """A life in which every deed is done: a lot is bought for its buyer, and another cannot be had."""

    buyers = (("ada", "good"),)
    winners = ("ada", "ada")


def test_who_sleeps_past_the_lease_at_a_deed_and_wakes_among_what_others_did_does_nothing_twice() -> None:
    slept_at: set[str] = set()

    def jobs(point: Point) -> list[Job]:
        deed = point.label.removeprefix(BEFORE)
        if point.label == deed or deed not in DEEDS or deed in slept_at:
            return []
        slept_at.add(deed)
        return [Job(deed, ASLEEP)]

    slept = list(Explorer(Short, jobs).results())
    assert {one["name"] for one in slept} == set(DEEDS)
    assert [(one["name"], one["violations"]) for one in slept if one["violations"]] == []
