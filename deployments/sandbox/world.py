"""The world outside: one clock, one agenda, one memory, shared by all the vendors."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from deployments.sandbox.faults import Fault, Faults
from deployments.sandbox.people import People
from deployments.sandbox.wire import Reply, Request


class Clock:
    """The sandbox's time: real time, sped up, or moved by hand (speed 0)."""

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._origin = start or datetime.now(UTC)
        self._speed = speed
        self._mark = time.monotonic()

    @property
    def speed(self) -> float:
        """Sandbox seconds per real second."""
        return self._speed

    def now(self) -> datetime:
        """Aware UTC."""
        return self._origin + timedelta(seconds=(time.monotonic() - self._mark) * self._speed)

    def set_speed(self, speed: float) -> None:
        """Change the pace from this moment on."""
        self._origin, self._mark, self._speed = self.now(), time.monotonic(), speed

    def advance(self, seconds: float) -> None:
        """Jump ahead; what falls due is run by `World.run_due`."""
        self._origin += timedelta(seconds=seconds)


class Vendor(Protocol):
    """One simulated service."""

    name: str

    def operation(self, request: Request) -> str:
        """The call's name, for faults and the log: "POST /shopping/order/createOrderV2", "createSale"."""

    def handle(self, request: Request) -> Reply:
        """Do it and answer."""

    def throttled(self) -> Reply:
        """This vendor's own "too many requests"."""

    def broken(self) -> Reply:
        """This vendor's own HTTP 500."""


@dataclass(frozen=True)
class Call:
    """A line of the world's log: who was asked what, and what came of it."""

    at: datetime
    monotonic: float
    vendor: str
    operation: str
    status: int
    fault: str = ""


@dataclass
class Delivery:
    """A webhook on its way out."""

    source: str
    url: str
    headers: dict[str, str]
    body: bytes
    label: str
    tries_left: int
    tried: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """What the transport should do: answer, perhaps late, or hang and drop the line."""

    reply: Reply | None
    delay: float = 0.0
    hang: bool = False


class World:
    """All of the outside, deterministic from its seed when the clock is moved by hand."""

    def __init__(self, seed: int = 1, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.random = random.Random(seed)
        self.people = People()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.vendors: dict[str, Vendor] = {}
        self.deliveries: deque[Delivery] = deque()
        self.webhook_mode = "normal"  # normal, lost, doubled, shuffled
        self.webhook_log: list[tuple[datetime, str, str, int]] = []
        #: How an address is tried while somebody waits for the verdict; without it, nobody waits.
        self.knock: Callable[[str, bytes], int] | None = None
        self._agenda: list[tuple[datetime, int, str, Callable[[], None]]] = []
        self._running = threading.RLock()
        self._order = itertools.count()
        self._ids = itertools.count(1)
        self.base_url = "http://127.0.0.1:0"

    def add(self, vendor: Vendor) -> None:
        """Let a vendor live here."""
        self.vendors[vendor.name] = vendor

    def new_number(self) -> int:
        """The next number, never given twice; ids are built from it, so that a seed gives the same ids."""
        return next(self._ids)

    def after(self, seconds: float, do: Callable[[], None], label: str) -> None:
        """Have something happen when that many sandbox seconds have passed."""
        self.at(self.clock.now() + timedelta(seconds=seconds), do, label)

    def at(self, when: datetime, do: Callable[[], None], label: str) -> None:
        """Have something happen at a moment of the sandbox's time."""
        heapq.heappush(self._agenda, (when, next(self._order), label, do))

    def next_due(self) -> datetime | None:
        """When the next thing happens."""
        return self._agenda[0][0] if self._agenda else None

    def run_due(self) -> int:
        """Let everything happen whose time has come, in order; how many things happened."""
        done = 0
        with self._running:  # a test may move the clock while the server's own loop looks
            while self._agenda and self._agenda[0][0] <= self.clock.now():
                heapq.heappop(self._agenda)[3]()
                done += 1
        return done

    def post(self, source: str, url: str, headers: dict[str, str], body: bytes, label: str, tries: int = 4) -> None:
        """Send a webhook, subject to the mode the tests chose."""
        if self.webhook_mode == "lost" or not url:
            return
        copies = 2 if self.webhook_mode == "doubled" else 1
        for _ in range(copies):
            self.deliveries.append(Delivery(source, url, dict(headers), body, label, tries))
        if self.webhook_mode == "shuffled":
            waiting = list(self.deliveries)
            self.random.shuffle(waiting)
            self.deliveries = deque(waiting)

    def dispatch(self, vendor_name: str, request: Request) -> Sent:
        """Give a request to its vendor, through whatever fault is planned for it."""
        self.run_due()
        vendor = self.vendors[vendor_name]
        operation = vendor.operation(request)
        fault = self.faults.take(vendor_name, operation)
        sent = self._serve(vendor, request, operation, fault)
        status = sent.reply.status if sent.reply else 0
        self.calls.append(
            Call(
                self.clock.now(),
                time.monotonic(),
                vendor_name,
                operation,
                status,
                fault.kind if fault else "",
            )
        )
        return sent

    def _serve(self, vendor: Vendor, request: Request, operation: str, fault: Fault | None) -> Sent:
        if fault is None:
            return Sent(vendor.handle(request))
        match fault.kind:
            case "429":
                return Sent(vendor.throttled())
            case "500_before":
                return Sent(vendor.broken())
            case "500_after":
                vendor.handle(request)
                return Sent(vendor.broken())
            case "timeout_before":
                return Sent(None, delay=fault.seconds, hang=True)
            case "timeout_after":
                vendor.handle(request)
                return Sent(None, delay=fault.seconds, hang=True)
            case "late":
                self.after(fault.effect_after, lambda: _ignore(vendor.handle(request)), f"late {operation}")
                return Sent(None, delay=fault.seconds, hang=True)
            case "reset_before":
                return Sent(None)
            case "reset_after":
                vendor.handle(request)
                return Sent(None)
            case "garbage":
                vendor.handle(request)
                return Sent(Reply(200, b"<html><body>Bad gateway, try later", {"content-type": "text/html"}))
            case "garbage_before":
                return Sent(Reply(200, b'{"code": 2', {"content-type": "application/json"}))
            case "slow":
                return Sent(vendor.handle(request), delay=fault.seconds)
            case _:
                raise ValueError(f"no such fault: {fault.kind}")


def _ignore(_: Any) -> None:
    return None
