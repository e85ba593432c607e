"""Stripe: recorded shapes, the SDK's errors as ours, and signatures in both directions of time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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


#: What is read of each recorded object, and by what; the values are the record's own.
READ: dict[str, Callable[[dict[str, Any]], object]] = {
    "charge": lambda row: models.payment(recorded("invoice_payment"), with_charge(row)).charge_id == row["id"],
    "credit_note": lambda row: models.credit_note(row).total_cents == 1_690,
    "credit_note_line_item": lambda row: credited_lines(row) == (row["invoice_line_item"],),
    "customer": lambda row: models.customer(row).id == row["id"],
    "deleted_customer": lambda row: models.customer(row).default_card is None,  # so nothing is charged
    "dispute": lambda row: models.dispute(row).amount_cents == row["amount"],
    "event": lambda row: models.event({**row, "id": "evt_1"}).type == row["type"],
    "invoice": lambda row: models.invoice(row).status == "draft",
    "invoice_payment": lambda row: models.payment(row, None).status == row["status"],
    "line_item": lambda row: models.line(row).cents == 1_000,
    "payment_intent": lambda row: (
        models.payment(recorded("invoice_payment"), {**row, "latest_charge": None}).intent_status == row["status"]
    ),
    "refund": lambda row: models.refund(row).amount_cents == row["amount"],
}
#: Nothing of ours ever asks for these.
NEVER_ASKED = {"checkout.session", "deleted_invoice", "invoiceitem", "payment_method"}


def with_charge(charge: dict[str, Any]) -> dict[str, Any]:
    return {**recorded("payment_intent"), "latest_charge": charge}


def credited_lines(line: dict[str, Any]) -> tuple[str, ...]:
    return models.credit_note({**recorded("credit_note"), "lines": {"data": [line]}}).line_ids


@pytest.mark.parametrize("name", READ)
def test_every_recorded_object_that_we_read_is_read(name: str) -> None:
    assert READ[name](recorded(name))


def test_every_recorded_file_is_read_or_never_asked_for() -> None:
    assert READ.keys() | NEVER_ASKED == {path.stem for path in RECORDED.iterdir()}


class Answering(sdk.HTTPClient):
    """An HTTP client that always says the same."""

    name = "answering"

    def __init__(self, status: int, body: dict[str, Any] | str | None) -> None:
        super().__init__()
        self.status, self.body, self.calls = status, body, 0

    def request(self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any) -> Any:
        self.calls += 1
        if self.body is None:
            raise sdk.APIConnectionError("no answer")
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode(), self.status, {}


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
        pytest.param(404, error("invalid_request_error", code="resource_missing"), ServiceRefused, None, id="missing"),
        pytest.param(401, error("invalid_request_error"), NotLetIn, False, id="wrong key"),
        pytest.param(403, error("invalid_request_error"), NotLetIn, False, id="a key without the right"),
        pytest.param(502, "<html>Bad gateway", ServiceUnavailable, None, id="a page instead of an answer"),
        pytest.param(200, "<html>Welcome", ServiceUnavailable, None, id="a page that says 200"),
        pytest.param(
            409, error("invalid_request_error", code="lock_timeout"), ServiceUnavailable, None, id="in flight"
        ),
        pytest.param(429, error("invalid_request_error"), ServiceUnavailable, False, id="too many: nothing happened"),
        pytest.param(500, error("api_error"), ServiceUnavailable, None, id="broken"),
        pytest.param(0, None, ServiceUnavailable, None, id="no answer"),
    ],
)
def test_every_error_is_one_of_ours_and_nothing_is_retried_here(
    status: int, body: dict[str, Any] | str | None, kind: type[Exception], executed: bool | None
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
