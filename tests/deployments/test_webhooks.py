"""What the vendors tell is verified, stored once, and answered with exactly 200; all else is refused."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from deployments.waking import Bell
from deployments.webhooks import LARGEST_BODY, receiver
from tasks.clients.basta import webhooks as basta
from tasks.clients.cj import webhooks as cj
from tasks.clients.cj.tokens import Tokens
from tasks.clients.stripe import webhooks as stripe
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.lots.records import InboxEvent
from tasks.settings import Settings
from tests.deployments.hostile import HEADERS, SOURCES, Attacker, attack_all, genuine, signature

KNOWN = Settings(STRIPE_WEBHOOK_SECRET="whsec_s", BASTA_WEBHOOK_SECRET="whsec_b")


class Sender:
    """Sends to the application itself, with no socket."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> int:
        async def go() -> int:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver.invalid") as http:
                return (await http.request(method, path, **options)).status_code

        return asyncio.run(go())

    def post(self, source: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        return self.request("POST", f"/webhooks/{source}", content=body, headers=headers)


STRIPE = b'{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1","object":"invoice"}}}'
BASTA = b'{"idempotencyKey":"k1","actionType":"SaleStatusChanged","data":{"saleId":"s1","saleStatus":"CLOSED"}}'
CJ = b'{"messageId":"m1","type":"ORDER","params":{"orderNumber":"HS-1","cjOrderId":42,"orderStatus":"SHIPPED"}}'


@pytest.fixture
def client(sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    tokens = Tokens(
        access="a", access_until=now(), refresh="r", refresh_until=now(), open_id="900100200", logged_in_at=now()
    )
    shown = {name: getattr(value, "get_secret_value", value.__str__)() for name, value in tokens}
    (tmp_path / ".cj-token.json").write_text(json.dumps(shown))
    return Sender(receiver(KNOWN, sqlite_record))


def signed(source: str, body: bytes, shift: int = 0) -> dict[str, str]:
    at = int(now().timestamp()) + shift
    return {
        "stripe": {"stripe-signature": f"t={at},v1={stripe.signature(body, 'whsec_s', at)}"},
        "basta": {"x-basta-signature": f"t={at},v1={basta.signature(body, 'whsec_b', at)}"},
        "cj": {"sign": cj.signature(body, "900100200")},
    }[source]


def kept(record: Record) -> list[InboxEvent]:
    with record.read() as session:
        return list(session.scalars(select(InboxEvent)))


@pytest.mark.parametrize(
    ("source", "body", "external_id"),
    [("stripe", STRIPE, "evt_1"), ("basta", BASTA, "k1"), ("cj", CJ, "m1")],
    ids=["stripe", "basta", "cj"],
)
def test_a_vendors_word_is_kept_once_and_answered_with_200(
    client: Sender, sqlite_record: Record, source: str, body: bytes, external_id: str
) -> None:
    for _ in range(2):
        assert client.post(source, body, signed(source, body)) == 200
    assert [event.external_id for event in kept(sqlite_record)] == [external_id]


@pytest.mark.parametrize("source", ["stripe", "basta", "cj"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda body, headers: (body + b" ", headers), id="altered"),
        pytest.param(lambda body, headers: (body, {}), id="unsigned"),
        pytest.param(lambda body, headers: (body, dict.fromkeys(headers, "t=1,v1=0")), id="forged"),
        pytest.param(lambda body, headers: (b"x" * (LARGEST_BODY + 1), headers), id="too large"),
    ],
)
def test_what_is_not_the_vendors_is_refused_without_effect(
    client: Sender, sqlite_record: Record, source: str, spoil: object
) -> None:
    body = {"stripe": STRIPE, "basta": BASTA, "cj": CJ}[source]
    sent, headers = spoil(body, signed(source, body))  # type: ignore[operator]
    assert client.post(source, sent, headers) in (400, 401, 413)
    assert kept(sqlite_record) == []


@pytest.mark.parametrize("source", ["stripe", "basta"])
@pytest.mark.parametrize("shift", [-301, 301], ids=["expired", "from the future"])
def test_a_signature_of_another_time_is_refused(client: Sender, source: str, shift: int) -> None:
    body = {"stripe": STRIPE, "basta": BASTA}[source]
    assert client.post(source, body, signed(source, body, shift)) == 401


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("t={t},v1={bad},v1={good}", 200),
        ("t={t},v1={good},v1={bad}", 200),
        ("v0={bad}, v1={good}, t={t}", 200),
        ("t={t},v0={good}", 401),
        ("t={t},v1={bad},v1={bad}", 401),
        ("t={t},t={t},v1={good}", 401),  # two readers may take it for two times
        ("t={old},t={t},v1={good}", 401),
        ("t=+{t},v1={good}", 401),
        ("v1={good}", 401),
    ],
)
@pytest.mark.parametrize("source", ["stripe", "basta"])
def test_while_a_secret_is_changed_either_signature_holds_and_one_time_is_said_once(
    client: Sender, sqlite_record: Record, source: str, form: str, status: int
) -> None:
    body, at = {"stripe": STRIPE, "basta": BASTA}[source], int(now().timestamp())
    good = signature(source, body, at).rpartition("=")[2]
    header = form.format(t=at, old=at - 900, good=good, bad="0" * 64)
    assert client.post(source, body, {HEADERS[source]: header}) == status
    assert len(kept(sqlite_record)) == (status == 200)


