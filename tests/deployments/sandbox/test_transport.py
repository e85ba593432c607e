"""Every kind of fault happens on the wire, with its effect or without; webhooks are carried, and carried again."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from deployments.sandbox import server
from deployments.sandbox.cj import Order
from deployments.sandbox.faults import KINDS, Fault
from deployments.sandbox.run import build_world as new_world
from deployments.sandbox.run import in_thread, listen
from deployments.sandbox.world import World

#: How long a hanging answer hangs, and how long we wait for it: both short, the second shorter.
HANG_SECONDS, PATIENCE_SECONDS = 0.8, 0.25
HEADERS = {"authorization": "Bearer sk_test_sandbox"}
CREATE = "POST /v1/customers"
NO_ANSWER = (httpx.RemoteProtocolError, httpx.ReadError)


def until(holds: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait for something that happens in another thread."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def served() -> Iterator[World]:
    world = new_world(people=False)
    with in_thread(world):
        yield world


@pytest.fixture
def world(served: World) -> Iterator[World]:
    """The served world, with nothing planned and nothing remembered of Stripe's."""
    served.faults.clear()
    served.vendors["stripe"].store.customers.clear()
    yield served
    served.faults.clear()


@pytest.fixture
def http(world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.base_url, headers=HEADERS, timeout=5) as client:
        yield client


def create(http: httpx.Client, *, patience: float = 5.0, key: str = "") -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return http.post("/stripe/v1/customers", data={"email": "a@b.invalid"}, headers=headers, timeout=patience)


def customers(world: World) -> int:
    return len(world.vendors["stripe"].store.customers)


@pytest.mark.parametrize(
    ("kind", "status", "effects"),
    [("429", 429, 0), ("500_before", 500, 0), ("500_after", 500, 1)],
)
def test_a_refusal_comes_in_the_vendors_own_words(
    world: World, http: httpx.Client, kind: str, status: int, effects: int
) -> None:
    world.faults.plan(Fault("stripe", CREATE, kind))
    answer = create(http)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == {429: "rate_limit_error", 500: "api_error"}[status]
    assert customers(world) == effects
    assert create(http).status_code == 200, "the fault was for one call"


@pytest.mark.parametrize(("kind", "effects"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_hanging_answer_runs_into_the_clients_patience(
    world: World, http: httpx.Client, kind: str, effects: int
) -> None:
    world.faults.plan(Fault("stripe", CREATE, kind, seconds=HANG_SECONDS))
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        create(http, patience=PATIENCE_SECONDS)
    assert PATIENCE_SECONDS <= time.monotonic() - began < HANG_SECONDS
    assert customers(world) == effects


def test_whoever_waits_longer_than_it_hangs_sees_the_line_dropped(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "timeout_before", seconds=0.2))
    with pytest.raises(NO_ANSWER):
        create(http)


def test_a_late_effect_lands_long_after_the_client_gave_up(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "late", seconds=HANG_SECONDS, effect_after=600))
    with pytest.raises(httpx.ReadTimeout):
        create(http, patience=PATIENCE_SECONDS)
    assert customers(world) == 0
    http.post("/control/clock", json={"advance": 590})
    assert http.get("/control/calls").status_code == 200
    assert customers(world) == 0
    http.post("/control/clock", json={"advance": 11})
    until(lambda: customers(world) == 1)


@pytest.mark.parametrize(("kind", "effects"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_ends_the_connection_without_a_word(world: World, http: httpx.Client, kind: str, effects: int) -> None:
    world.faults.plan(Fault("stripe", CREATE, kind))
    with pytest.raises(NO_ANSWER):
        create(http)
    assert customers(world) == effects
    assert create(http).status_code == 200, "the next connection is a good one"


@pytest.mark.parametrize(
    ("kind", "content_type", "effects"),
    [("garbage", "text/html", 1), ("garbage_before", "application/json", 0)],
)
def test_garbage_is_a_200_that_nobody_can_read(
    world: World, http: httpx.Client, kind: str, content_type: str, effects: int
) -> None:
    world.faults.plan(Fault("stripe", CREATE, kind))
    answer = create(http)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()
    assert customers(world) == effects


def test_a_slow_answer_comes_and_is_a_good_one(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "slow", seconds=0.3))
    began = time.monotonic()
    assert create(http).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_one_hanging_call_holds_up_no_other(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "timeout_before", seconds=HANG_SECONDS))
    with pytest.raises(httpx.ReadTimeout):
        create(http, patience=0.05)
    began = time.monotonic()
    assert create(http).status_code == 200
    assert time.monotonic() - began < HANG_SECONDS / 2


