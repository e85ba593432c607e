"""B1, B3, C1, R2: the process dies at each call that acts; a fresh one finishes the work, and nothing happens twice."""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation.pieces import Billed, Bought, GivenBack, broken_in, calls_in, killed_in


@pytest.mark.parametrize("forgetful", [False, True], ids=["keys kept", "keys forgotten"])
def test_a_death_at_any_call_of_billing_leaves_one_invoice_all_lines_and_one_exact_charge(forgetful: bool) -> None:
    """C1."""
    died = killed_in(partial(Billed, forgetful=forgetful), "stripe")
    assert broken_in(died) == {}
    assert calls_in(died) == {
        "stripe POST /v1/customers",
        "stripe POST /v1/invoices",
        "stripe POST /v1/invoices/{id}/add_lines",
        "stripe POST /v1/invoices/{id}/finalize",
        "stripe POST /v1/invoices/{id}/pay",
    }


def test_a_death_at_any_call_of_buying_leaves_one_order_found_again_by_its_number_and_paid_once() -> None:
    """B1, and B3's kill."""
    died = killed_in(Bought, "cj")
    assert broken_in(died) == {}
    assert calls_in(died) == {
        "cj POST /shopping/order/createOrderV2",
        "cj PATCH /shopping/order/confirmOrder",
        "cj POST /shopping/pay/payBalance",
    }
    assert len(died) == 9


@pytest.mark.parametrize("forgetful", [False, True], ids=["keys kept", "keys forgotten"])
def test_a_death_at_any_call_of_a_refund_leaves_one_refund_of_the_lots_own_share(forgetful: bool) -> None:
    """R2."""
    died = killed_in(partial(GivenBack, forgetful=forgetful), "stripe")
    assert broken_in(died) == {}
    assert calls_in(died) == {"stripe POST /v1/credit_notes"}
    assert len(died) == 3
