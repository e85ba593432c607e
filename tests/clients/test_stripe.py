"""Stripe: recorded shapes, the SDK's errors as ours, and signatures in both directions of time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stripe as sdk

from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable
from tasks.clients.stripe import ActionRequired, CardDeclined, NoCard, connect, models, webhooks

RECORDED = Path(__file__).parents[1] / "fixtures" / "recorded" / "stripe"
NOW = datetime.fromtimestamp(1_790_000_000, UTC)
BODY = b'{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice"}}}'


def recorded(name: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return row


def test_every_recorded_object_that_we_read_is_read() -> None:
    assert models.invoice(recorded("invoice")).status == "draft"
    assert models.customer(recorded("customer")).id.startswith("cus_")
    assert models.line(recorded("line_item")).cents == 1_000
    assert models.credit_note(recorded("credit_note")).total_cents == 1_690
    assert models.refund(recorded("refund")).amount_cents > 0
    assert models.dispute(recorded("dispute")).id
    assert models.payment(
        recorded("invoice_payment"), {**recorded("payment_intent"), "latest_charge": recorded("charge")}
    )
    assert models.event({**recorded("event"), "id": "evt_1"}).type


class Answering(sdk.HTTPClient):
    """An HTTP client that always says the same."""

    name = "answering"

    def __init__(self, status: int, body: dict[str, Any] | None) -> None:
        super().__init__()
        self.status, self.body, self.calls = status, body, 0

    def request(self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any) -> Any:
        self.calls += 1
        if self.body is None:
            raise sdk.APIConnectionError("no answer")
        return json.dumps(self.body).encode(), self.status, {}


def error(kind: str, **facts: Any) -> dict[str, Any]:
    return {"error": {"type": kind, "message": "said", **facts}}


ACTION = "invoice_payment_intent_requires_action"


@pytest.mark.parametrize(
    ("status", "body", "kind", "executed"),
    [
        pytest.param(402, error("card_error", code="card_declined"), CardDeclined, None, id="declined"),
        pytest.param(402, error("card_error", code=ACTION), ActionRequired, None, id="3-D Secure"),
        pytest.param(
            400,
            {"error": {"type": "invalid_request_error", "message": "There is no default payment method set"}},
            NoCard,
            None,
            id="no card",
        ),
        pytest.param(400, error("invalid_request_error"), ServiceRefused, None, id="refused"),
        pytest.param(400, error("idempotency_error"), ServiceRefused, None, id="key with other parameters"),
        pytest.param(401, error("invalid_request_error"), NotLetIn, False, id="wrong key"),
        pytest.param(
            409, error("invalid_request_error", code="lock_timeout"), ServiceUnavailable, None, id="in flight"
        ),
        pytest.param(429, error("invalid_request_error"), ServiceUnavailable, False, id="too many: nothing happened"),
        pytest.param(500, error("api_error"), ServiceUnavailable, None, id="broken"),
        pytest.param(0, None, ServiceUnavailable, None, id="no answer"),
    ],
)
def test_every_error_is_one_of_ours_and_nothing_is_retried_here(
    status: int, body: dict[str, Any] | None, kind: type[Exception], executed: bool | None
) -> None:
    transport = Answering(status, body)
    with pytest.raises(kind) as caught:
        connect("sk_test_x", "http://127.0.0.1:1", transport).pay("in_1", key="k")
    assert type(caught.value) is kind
    assert getattr(caught.value, "executed", None) is executed
    assert transport.calls == 1


@pytest.mark.parametrize(
    ("secret", "shift", "good"),
    [
        pytest.param("whsec_x", 0, True, id="now"),
        pytest.param("whsec_x", 299, True, id="almost too old"),
        pytest.param("whsec_x", 301, False, id="too old"),
        pytest.param("whsec_x", -301, False, id="from the future"),
        pytest.param("", 0, False, id="no secret lets nothing in"),
        pytest.param("whsec_y", 0, False, id="another secret"),
    ],
)
def test_a_signature_is_good_for_five_minutes_either_way(secret: str, shift: int, good: bool) -> None:
    at = int(NOW.timestamp()) - shift
    header = sdk.WebhookSignature.generate_signature_header(BODY.decode(), "whsec_x", at)
    assert bool(webhooks.judge(BODY, header, secret, NOW)) is good
    assert not webhooks.judge(BODY + b" ", header, secret, NOW)


def test_an_event_is_reduced_to_what_a_later_look_needs() -> None:
    event = webhooks.parse(BODY)
    assert (event.id, event.type, event.invoice_id) == ("evt_1", "invoice.paid", "in_1")
    for bad in (b"[]", b"{", b'{"object":"v2.core.event","id":"x"}'):
        with pytest.raises(ValueError, match=r"."):
            webhooks.parse(bad)
