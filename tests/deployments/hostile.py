"""Hostile webhooks, generated: everything that a stranger, a replayer or a broken vendor may send to the receiver."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from deployments.webhooks import LARGEST_BODY
from tasks.clients.basta import webhooks as basta
from tasks.clients.cj import webhooks as cj
from tasks.clients.stripe import webhooks as stripe

SOURCES = ("stripe", "basta", "cj")
OPEN_ID = "900100200"
SECRETS = {"stripe": "whsec_s", "basta": "whsec_b", "cj": OPEN_ID}
HEADERS = {"stripe": "stripe-signature", "basta": "x-basta-signature", "cj": "sign"}
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Attack:
    """One request. `replayed` is genuine, and was taken before: 200, and nothing comes of it."""

    kind: str
    source: str
    body: bytes
    headers: Headers
    replayed: bool = False


def genuine(source: str, name: str) -> bytes:
    """What the vendor itself may send."""
    told: dict[str, Any] = {
        "stripe": {
            "id": f"evt_{name}",
            "object": "event",
            "type": "invoice.paid",
            "data": {"object": {"id": "in_1", "object": "invoice"}},
        },
        "basta": {
            "idempotencyKey": f"hook-{name}",
            "actionType": "SaleStatusChanged",
            "data": {"saleId": "sale-1", "saleStatus": "CLOSED"},
        },
        "cj": {
            "messageId": f"m-{name}",
            "type": "ORDER",
            "params": {"orderNumber": "HS-1", "cjOrderId": 42, "orderStatus": "SHIPPED"},
        },
    }[source]
    return json.dumps(told).encode()


def signature(source: str, body: bytes, at: int, secret: str | None = None) -> str:
    """As the vendor signs."""
    key = SECRETS[source] if secret is None else secret
    if source == "cj":
        return cj.signature(body, key)
    sign = stripe.signature if source == "stripe" else basta.signature
    return f"t={at},v1={sign(body, key, at)}"


def signed(source: str, body: bytes, at: int, secret: str | None = None) -> Headers:
    """The header that carries it."""
    return [(HEADERS[source].encode(), signature(source, body, at, secret).encode())]


class Attacker:
    """The same seed makes the same attacks."""

    def __init__(self, seed: int, at: int) -> None:
        self._dice, self._at = random.Random(seed), at
        self._kinds: list[Callable[[str], Attack]] = [
            self.unsigned, self.forged, self.altered, self.expired, self.from_the_future, self.of_the_empty_secret,
            self.for_another_vendor, self.replayed, self.with_a_mad_header, self.no_json, self.no_utf8, self.nested,
            self.with_a_key_twice, self.with_a_huge_number, self.of_wrong_types, self.with_an_impossible_id,
        ]  # fmt: skip

    def attacks(self, number: int, large: int = 20) -> Iterator[Attack]:
        """So many, of every kind, some of them of 10 MB."""
        for turn in range(number):
            source = self._dice.choice(SOURCES)
            if turn < large:
                yield self.too_large(source)
            else:
                yield self._kinds[turn % len(self._kinds)](source)

    def _genuine(self, source: str) -> bytes:
        return genuine(source, f"{self._dice.getrandbits(64):x}")

    def unsigned(self, source: str) -> Attack:
        return Attack("unsigned", source, self._genuine(source), [])

    def forged(self, source: str) -> Attack:
        body, noise = self._genuine(source), self._dice.randbytes(32)
        value = base64.b64encode(noise) if source == "cj" else f"t={self._at},v1={noise.hex()}".encode()
        return Attack("forged", source, body, [(HEADERS[source].encode(), value)])

    def altered(self, source: str) -> Attack:
        body = bytearray(self._genuine(source))
        headers = signed(source, bytes(body), self._at)
        body[self._dice.randrange(len(body))] ^= 1 << self._dice.randrange(8)
        return Attack("altered", source, bytes(body), headers)

    def expired(self, source: str) -> Attack:
        body = self._genuine(source)
        if source == "cj":
            return self.forged(source)  # it signs no time
        return Attack("expired", source, body, signed(source, body, self._at - self._dice.randrange(310, 10**7)))

    def from_the_future(self, source: str) -> Attack:
        body = self._genuine(source)
        if source == "cj":
            return self.altered(source)
        return Attack(
            "from the future", source, body, signed(source, body, self._at + self._dice.randrange(310, 10**7))
        )

    def of_the_empty_secret(self, source: str) -> Attack:
        body = self._genuine(source)
        secret = self._dice.choice(["", "whsec_", "None", "0"])
        return Attack("of the empty secret", source, body, signed(source, body, self._at, secret))

    def for_another_vendor(self, source: str) -> Attack:
        other = self._dice.choice([one for one in SOURCES if one != source])
        body = self._genuine(other)
        headers = signed(other, body, self._at)
        if self._dice.random() < 0.5:  # under the header that this one reads
            headers = [(HEADERS[source].encode(), headers[0][1])]
        return Attack("for another vendor", source, body, headers)

    def replayed(self, source: str) -> Attack:
        body = genuine(source, "known")
        if source != "cj" and self._dice.random() < 0.5:
            return Attack("replayed late", source, body, signed(source, body, self._at - 400))
        return Attack("replayed", source, body, signed(source, body, self._at), replayed=True)

    def with_a_mad_header(self, source: str) -> Attack:
        body = self._genuine(source)
        good = signature(source, body, self._at)
        hexes = good.rpartition("=")[2]
        value = self._dice.choice(
            [
                b"", b",", b"=" * 500, b"t=,v1=", b"v1=", b"t=" + b"9" * 4_000 + b",v1=0", b"\xff\xfe" * 50,
                "t=١٧٩,v1=0".encode(), f"t=-1,v1={hexes}".encode(), f"t={self._at}".encode(),
                f"t={self._at},t={self._at},v1={hexes}x".encode(), b"v1=0," * 2_000, f"v1={hexes}".encode(),
                b"t=1e9,v1=0", b"t=0x10,v1=0", b"Bearer x",
            ]
        )  # fmt: skip
        return Attack("with a mad header", source, body, [(HEADERS[source].encode(), value)])

    def no_json(self, source: str) -> Attack:
        body = self._dice.choice(
            [
                b"",
                b"{",
                b"null",
                b"[]",
                b"1",
                b'"x"',
                b"<xml/>",
                self._dice.randbytes(64),
                b'{"a":NaN}',
                b"{}{}",
                b"\x00",
            ]
        )
        return self._signed("no JSON", source, body)

    def no_utf8(self, source: str) -> Attack:
        body = self._genuine(source)
        other = self._dice.choice(
            [body.decode().encode("utf-16"), body.decode().encode("utf-32"), body[:-1] + b"\xff}"]
        )
        return self._signed("no UTF-8", source, other)

    def nested(self, source: str) -> Attack:
        deep = self._dice.choice([2_000, 20_000, 100_000])
        left, right = self._dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
        middle = b"1" if left != b"[" else b""
        return self._signed("nested", source, b'{"id":' + left * deep + middle + right * deep + b"}")

    def with_a_key_twice(self, source: str) -> Attack:
        body = self._genuine(source)
        first = body[1 : body.index(b",")]
        return self._signed("with a key twice", source, b"{" + first + b"," + body[1:])

    def with_a_huge_number(self, source: str) -> Attack:
        name = {"stripe": "id", "basta": "idempotencyKey", "cj": "messageId"}[source].encode()
        digits = b"7" * self._dice.choice([300, 4_000, 5_000, 100_000])
        body = self._genuine(source)
        return self._signed(
            "with a huge number", source, b'{"' + name + b'":' + digits + b"," + body[body.index(b",") + 1 :]
        )

    def of_wrong_types(self, source: str) -> Attack:
        told = json.loads(self._genuine(source))
        wrong = self._dice.choice([[1], {"a": 1}, True, 1.5, [[]], {"id": {"id": "x"}}])
        places = {
            "stripe": [("id",), ("type",), ("object",), ("data",), ("data", "object"), ("data", "object", "id")],
            "basta": [("idempotencyKey",), ("actionType",), ("data",), ("data", "saleId"), ("data", "saleStatus")],
            "cj": [("messageId",), ("type",), ("params",), ("params", "orderNumber"), ("params", "orderStatus")],
        }[source]
        *way, last = self._dice.choice(places)
        part = told
        for name in way:
            part = part[name]
        # An object where one belongs is only strange, and strange fields are left alone.
        part[last] = [1] if last in ("data", "params", "object") else wrong
        return self._signed("of wrong types", source, json.dumps(told).encode())

    def with_an_impossible_id(self, source: str) -> Attack:
        told = json.loads(self._genuine(source))
        name = {"stripe": "id", "basta": "idempotencyKey", "cj": "messageId"}[source]
        told[name] = self._dice.choice(["", "a\x00b", "\ud800", "x" * 256, "\n", None, "a\u202eb", "\u2028"])
        return self._signed("with an impossible id", source, json.dumps(told).encode())

    def too_large(self, source: str) -> Attack:
        size = self._dice.choice([LARGEST_BODY + 1, 10 * 1024 * 1024])
        return self._signed("too large", source, self._genuine(source) + b" " * size)

    def _signed(self, kind: str, source: str, body: bytes) -> Attack:
        """Signed well, so that nothing but the body can be why it is refused."""
        return Attack(kind, source, body, signed(source, body, self._at))


async def send(app: Any, attack: Attack) -> int:
    """Straight into the application, in chunks and without a length, as a hostile sender would."""
    chunks = [attack.body[start : start + 65_536] for start in range(0, len(attack.body), 65_536)] or [b""]
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def answer(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": f"/webhooks/{attack.source}", "raw_path": b"", "query_string": b"", "root_path": "",
        "headers": attack.headers, "client": ("192.0.2.1", 1), "server": ("receiver.invalid", 80),
    }  # fmt: skip
    await app(scope, receive, answer)
    return status[0]


def attack_all(app: Callable[..., Awaitable[None]], attacks: Iterable[Attack]) -> Iterator[tuple[Attack, int]]:
    """Each attack with what it was answered; whatever the application raises comes through."""
    with asyncio.Runner() as runner:
        for attack in attacks:
            yield attack, runner.run(send(app, attack))
