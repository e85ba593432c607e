"""A whole life, each of whose answers is lost once, is known by asking alone."""

from __future__ import annotations

from tasks.reconciling.asking import ASKERS, ask
from tests.simulation.rehearsal import HOUR, Rehearsal
from tests.stages.test_asking import source, strike

#: Every call that changes something, from the first sale to a refund; each loses its answer once.
WRITES = (
    *(("basta", one) for one in ("createSale", "createItemForSale", "PUT upload", "createSaleRegistrationPolicy")),
    *(("basta", one) for one in ("publishSale", "createOrder", "publishPaymentOrder")),
    *(("basta", one) for one in ("createInvoice", "createPayment", "cancelPaymentOrder")),
    *(("stripe", f"POST /v1/{one}") for one in ("customers", "invoices/{id}/finalize", "invoices/{id}/pay")),
    ("stripe", "POST /v1/credit_notes"),
    ("cj", "POST /shopping/order/createOrderV2"),
    ("cj", "PATCH /shopping/order/confirmOrder"),
    ("cj", "POST /shopping/pay/payBalance"),
)

#: Of these there is one in that life.
ONCE = [one for one in WRITES if one[1] in ("createSale", "publishSale") or one[0] == "cj" or "credit" in one[1]]


def test_a_whole_life_whose_every_answer_is_lost_is_known_by_asking_alone(stage: Rehearsal) -> None:
    stage.person("ada")
    stage.person("dov", "no_card", pays_after=HOUR)
    for vendor, write in WRITES:
        strike(stage, vendor, write, landed=True)
    for number, winner in enumerate(("ada", "dov"), start=1):
        stage.house.plan_lot(winner=winner, hammer="above_reserve", item_number=number)
    adopted: set[str] = set()

    def ask_alone() -> None:
        keys = [key for key in stage.unsettled() if stage.effect(key).state == "UNKNOWN"]
        stage.advance(200)
        ask(lambda: None)
        assert {key: stage.effect(key).state for key in keys} == dict.fromkeys(keys, "ADOPTED")
        adopted.update(key.split(":")[0] for key in keys)

    while not source(stage):
        ask_alone()
    stage.advance(27 * HOUR)
    stage.cj.delist(stage.lot(2).cj_vid)
    for _ in range(10):
        stage.cycle()
        ask_alone()
        stage.advance(HOUR / 4)
    ours = {"cj-pay"}  # read by the cycle that called it
    never = {"unlist", "cj-delete", "place", "void"}  # nobody wanted these
    assert adopted == {*ASKERS} - ours - never
    assert stage.unsettled() == []
    assert [stage.status(lot) for lot in (1, 2)] == ["CJ_PAID", "CANCELLED"]
    assert [stage.calls(vendor, write) for vendor, write in ONCE] == [1] * len(ONCE)
