"""The rest of the record: books, inbox, incidents, leases, pace, caps, stamp, migrations."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, StatementError

from tasks.lots import cj_calls, effects, inbox, incidents, leases, ledger, outbox, spending, stamp
from tasks.lots.columns import Base
from tasks.lots.engine import Record, connect, taken_away
from tasks.lots.incidents import Trouble
from tasks.lots.ledger import Kind
from tasks.lots.migrate import config, migrate, revision
from tasks.lots.migrations import NEWEST
from tasks.lots.moving import lock
from tasks.lots.records import DailySpend, FlowLease, OutboxMessage
from tests.builders import make_lot
from tests.conftest import POSTGRESQL, HeldClock


def test_the_same_fact_is_booked_once_and_nothing_is_booked_for_nothing(record: Record) -> None:
    with record.write() as session:
        assert ledger.book(session, "line:1", Kind.HAMMER, 500, vendor="stripe", vendor_id="in_1")
        assert not ledger.book(session, "line:1", Kind.HAMMER, 900, vendor="stripe", vendor_id="in_1")
        assert not ledger.book(session, "line:2", Kind.HAMMER, 0, vendor="stripe", vendor_id="in_1")
        assert ledger.total(session, Kind.HAMMER) == 500


def test_a_webhook_told_twice_is_kept_once_and_handled_only_after_the_work(record: Record) -> None:
    assert inbox.receive(record, "stripe", "evt_1", "invoice.paid", {"invoice_id": "in_1"})
    assert not inbox.receive(record, "stripe", "evt_1", "invoice.paid", {"invoice_id": "in_1"})
    with record.write() as session:
        (event,) = inbox.waiting(session, "stripe")
        inbox.failed(session, event.id, "Stripe was away")
    with record.write() as session:
        (event,) = inbox.waiting(session)
        assert (event.tries, event.error) == (1, "Stripe was away")
        inbox.handled(session, event.id)
        assert inbox.waiting(session) == []


def test_eight_workers_who_write_the_same_row_first_all_find_it_and_none_fails(record: Record) -> None:
    start = threading.Barrier(8)

    def write(_: int) -> tuple[bool, str]:
        start.wait()
        with record.write() as session:
            effects.plan(session, "refund:7:1", {})
            booked = ledger.book(session, "line:1", Kind.HAMMER, 500, vendor="stripe", vendor_id="in_1")
            cj_calls.count(session, "/shopping/order/createOrderV2")
            stamp.confirm(session, basta_account="ours")
            incidents.report(session, Trouble("stuck:lot:7", "lot-stuck", "HIGH", "Lot 7 is stuck", "since long"))
            spending.reserve(session, 100, None)
        try:
            leases.take(record, "processing", "a run", timedelta(minutes=12))
        except leases.LeaseHeld:
            return booked, "refused"
        return booked, "running"

    with ThreadPoolExecutor(8) as pool:
        came = list(pool.map(write, range(8)))
    assert sorted(booked for booked, _ in came) == [False] * 7 + [True]
    assert sorted(lease for _, lease in came) == ["refused"] * 7 + ["running"]
    with record.read() as session:
        assert ledger.total(session, Kind.HAMMER) == 500
        assert [one.calls for one in cj_calls.allowances(session)] == [8]
        assert session.execute(select(DailySpend.reserved_cents)).scalar_one() == 800
        assert len(session.scalars(select(OutboxMessage)).all()) == 1


def test_one_stuck_lot_tells_at_most_five_times_a_day(record: Record, held_clock: HeldClock) -> None:
    def trouble(severity: str) -> Trouble:
        return Trouble("stuck:lot:7", "lot-stuck", severity, "Lot 7 is stuck", "since long")

    for cycle in range(144):
        with record.write() as session:
            incidents.settle(session, "stuck:", [trouble("MEDIUM" if cycle < 24 else "HIGH")])
        held_clock.advance(600)
    with record.write() as session:
        incidents.settle(session, "stuck:", [])
        told = [message.payload["what"] for message in session.scalars(select(OutboxMessage))]
    assert told == ["opened", "worsened", "reminder", "over"]


def test_a_message_nobody_confirmed_is_due_again(record: Record, held_clock: HeldClock) -> None:
    with record.write() as session:
        incidents.report(session, Trouble("a", "quota", "WARNING", "t", "x"))
        (message,) = outbox.due(session)
        outbox.emitted(session, message.id)
    with record.write() as session:
        assert outbox.due(session) == []
        held_clock.advance(outbox.CONFIRM_WITHIN.total_seconds() + 1)
        assert len(outbox.due(session)) == 1
        outbox.delivered(session, message.id)
        assert outbox.due(session) == []


def test_a_second_run_does_not_start_and_a_killed_one_blocks_for_its_lease_only(
    record: Record, held_clock: HeldClock
) -> None:
    leases.take(record, "processing", "run A", timedelta(minutes=12))
    with pytest.raises(leases.LeaseHeld, match="processing is already being run by run A"):
        leases.take(record, "processing", "run B", timedelta(minutes=12))
    held_clock.advance(721)
    owner = leases.take(record, "processing", "run B", timedelta(minutes=12))
    leases.give_back(record, "processing", "somebody else", "done")
    assert leases.renew(record, "processing", owner, timedelta(minutes=1))


@pytest.mark.parametrize("late", ["renewed", "given back"])
def test_a_lease_that_another_run_is_just_taking_stays_with_it(
    record: Record, held_clock: HeldClock, late: str
) -> None:
    slept = leases.take(record, "reconciling", "run A", timedelta(minutes=12))
    held_clock.advance(721)
    taking = threading.Event()

    def take() -> None:
        with record.write() as session:
            lease = session.get_one(FlowLease, "reconciling", with_for_update=record.dialect == "postgresql")
            lease.owner, lease.until = "run B's", held_clock.now() + timedelta(minutes=12)
            session.flush()
            taking.set()
            time.sleep(0.2)

    other = threading.Thread(target=take)
    other.start()
    assert taking.wait(5)
    if late == "renewed":
        assert leases.renew(record, "reconciling", slept, timedelta(minutes=40)) is False
    else:
        leases.give_back(record, "reconciling", slept, "done")
    other.join()
    with record.read() as session:
        lease = session.get_one(FlowLease, "reconciling")
    assert (lease.owner, lease.until) == ("run B's", held_clock.now() + timedelta(minutes=12))


def test_no_two_calls_of_cj_come_closer_than_the_interval_from_four_workers(record: Record) -> None:
    interval, starts = 0.05, []

    def work(_: int) -> None:
        for _ in range(4):
            cj_calls.wait_for_slot(record, interval)
            starts.append(time.monotonic())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    starts.sort()
    assert min(later - sooner for sooner, later in pairwise(starts)) >= interval


def test_a_clock_that_answers_late_brings_no_two_calls_together(
    sqlite_record: Record, held_clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays = iter((0.08, 0.0, 0.05, 0.0))

    def far_away(_: object) -> int:
        read = round(held_clock.now().timestamp() * 1000)
        held_clock.advance(next(delays))  # the answer's way back
        return read

    monkeypatch.setattr(cj_calls, "database_milliseconds", far_away)
    slots = [cj_calls.reserve(sqlite_record, 1.2) for _ in range(4)]
    assert min((later - sooner).total_seconds() for sooner, later in pairwise(slots)) >= 1.2


def test_what_cj_tells_of_its_allowance_wins_over_our_own_count(record: Record) -> None:
    with record.write() as session:
        for _ in range(3):
            cj_calls.count(session, "/product/query")
        cj_calls.count(session, "/product/listV2", allowed=90)
        cj_calls.told(session, {"/setting/get": 5}, "total")
        found = {one.endpoint: (one.allowed, one.regime) for one in cj_calls.allowances(session)}
    assert found == {
        "/product/query": (997, "own count"),
        "/product/listV2": (90, "points"),
        "/setting/get": (5, "total"),
    }


def test_an_endpoint_that_costs_no_points_is_never_scarce(record: Record) -> None:
    with record.write() as session:
        cj_calls.count(session, "/shopping/order/list", allowed=None, free=True)
        cj_calls.count(session, "/shopping/order/list", allowed=None, free=True)
        assert cj_calls.allowances(session) == []
        cj_calls.told(session, {"/shopping/order/list": 7}, "total")  # the older regime counts it
        assert [one.allowed for one in cj_calls.allowances(session)] == [7]
        cj_calls.count(session, "/shopping/order/list", free=True)
        assert [one.allowed for one in cj_calls.allowances(session)] == [6]


def test_what_cj_refused_or_points_no_longer_pay_for_is_not_allowed_for_an_hour(
    record: Record, held_clock: HeldClock
) -> None:
    with record.write() as session:
        cj_calls.count(session, "/product/query", allowed=4)
        cj_calls.count(session, "/product/listV2", allowed=1, spent=("/product/query",))
        cj_calls.count(session, "/shopping/order/list", refused=True)
        asked = ("/product/query", "/product/listV2", "/shopping/order/list", "/setting/get")
        assert [cj_calls.allows(session, one) for one in asked] == [False, True, False, True]
        assert cj_calls.used_up(session)
        held_clock.advance(3_600)
        assert all(cj_calls.allows(session, one) for one in asked)
        cj_calls.tells_only(session, [])
        assert {one.endpoint: one.regime for one in cj_calls.allowances(session)}["/product/query"] == "points"


def test_a_hundred_racers_never_pass_the_days_cap(record: Record) -> None:
    with record.write() as session:
        spending.reserve(session, 0, None)

    def reserve(_: int) -> bool:
        with record.write() as session:
            return spending.reserve(session, 700, 50_000)

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(reserve, range(100)))
    with record.read() as session:
        assert session.scalars(select(DailySpend.reserved_cents)).one() == taken * 700 == 49_700


def test_a_record_of_another_mode_or_account_is_refused_and_no_secret_is_quoted(record: Record) -> None:
    with record.write() as session:
        stamp.confirm(session, mode="test", cj_open_id="900100200")
    with record.write() as session:
        with pytest.raises(stamp.StampMismatch, match="belongs to the mode test, and the settings say live"):
            stamp.confirm(session, mode="live")
        with pytest.raises(stamp.StampMismatch) as caught:
            stamp.confirm(session, cj_open_id="5")
    assert "900100200" not in str(caught.value)


def test_floats_are_no_cents_and_naive_times_no_times(record: Record) -> None:
    with pytest.raises(StatementError, match="whole number"), record.write() as session:
        make_lot(session, goods_cents=9.5)
    with pytest.raises(StatementError, match="without its zone"), record.write() as session:
        make_lot(session, closes_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_the_migrations_make_what_the_models_say_and_a_second_run_finds_nothing_to_do(record: Record) -> None:
    assert revision(record) == NEWEST == ScriptDirectory.from_config(config()).get_current_head()
    assert migrate(record) is False
    with record.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize("database", ["sqlite", "libsql", POSTGRESQL])
def test_four_processes_may_migrate_an_empty_record_at_once(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url, token = f"sqlite:///{tmp_path / 'fresh.sqlite'}", ""
    if database == "postgresql":
        url = request.getfixturevalue("empty_postgres")
    if database == "libsql":
        server = request.getfixturevalue("empty_sqld")
        url, token = server.url, server.token.get_secret_value()
    code = (
        "import sys; from pydantic import SecretStr;"
        "from tasks.lots.engine import Record, connect; from tasks.lots.migrate import migrate, revision;"
        "record = Record(connect(sys.argv[1], SecretStr(sys.argv[2])));"
        "sys.stdin.readline(); migrate(record); print(revision(record))"
    )
    command = [sys.executable, "-c", code, url, token]
    crowd = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    time.sleep(1)  # all of them are at the line
    for process in crowd:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate() for process in crowd]
    assert [error for _, error in told if error] == []
    assert {found.strip() for found, _ in told} == {NEWEST}


def test_a_record_is_born_with_a_name_and_an_older_one_that_has_none_keeps_its_names(tmp_path: Path) -> None:
    born = Record(connect(f"sqlite:///{tmp_path / 'born.sqlite'}"))
    migrate(born)
    assert len(born.name) == 8
    assert born.known_as("lot-7") == f"lot-7-{born.name}"
    born.close()
    older = Record(connect(f"sqlite:///{tmp_path / 'older.sqlite'}"))
    with older.engine.connect() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        upgrade(settings, "20261123")
        connection.execute(
            text(
                "insert into sourcing_runs (keyword, max_cost_cents, max_products, publish, state, created_at)"
                " values ('lamp', 1, 1, true, 'DONE', '2026-11-23')"
            )
        )
        connection.commit()
    assert migrate(older) is True
    assert older.known_as("lot-7") == "lot-7"
    older.close()


@pytest.mark.xdist_group("postgresql")
def test_of_two_who_wait_for_each_other_one_is_sent_away_and_may_do_it_again(postgres_record: Record) -> None:
    """PostgreSQL ends one of them, and keeps nothing of it; the task that it was a part of is tried again."""
    with postgres_record.write() as session:
        one, two = make_lot(session).id, make_lot(session).id
    both_hold = threading.Barrier(2)

    def take(first: int, second: int) -> DBAPIError | None:
        try:
            with postgres_record.write() as session:
                session.execute(text("set local deadlock_timeout = '20ms'"))
                lock(session, first)
                both_hold.wait()
                lock(session, second)
        except DBAPIError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as workers:
        (error,) = [error for error in workers.map(take, (one, two), (two, one)) if error]
    assert taken_away(error)


@pytest.mark.parametrize(
    ("regime", "scarce"),
    [("total", True), ("year", True), ("month", True), ("day", False), ("hour", False), ("free", False), (None, True)],
)
def test_calls_that_do_not_come_back_by_tomorrow_are_scarce_and_so_are_those_that_we_alone_count(
    sqlite_record: Record, regime: str | None, scarce: bool
) -> None:
    with sqlite_record.write() as session:
        cj_calls.count(session, "/shopping/order/list", free=regime == "free")
        if regime not in (None, "free"):
            cj_calls.told(session, {"/shopping/order/list": 7}, regime)
        assert cj_calls.is_scarce(session, "/shopping/order/list") is scarce
        assert not cj_calls.is_scarce(session, "/never/asked")
