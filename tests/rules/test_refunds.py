"""What giving a lot back means, by where its invoice stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.rules.refunds import Way, is_sound, share_cents, way_back


@pytest.mark.parametrize(
    ("status", "begun", "way"),
    [
        pytest.param(None, False, Way.NOTHING_DUE, id="never billed"),
        pytest.param("PLANNED", False, Way.OFF_THE_BILL, id="nobody outside knows of it"),
        pytest.param("PLANNED", True, Way.WAIT, id="half built"),
        pytest.param("OPEN", True, Way.CREDIT, id="open"),
        pytest.param("PAYMENT_FAILED", True, Way.CREDIT, id="declined"),
        pytest.param("PAID", True, Way.CREDIT, id="paid"),
        pytest.param("CREDITED", True, Way.CREDIT, id="credited"),
        pytest.param("VOID", True, Way.NOTHING_DUE, id="void"),
    ],
)
def test_every_state_of_an_invoice_has_its_way(status: str | None, begun: bool, way: Way) -> None:
    assert way_back(status, begun=begun) is way


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 10**7)), st.integers(0, 10**8), st.integers(0, 10**8))
def test_no_sound_refund_exceeds_the_share_or_the_money_that_is_left(
    lines: dict[str, int], captured: int, refunded: int
) -> None:
    share = share_cents(lines)
    for cents in (0, share, share + 1, captured - refunded, captured - refunded + 1):
        if is_sound(cents, share_cents=share, captured_cents=captured, refunded_cents=refunded):
            assert 0 <= cents <= share
            assert refunded + cents <= captured
