"""A message becomes an event, the server's automation posts it, and the record learns that it arrived."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from deployments.sandbox.world import World
from tasks.desk import desk
from tasks.lots import incidents
from tasks.lots.incidents import Trouble
from tasks.lots.records import OutboxMessage
from tasks.settings import Settings

TROUBLE = Trouble("quota:x", "quota", "WARNING", 'CJ allows "90" more', "Source less @everyone", "pipeline status")


def report() -> None:
    with desk().record.write() as session:
        incidents.report(session, TROUBLE)


def tell_operator() -> None:
    from tasks import notifying

    with notifying.operator_told():
        pass


def delivered() -> list[bool]:
    with desk().record.read() as session:
        return [message.delivered_at is not None for message in session.scalars(select(OutboxMessage))]


def test_without_an_automation_the_run_posts_itself(world: World) -> None:
    report()
    tell_operator()
    sink: Any = world.vendors["alerts"]
    (post,) = sink.posts
    assert 'CJ allows "90" more' in post.text
    assert "Type: pipeline status" in post.text
    assert post.pings is False
    assert delivered() == [True]


def test_with_automations_the_server_posts_it_once_and_the_record_learns_of_it(world: World) -> None:
    from deployments import automations
    from tasks.notifying.automations import forget

    names = automations.apply(Settings.load()).names
    assert automations.apply(Settings.load()).names == names  # twice leaves the same set
    forget()
    report()
    sink: Any = world.vendors["alerts"]
    deadline = time.monotonic() + 30
    time.sleep(2)  # the server's triggers learn of a new automation a moment after it answers
    while not all(delivered()) and time.monotonic() < deadline:
        tell_operator()
        time.sleep(0.5)
    assert delivered() == [True]
    (post,) = sink.posts
    assert 'CJ allows "90" more' in post.text
    assert post.pings is False
