"""The alert sink has each channel's limits, the picture host serves real files, and Resend takes a mail once a key."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from deployments.sandbox.run import build_world
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import Clock, World

JSON = {"content-type": "application/json"}


@pytest.fixture
def world() -> World:
    return build_world(clock=Clock(datetime(2026, 11, 23, 10, tzinfo=UTC), speed=0))


@pytest.fixture
def post(world: World) -> Callable[..., Reply]:
    def send(kind: str, body: Any, headers: dict[str, str] = JSON) -> Reply:
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = world.dispatch("alerts", Request("POST", f"/{kind}/1", headers=headers, body=said)).reply
        assert reply is not None
        return reply

    return send


def posts(world: World) -> list[Any]:
    sink: Any = world.vendors["alerts"]
    return list(sink.posts)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("discord", {"content": "x" * 2_000}, 204),
        ("discord", {"content": "x" * 2_001}, 400),
        ("discord", {"content": ""}, 400),
        ("discord", {"text": "the other channel's word"}, 400),
        ("discord", b"{", 400),
        ("slack", {"text": "x" * 40_000}, 200),
        ("slack", {"text": "x" * 40_001}, 400),
        ("slack", {"text": ""}, 400),
        ("json", {"message": "anything", "severity": "HIGH"}, 204),
    ],
    ids=lambda value: str(value)[:28],
)
def test_a_channel_takes_what_its_limits_allow(
    world: World, post: Callable[..., Reply], kind: str, body: Any, status: int
) -> None:
    assert post(kind, body).status == status
    assert len(posts(world)) == (status < 300)


def test_each_channel_refuses_in_its_own_words(post: Callable[..., Reply]) -> None:
    assert json.loads(post("discord", {"content": "x" * 2_001}).body)["code"] == 50035
    assert post("slack", {"text": "x" * 40_001}).body == b"msg_too_long"
    assert post("slack", {"text": ""}).body == b"no_text"
    assert post("slack", {"text": "good"}).body == b"ok"
    assert post("discord", {"content": "good"}, {"content-type": "text/plain"}).status == 400


def test_a_text_that_would_ping_everyone_is_seen_to(world: World, post: Callable[..., Reply]) -> None:
    post("discord", {"content": "@everyone"})
    post("discord", {"content": "@everyone", "allowed_mentions": {"parse": []}})
    post("slack", {"text": "<!channel>"})
    post("slack", {"text": "&lt;!channel&gt;"})
    assert [one.pings for one in posts(world)] == [True, False, True, False]


@pytest.mark.parametrize("kind", ["discord", "slack"])
def test_a_deleted_channel_is_gone(world: World, post: Callable[..., Reply], kind: str) -> None:
    sink: Any = world.vendors["alerts"]
    sink.gone = True
    assert post(kind, {"content": "x", "text": "x"}).status == 404
    assert posts(world) == []


def picture(world: World, name: str) -> Reply:
    reply = world.dispatch("images", Request("GET", f"/{name}")).reply
    assert reply is not None
    return reply


@pytest.mark.parametrize(("name", "kind"), [("desk-lamp-1.jpg", "JPEG"), ("desk-lamp-3.png", "PNG")])
def test_pictures_are_real_files_of_their_kind_and_the_same_for_a_name(world: World, name: str, kind: str) -> None:
    reply = picture(world, name)
    image = Image.open(io.BytesIO(reply.body))
    image.load()
    assert (reply.status, reply.headers["content-type"], image.format) == (200, f"image/{kind.lower()}", kind)
    assert picture(world, name).body == reply.body != picture(world, f"another-{name}").body


def test_a_dead_address_and_a_page_that_only_looks_like_a_picture(world: World) -> None:
    assert picture(world, "dead-desk-lamp-1.jpg").status == 404
    page = picture(world, "html-desk-lamp-2.jpg")
    assert (page.status, page.headers["content-type"]) == (200, "text/html")


def mail(world: World, key: str = "", **change: Any) -> tuple[int, dict[str, Any]]:
    given = {"from": "Us <us@demo.invalid>", "to": ["ada@demo.invalid"], "subject": "You won", "text": "x"} | change
    headers = {"authorization": "Bearer re_x", "idempotency-key": key}
    reply = world.dispatch("resend", Request("POST", "/emails", headers=headers, body=json.dumps(given).encode())).reply
    assert reply is not None
    return reply.status, json.loads(reply.body)


def mails(world: World) -> int:
    resend: Any = world.vendors["resend"]
    return len(resend.mails)


def test_a_mail_goes_once_a_key_for_a_day(world: World) -> None:
    first = mail(world, "k")
    assert mail(world, "k") == first
    assert mail(world, "k", text="another")[0] == 409
    assert mails(world) == 1
    world.clock.advance(86_400)
    assert mail(world, "k")[1]["id"] != first[1]["id"]
    assert mails(world) == 2


@pytest.mark.parametrize(
    ("change", "name"),
    [({"to": ["ada@example.com"]}, "validation_error"), ({"subject": ""}, "missing_required_field")],
    ids=["a reader who is none", "no subject"],
)
def test_a_mail_that_cannot_go_is_refused(world: World, change: dict[str, Any], name: str) -> None:
    status, said = mail(world, **change)
    assert (status, said["name"], mails(world)) == (422, name, 0)
