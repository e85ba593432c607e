"""What a listed product and a fulfilled order cost in calls to CJ, and an invoice in writes to Stripe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from deployments.sandbox.wire import Reply
from tests.simulation.rehearsal import DAY, Rehearsal

FEES = [{"name": "Premium", "type": "PERCENTAGE", "value": 1_000, "lowerLimit": 0, "upperLimit": None}]
DETAILS = "POST /shopping/order/getOrderDetailBatch"
OF_ALL = ("GET /shopping/order/list", "GET /shopping/pay/getBalance")  # asked once, whatever the number of orders
LOGIN, QUOTA = "authentication", "/setting/get"
UNTOLD = ("off sale", "no picture")
KEYWORDS = ("phone stand", "desk lamp", "bluetooth speaker", "usb hub", "yoga mat", "wireless headphones")


def asked(stage: Rehearsal, since: int) -> list[str]:
    """CJ's calls since then, the login apart."""
    calls = [call.operation for call in stage.world.calls[since:] if call.vendor == "cj"]
    return [call for call in calls if LOGIN not in call]


def test_calls_of_cj_per_listed_product(stage: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    """At most two a listed product and two a run, with every candidate that the search answer could have told.

    What it could not tell is counted apart: a product off sale, and one whose pictures turn out to be dead.
    """
    calls, lots, untold = 0, 0, 0
    for keyword in KEYWORDS:
        since = len(stage.world.calls)
        result = stage.source(keyword, products=5).result()
        made = len(asked(stage, since))
        dead = sum(lot.status == "CANCELLED" and lot.sourcing_run_id == result.run_id for lot in stage.lots())
        excused = 2 * dead + sum(result.rejected.get(reason, 0) for reason in UNTOLD)
        assert made <= 2 * len(result.lots) + 2 + excused, keyword
        calls, lots, untold = calls + made, lots + len(result.lots), untold + excused
        stage.advance(DAY)
    with capsys.disabled():
        each = (calls - untold - 2 * len(KEYWORDS)) / lots
        print(f"\nCJ: {calls} calls for {lots} listed products in {len(KEYWORDS)} runs: {each:.2f} a product besides")
        print(f"2 a run, and {untold} for what no search answer tells")
    assert lots >= 20


def listen_in(stage: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """CJ's calls from now on, the login and the quota apart, each with how many orders it names."""
    heard: list[tuple[str, int]] = []
    carry = stage.exchange.ask

    def ask(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        since = len(stage.world.calls)
        reply = carry(method, url, headers, body)
        for call in asked(stage, since):
            named = json.loads(body).get("orderIds", []) if call == DETAILS else []
            if QUOTA not in call:
                heard.append((call, len(named)))
        return reply

    monkeypatch.setattr(stage.exchange, "ask", ask)
    return heard


def test_single_calls_of_cj_per_fulfilled_order(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At most five an order, besides batched reads. A batch that names one order of five is a single call."""
    stage.person("ada")
    stage.sell(*["ada"] * 5)
    heard = listen_in(stage, monkeypatch)
    stage.until_quiet(apart=6 * 3_600)
    orders = len(stage.cj.orders)
    shared = [(call, named) for call, named in heard if call in OF_ALL or named > 1]
    single = Counter(call for call, named in heard if not (call in OF_ALL or named > 1))
    with capsys.disabled():
        print(f"\nCJ: {single.total() / orders:.1f} single calls an order over {orders} orders: {dict(single)}")
        print(f"besides {len(shared)} reads of several orders at once: {dict(Counter(call for call, _ in shared))}")
    assert orders == 5
    assert single.total() <= 5 * orders


def test_a_lone_order_has_five_single_calls_too_and_two_batched_reads_that_name_it_alone(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.person("ada")
    stage.sell("ada")
    heard = listen_in(stage, monkeypatch)
    stage.cycle()
    assert stage.status(1) == "CJ_PAID"
    single = Counter(call for call, _ in heard if call not in OF_ALL and call != DETAILS)
    batched = sum(call == DETAILS for call, _ in heard)
    with capsys.disabled():
        print(f"\nCJ: a lone order until it is paid: {dict(single)}, and {batched} batched reads")
    assert single.total() <= 5
    assert batched == 2


@pytest.mark.parametrize("lots", [1, 10, 50])
def test_writes_to_stripe_are_the_same_for_one_line_and_for_a_hundred(
    rehearse: Callable[..., Rehearsal], lots: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = rehearse(MAX_PRODUCTS_PER_RUN="50")
    stage.house.options.fees = FEES
    stage.person("ada")
    sold = stage.sell(*["ada"] * min(lots, 5))
    if lots > 5:
        sold = stage.stock_up(sold[0], lots)
    stage.cycle()
    (invoice,) = stage.bank.store.invoices.values()
    lines = len(stage.bank.store.lines[invoice["id"]])
    writes = [call for call in stage.world.calls if call.vendor == "stripe" and call.operation.startswith("POST")]
    with capsys.disabled():
        print(f"\nStripe: {len(writes)} writes for an invoice of {lines} lines")
    assert lines == 2 * lots
    assert [one.operation for one in writes] == [
        "POST /v1/invoices",
        "POST /v1/invoices/{id}/add_lines",
        "POST /v1/invoices/{id}/finalize",
        "POST /v1/invoices/{id}/pay",
    ]
