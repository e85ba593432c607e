"""Today's sourcing run that did not begin, told only where a server has the daily deployment and nobody paused it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from sqlalchemy import select

from deployments.sandbox.world import World
from tasks import guarding
from tasks.desk import desk
from tasks.lots import clock, leases, pauses
from tasks.lots.records import Incident

TOMORROW = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)


def told(hour: float) -> list[str]:
    """What is open after a look at tomorrow's hour."""
    with clock.held_by(lambda: TOMORROW + timedelta(hours=hour), lambda seconds: None):
        guarding.look_for_daily_run()
    with desk().record.read() as session:
        return [one.title for one in session.scalars(select(Incident).where(Incident.closed_at.is_(None)))]


@pytest.fixture
def daily(world: World) -> Iterator[str]:
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("sourcing")
        schedule = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 8 * * *", timezone="UTC"), active=True)
        made = client.create_deployment(flow, "daily", schedules=[schedule])
        yield str(made)
        client.delete_deployment(made)


def test_a_run_that_did_not_begin_by_half_past_eight_is_told_until_one_does(daily: str) -> None:
    assert told(8.4) == []
    assert told(8.6) == ["Sourcing has not run by 08:30 UTC"]
    with clock.held_by(lambda: TOMORROW + timedelta(hours=9), lambda seconds: None):
        leases.take(desk().record, "sourcing", "a test", timedelta(minutes=1))
    assert told(9.1) == []


def test_a_paused_deployment_is_never_an_alert(daily: str) -> None:
    with get_client(sync_client=True) as client:
        client.pause_deployment(daily)
    assert told(12) == []


def test_sourcing_that_the_operator_paused_is_never_an_alert(daily: str) -> None:
    with desk().record.write() as session:
        pauses.pause(session, "sourcing")
    assert told(12) == []


def test_without_the_deployment_nothing_is_ever_told(world: World) -> None:
    assert told(12) == []
