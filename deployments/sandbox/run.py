"""Starting the world: its people, its vendors, its port, and the environment that points the pipeline at it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from deployments.sandbox.alerts import Alerts
from deployments.sandbox.basta import Basta
from deployments.sandbox.cj import Cj
from deployments.sandbox.images import Images
from deployments.sandbox.people import Address, Person
from deployments.sandbox.resend import Resend
from deployments.sandbox.server import Server
from deployments.sandbox.stripe import Stripe
from deployments.sandbox.world import Clock, World

LOOPBACK = "127.0.0.1"
NAMES = (
    "Ada Brook", "Ben Carver", "Cleo Dane", "Dov Ellis", "Edda Frost", "Finn Gale", "Gwen Hale", "Hugo Ives",
    "Ines Jarl", "Jon Kerr", "Kai Lund", "Lena Moor", "Max Nye", "Nora Oak", "Otis Pell", "Pia Quill",
)  # fmt: skip
MANNERS = ("good", "good", "good", "recovers", "no_card", "ignores", "good", "secure")
CITIES = (("Springfield", "IL", "62701"), ("Salem", "OR", "97301"), ("Dover", "DE", "19901"), ("Austin", "TX", "73301"))


def populate(world: World) -> None:
    """People of every manner, with invented addresses."""
    for number, name in enumerate(NAMES):
        city, state, zip_code = CITIES[number % len(CITIES)]
        world.people.add(
            Person(
                user_id=f"user-{number + 1:02d}",
                name=name,
                email=f"{name.split()[0].lower()}@people.invalid",
                manner=MANNERS[number % len(MANNERS)],
                address=Address(name, f"{100 + number} Willow Lane", city, state, zip_code),
            )
        )


def build_world(seed: int = 1, clock: Clock | None = None, *, people: bool = True) -> World:
    """Every vendor in one world, at the product's own pace for CJ."""
    world = World(seed, clock)
    world.add(Cj(world))
    world.add(Basta(world))
    world.add(Stripe(world))
    world.add(Resend(world))
    world.add(Images())
    world.add(Alerts(world))
    if people:
        populate(world)
    return world


def environment(base_url: str) -> dict[str, str]:
    """What the pipeline's environment must say to live in this world."""
    return {
        "CJ_API_URL": f"{base_url}/cj/api2.0/v1",
        "CJ_API_KEY": "sandbox-cj",
        "ACCOUNT_ID": "sandbox-account",
        "API_KEY": "sandbox-key",
        "BASTA_API_URL": f"{base_url}/basta/graphql",
        "BASTA_WEBHOOK_SECRET": "whsec_sandbox",
        "STRIPE_API_URL": f"{base_url}/stripe",
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": "whsec_sandbox",
        "RESEND_API_URL": f"{base_url}/resend",
        "RESEND_API_KEY": "re_sandbox",
        "ALERT_WEBHOOK_URL": f"{base_url}/alerts/discord/1",
        "ALERT_WEBHOOK_KIND": "discord",
    }


def _knock(url: str, body: bytes) -> int:
    """The status of one unsigned POST, 0 for no answer in CJ's three seconds."""
    try:
        return httpx.post(url, content=body, headers={"content-type": "application/json"}, timeout=3.0).status_code
    except httpx.HTTPError:
        return 0


class _Droppable(H11Protocol):
    """Lets the application end a connection without a word, as a broken network would."""

    def handle_events(self) -> None:
        super().handle_events()

    @property
    def scope(self) -> Any:
        return self._scope

    @scope.setter
    def scope(self, value: Any) -> None:
        if isinstance(value, dict):
            value["drop"] = lambda: self.transport.abort()
        self._scope = value


def listen(port: int) -> socket.socket:
    """A socket on loopback; port 0 takes a free one."""
    # With its protocol named: only then asyncio turns Nagle's delay off, which costs every answer 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(128)
    return listener


async def serve(world: World, listener: socket.socket, stop: asyncio.Event | None = None) -> None:
    """Serve until told to stop, or interrupted."""
    world.base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    world.knock = _knock
    application = Server(world)
    config = uvicorn.Config(
        application, log_level="critical", lifespan="off", http=_Droppable, access_log=False, timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    life = asyncio.create_task(application.live())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        if stop is None:
            await serving
        else:
            await stop.wait()
            server.should_exit = True
            server.force_exit = True
            await serving
    finally:
        life.cancel()


@contextmanager
def in_thread(world: World, port: int = 0) -> Iterator[str]:
    """The world in a thread of this process, for tests and the demo; its address."""
    listener = listen(port)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=_run, args=(loop, world, listener, stop), daemon=True)
    world.base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    thread.start()
    try:
        yield world.base_url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
        listener.close()


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    """No answer that still dawdles outlives the world: Python would complain of it anywhere, and much later."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _run(loop: asyncio.AbstractEventLoop, world: World, listener: socket.socket, stop: asyncio.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve(world, listener, stop))
        loop.run_until_complete(_end_all(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