def test_a_fault_meets_the_call_that_was_named_and_its_position(world: World, http: httpx.Client) -> None:
    http.post("/control/faults", json={"vendor": "stripe", "operation": CREATE, "kind": "429", "nth": 2, "times": 2})
    assert http.get("/stripe/v1/customers").status_code == 200, "another call is not counted"
    assert [create(http).status_code for _ in range(4)] == [200, 429, 429, 200]
    told = [call.fault for call in world.calls if call.operation == CREATE][-4:]
    assert told == ["", "429", "429", ""]


def test_a_500_after_the_effect_is_what_its_key_replays(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "500_after"))
    assert create(http, key="k").status_code == 500
    again = create(http, key="k")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (500, "true")
    assert customers(world) == 1
    assert create(http, key="k:r2").status_code == 200


def test_every_kind_of_fault_has_its_test_here() -> None:
    tested = {
        "429", "500_before", "500_after", "timeout_before", "timeout_after", "late", "reset_before", "reset_after",
        "garbage", "garbage_before", "slow",
    }  # fmt: skip
    assert tested == set(KINDS)


class Receiver:
    """Somebody's webhook endpoint, which answers as it is told and keeps what came."""

    def __init__(self, answers: list[int]) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self._answers = answers
        self.dawdles: list[float] = []
        self._listener = listen(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")[1:]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65_536)
        self.came.append((headers, body))
        time.sleep(self.dawdles.pop(0) if self.dawdles else 0)
        status = self._answers.pop(0) if self._answers else 200
        with suppress(OSError):  # who was kept waiting may be gone
            connection.sendall(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    opened: list[Receiver] = []

    def start(*answers: int) -> Receiver:
        opened.append(Receiver(list(answers)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def ask_basta(http: httpx.Client, query: str, **variables: Any) -> Any:
    headers = {"x-account-id": "sandbox-account", "x-api-key": "sandbox-key"}
    answer = http.post("/basta/graphql", json={"query": query, "variables": variables}, headers=headers).json()
    assert "errors" not in answer, answer
    return answer["data"]


SUBSCRIBE = """mutation($i: ActionHookSubscriptionInput!) {
  addActionHookSubscription(accountId: "sandbox-account", input: $i) { id } }"""
UNSUBSCRIBE = """mutation($i: DeleteActionHookSubscriptionInput!) {
  deleteActionHookSubscription(accountId: "sandbox-account", input: $i) }"""
NEW_SALE = 'mutation { createSale(accountId: "sandbox-account", input: {title: "Lamps"}) { id } }'
PUBLISH = 'mutation($s: String!) { publishSale(accountId: "sandbox-account", input: {saleId: $s}) { status } }'
LOG = """{ actionHookLogs(accountId: "sandbox-account", filter: {types: [SALE_STATUS_CHANGED]}) {
  edges { node { idempotencyKey status retries requestPayload } } } }"""


def test_bastas_couriers_sign_and_come_again_with_the_same_key(
    world: World, http: httpx.Client, receive: Callable[..., Receiver]
) -> None:
    receiver = receive(500)
    given = {"action": "SALE_STATUS_CHANGED", "url": receiver.url, "headers": [{"key": "x-shared", "value": "s"}]}
    hook = ask_basta(http, SUBSCRIBE, i=given)["addActionHookSubscription"]["id"]
    ask_basta(http, PUBLISH, s=ask_basta(http, NEW_SALE)["createSale"]["id"])
    until(lambda: len(receiver.came) == 2)
    (headers, body), (_, again) = receiver.came
    assert body == again
    assert headers["x-shared"] == "s"
    at, signature = headers["x-basta-signature"].removeprefix("t=").split(",v1=")
    assert signature == hmac.new(b"sandbox", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    until(lambda: ask_basta(http, LOG)["actionHookLogs"]["edges"][0]["node"]["status"] == "SUCCESS")
    node = ask_basta(http, LOG)["actionHookLogs"]["edges"][0]["node"]
    assert node["retries"] == 1
    assert node["idempotencyKey"] == json.loads(body)["idempotencyKey"]
    assert json.loads(node["requestPayload"]) == json.loads(body)
    ask_basta(http, UNSUBSCRIBE, i={"id": hook})


@pytest.mark.parametrize(("mode", "copies"), [("normal", 1), ("doubled", 2)])
def test_stripes_couriers_bring_each_event_as_often_as_the_mode_says(
    world: World, http: httpx.Client, receive: Callable[..., Receiver], mode: str, copies: int
) -> None:
    receiver = receive()
    http.post("/control/webhooks", json={"mode": mode, "stripe": receiver.url})
    customer = create(http).json()["id"]
    http.post(f"/stripe/v1/customers/{customer}", data={"name": "Ada"})
    until(lambda: len(receiver.came) == copies and not world.deliveries)
    http.post("/control/webhooks", json={"mode": "normal", "stripe": ""})
    assert {json.loads(body)["type"] for _, body in receiver.came} == {"customer.updated"}
    assert len({json.loads(body)["id"] for _, body in receiver.came}) == 1


@pytest.mark.parametrize(
    ("answers", "came"),
    [([200], 1), ([204, 500, 200], 3), ([500] * 9, 4)],
    ids=["taken", "only 200 is taken", "given up after three more tries"],
)
def test_cjs_couriers_take_200_alone_and_come_three_times_more_with_the_same_message(
    world: World,
    http: httpx.Client,
    receive: Callable[..., Receiver],
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int],
    came: int,
) -> None:
    monkeypatch.setattr(server, "PAUSE_SECONDS", 0.01)
    receiver, cj = receive(*answers), world.vendors["cj"]
    cj.options.webhook_url = receiver.url
    cj.webhooks.parcel(order := an_order())
    cj.options.webhook_url = ""
    until(lambda: len(receiver.came) == came)
    time.sleep(0.3)  # long enough for one more, if there were one
    assert len(receiver.came) == came
    assert len({body for _, body in receiver.came}) == 1
    told = json.loads(receiver.came[0][1])
    assert told["params"]["orderId"] == int(order.order_id)


def test_a_receiver_that_is_slower_than_cjs_three_seconds_did_not_take_it(
    world: World, http: httpx.Client, receive: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    patience, good = server.PATIENCE["cj"]
    assert patience == 3.0
    monkeypatch.setitem(server.PATIENCE, "cj", (0.2, good))
    monkeypatch.setattr(server, "PAUSE_SECONDS", 0.01)
    receiver, cj = receive(), world.vendors["cj"]
    receiver.dawdles = [0.4]
    cj.options.webhook_url = receiver.url
    cj.webhooks.parcel(an_order())
    cj.options.webhook_url = ""
    until(lambda: len(receiver.came) == 2)
    until(lambda: [status for *_, status in world.webhook_log[-2:]] == [0, 200])


def an_order() -> Order:
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return Order(
        number="HS-1", order_id="2611230000000000001", code="SD1", shipment_id="SD2", status="SHIPPED", lines=(),
        address={"city": "Dover"}, logistic_name="P", from_country="CN", goods_cents=1, postage_cents=1, grams=1,
        is_sandbox=False, created=at,
    )  # fmt: skip


def test_lost_webhooks_never_come(world: World, http: httpx.Client, receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    http.post("/control/webhooks", json={"mode": "lost", "stripe": receiver.url})
    customer = create(http).json()["id"]
    http.post(f"/stripe/v1/customers/{customer}", data={"name": "Ada"})
    http.post("/control/webhooks", json={"mode": "normal", "stripe": ""})
    assert not world.deliveries
    assert receiver.came == []


def test_the_page_shows_every_table_and_marks_the_calls_that_met_a_fault(world: World, http: httpx.Client) -> None:
    world.faults.plan(Fault("stripe", CREATE, "reset_after"))
    with pytest.raises(NO_ANSWER):
        create(http)
    page = http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for heading in (
        "sales and their lots",
        "invoices",
        "refunds",
        "CJ: orders",
        "mails",
        "Alerts",
        "Webhooks",
        "calls",
    ):
        assert heading in page.text
    assert "balance $1,000.00" in page.text
    marked = [row for row in page.text.split("<tr")[1:] if row.startswith(' class="fault"')]
    assert len(marked) >= 1
    assert CREATE in marked[0]
    assert "no answer" in marked[0]
    assert "reset_after" in marked[0]
    assert not any(word in page.text for word in ("<script", "<link", "src=")), "nothing is fetched from elsewhere"


def test_what_a_person_typed_is_shown_as_text(world: World, http: httpx.Client) -> None:
    http.post("/alerts/json/1", json={"message": "<b>lot</b>"})
    assert "&lt;b&gt;lot&lt;/b&gt;" in http.get("/").text
