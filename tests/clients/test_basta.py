"""Basta: every document holds against the contract's schema; every event and signature is met."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import respx
from graphql import build_schema, parse, validate
from pydantic import SecretStr

from tasks.clients.basta import Already, Basta, Item, KeyRefused, Missing, webhooks
from tasks.clients.basta.documents import EVERY
from tasks.clients.service import ServiceRefused, ServiceUnavailable

FIXTURES = Path(__file__).parents[1] / "fixtures"
SCHEMA = build_schema((FIXTURES / "basta-management.graphql").read_text(), assume_valid_sdl=True)
URL = "https://basta.invalid/graphql"
BODY = (
    b'{"idempotencyKey":"5d0c7f4e-1111-4222-8333-944444444444","actionType":"SaleStatusChanged",'
    b'"data":{"saleId":"sale-0001","saleStatus":"CLOSED"}}'
)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_document_is_valid_on_the_contracts_schema(name: str) -> None:
    assert validate(SCHEMA, parse(EVERY[name])) == []


def test_the_signature_is_the_contracts_own_vector() -> None:
    secret = "whsec_" + "c2ltdWxhdG9yLW9ubHk"
    header = "t=1790000000,v1=eb87b6cae590f44dd5776faefa86869d8be609626890d359e610b580be353b9b"
    at = datetime.fromtimestamp(1_790_000_100, UTC)
    assert webhooks.judge(BODY, header, secret, at)
    assert not webhooks.judge(BODY + b" ", header, secret, at)
    assert not webhooks.judge(BODY, header, "", at)
    assert not webhooks.judge(BODY, header, secret, datetime.fromtimestamp(1_790_000_301, UTC))
    assert not webhooks.judge(BODY, header, secret, datetime.fromtimestamp(1_789_999_699, UTC))
    assert not webhooks.judge(BODY, "t=x,v1=y", secret, at)


@pytest.mark.parametrize("name", ["BidOnItem", "SaleStatusChanged"])
def test_every_recorded_event_is_read(name: str) -> None:
    raw = (FIXTURES / "recorded" / "basta" / f"official-sample-webhook-{name}.json").read_bytes()
    told = webhooks.parse(raw)
    assert told.action == name
    assert told.sale_id


@pytest.mark.parametrize("spelt", ["ITEM_CLOSED", "CLOSED"])
def test_both_spellings_of_a_status_are_one(spelt: str) -> None:
    assert webhooks.normal(spelt) == "CLOSED"
    assert webhooks.normal("OPENED") == webhooks.normal("OPEN") == "OPEN"


def item(**changes: object) -> Item:
    known = {
        "id": "i", "external_id": "lot-1", "title": "", "description": "", "item_number": 1, "status": "ITEM_CLOSED",
        "reserve_cents": 1_000, "starting_bid_cents": 500, "current_bid_cents": 1_500, "leader_id": "user-1",
        "reserve_status": "MET", "total_bids": 2, "opens_at": None, "closing_start": None, "closing_end": None,
        "images": (),
    }  # fmt: skip
    return Item.model_validate({**known, **changes})


@pytest.mark.parametrize(
    ("changes", "won", "unsold"),
    [
        pytest.param({}, True, False, id="met"),
        pytest.param({"reserve_status": "NO_RESERVE"}, True, False, id="no reserve"),
        pytest.param({"reserve_status": "NOT_MET"}, False, True, id="led, but below the reserve"),
        pytest.param({"leader_id": None, "current_bid_cents": None}, False, True, id="no bid"),
        pytest.param({"leader_id": None, "current_bid_cents": 0}, False, True, id="no bid, told as 0"),
        pytest.param({"reserve_status": None}, False, False, id="reserve unknown: neither"),
        pytest.param({"status": "ITEM_CLOSING"}, False, False, id="not closed yet"),
    ],
)
def test_unknown_is_neither_sold_nor_unsold(changes: dict[str, object], won: bool, unsold: bool) -> None:
    assert (item(**changes).is_won, item(**changes).is_unsold) == (won, unsold)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(200, {"errors": [{"message": "order line already exists"}]}, Already, id="already"),
        pytest.param(200, {"errors": [{"message": "sale is already published"}]}, Already, id="already published"),
        pytest.param(200, {"errors": [{"message": "duplicate registration"}]}, Already, id="duplicate"),
        pytest.param(200, {"errors": [{"message": "FAILED_PRECONDITION: paid"}]}, ServiceRefused, id="precondition"),
        pytest.param(200, {"data": None, "errors": [{"message": "permission denied"}]}, KeyRefused, id="no right"),
        pytest.param(200, {"errors": [{"message": "internal error"}]}, ServiceUnavailable, id="broken under 200"),
        pytest.param(400, {"errors": [{"message": "the body is no JSON"}]}, ServiceRefused, id="bad body"),
        pytest.param(401, {}, KeyRefused, id="key under 401"),
        pytest.param(200, [], ServiceUnavailable, id="a list"),
        pytest.param(200, {"errors": [{"message": "sale not found"}]}, Missing, id="missing"),
        pytest.param(200, {"errors": [{"message": "unauthenticated"}]}, KeyRefused, id="key under 200"),
        pytest.param(403, {}, KeyRefused, id="key under 403"),
        pytest.param(422, {"errors": [{"message": "Cannot query field"}]}, ServiceRefused, id="bad document"),
        pytest.param(429, {}, ServiceUnavailable, id="too many"),
        pytest.param(500, {}, ServiceUnavailable, id="broken"),
        pytest.param(200, {}, ServiceUnavailable, id="no data"),
    ],
)
def test_every_error_is_decided_once(status: int, body: object, kind: type[Exception]) -> None:
    basta = Basta(httpx.Client(), url=URL, account_id="a", api_key=SecretStr("hush"))
    with respx.mock as router:
        router.post(URL).mock(return_value=httpx.Response(status, json=body))
        with pytest.raises(kind) as caught:
            basta.cancel_order("o")
    assert type(caught.value) is kind
    assert "hush" not in str(caught.value)


def test_a_picture_goes_to_its_storage_without_our_key_and_without_the_host_that_basta_names() -> None:
    slot = {
        "imageId": "img-1", "uploadUrl": "https://storage.invalid/put/1", "imageUrl": "https://cdn.invalid/1",
        "headers": [{"key": "Host", "value": "elsewhere.invalid"}, {"key": "x-upload", "value": "1"}],
    }  # fmt: skip
    basta = Basta(httpx.Client(), url=URL, account_id="a", api_key=SecretStr("hush"))
    with respx.mock as router:
        router.post(URL).mock(return_value=httpx.Response(200, json={"data": {"createUploadUrl": slot}}))
        put = router.put("https://storage.invalid/put/1").mock(return_value=httpx.Response(200))
        upload = basta.upload_url("s", "i", order=1, content_type="image/png", external_id="image-1")
        basta.put_image(upload, b"png", "image/png")
    sent = put.calls.last.request
    assert sent.content == b"png"
    assert (sent.headers["host"], sent.headers["content-type"], sent.headers["x-upload"]) == (
        "storage.invalid", "image/png", "1",
    )  # fmt: skip
    assert "x-api-key" not in sent.headers