def test_the_vendors_are_not_taken_for_each_other(client: Sender) -> None:
    assert client.post("cj", STRIPE, signed("stripe", STRIPE)) == 401
    assert client.request("GET", "/webhooks/stripe") == 405


@pytest.mark.parametrize("path", ["/webhooks/stripe/", "//webhooks/stripe", "/webhooks//stripe", "/Webhooks/stripe"])
def test_another_address_is_nowhere_and_leads_nowhere(client: Sender, path: str) -> None:
    assert client.request("POST", path, content=STRIPE, headers=signed("stripe", STRIPE)) == 404


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=400) | st.text(max_size=200).map(str.encode),
    source=st.sampled_from(["stripe", "basta", "cj"]),
)
def test_signed_nonsense_is_never_a_crash_and_unsigned_never_accepted(client: Sender, body: bytes, source: str) -> None:
    assert client.post(source, body) == 401
    assert client.post(source, body, signed(source, body)) in (200, 204, 400)  # 204: the doctor's own self-test


class CountedBell(Bell):
    """Remembers who rang."""

    rung: list[str]

    def ring(self, source: str) -> None:
        self.rung.append(source)


def test_ten_thousand_hostile_bodies_have_no_effect_and_make_nothing_fall_over(
    client: Sender, sqlite_record: Record
) -> None:
    """W3."""
    bell = CountedBell(KNOWN)
    bell.rung = []
    app = receiver(KNOWN, sqlite_record, bell)
    at = int(now().timestamp())
    for source in SOURCES:  # so that there is something to replay
        body = genuine(source, "known")
        assert client.post(source, body, {HEADERS[source]: signature(source, body, at)}) == 200
    before = [event.external_id for event in kept(sqlite_record)]
    seen: Counter[tuple[str, int]] = Counter()
    for attack, status in attack_all(app, Attacker(1, at).attacks(10_000)):
        assert status == 200 if attack.replayed else status in (400, 401, 413), attack
        seen[attack.kind, status] += 1
    assert sum(seen.values()) == 10_000
    assert len({kind for kind, _ in seen}) == 18
    assert [event.external_id for event in kept(sqlite_record)] == before
    assert bell.rung == []


@pytest.mark.parametrize("source", ["stripe", "basta", "cj"])
def test_without_a_secret_nothing_is_the_vendors(
    sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    body, at = genuine(source, "x"), int(now().timestamp())
    sender = Sender(receiver(Settings(), sqlite_record))
    for secret in ("", "whsec_", "None"):
        assert sender.post(source, body, {HEADERS[source]: signature(source, body, at, secret)}) == 401


@pytest.mark.parametrize("source", ["stripe", "basta"])
def test_the_beginning_that_every_secret_has_is_no_secret(sqlite_record: Record, source: str) -> None:
    sender = Sender(receiver(Settings(STRIPE_WEBHOOK_SECRET="whsec_", BASTA_WEBHOOK_SECRET="whsec_"), sqlite_record))
    body, at = genuine(source, "x"), int(now().timestamp())
    for secret in ("", "whsec_"):
        assert sender.post(source, body, {HEADERS[source]: signature(source, body, at, secret)}) == 401


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda file: file.write_bytes(b"{")], ids=["a folder", "half a file"])
def test_a_token_file_that_cannot_be_read_lets_nothing_in(
    client: Sender, sqlite_record: Record, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    (tmp_path / ".cj-token.json").unlink()
    spoil(tmp_path / ".cj-token.json")
    assert client.post("cj", CJ, signed("cj", CJ)) == 401
    assert kept(sqlite_record) == []
