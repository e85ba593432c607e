"""The record at a real libSQL server that is killed, locked, and asked by a stranger."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from tasks.lots import inbox
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.models import History, Lot
from tasks.lots.records import InboxEvent
from tests.builders import make_lot
from tests.sqld import Keys, Sqld


def test_sigkill_loses_nothing_that_was_acknowledged_and_the_record_heals(empty_sqld: Sqld) -> None:
    record = empty_sqld.record()
    migrate(record)
    acknowledged, errors, over = list[str](), list[Exception](), threading.Event()

    def write(worker: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                if inbox.receive(record, "stripe", f"{worker}-{number}", "invoice.paid", {}):
                    acknowledged.append(f"{worker}-{number}")
            except OperationalError as error:
                errors.append(error)
                time.sleep(0.02)

    crowd = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for thread in crowd:
        thread.start()
    for _ in range(3):
        before = len(acknowledged)
        while len(acknowledged) < before + 20:
            time.sleep(0.01)
        empty_sqld.kill()
        empty_sqld.start()
    before = len(acknowledged)
    while len(acknowledged) < before + 20:  # the same record, and nobody opened it anew
        time.sleep(0.01)
    over.set()
    for thread in crowd:
        thread.join()
    with record.read() as session:
        kept = set(session.scalars(select(InboxEvent.external_id)))
    record.close()
    assert set(acknowledged) <= kept
    assert errors
    assert len(kept - set(acknowledged)) <= len(errors)


def test_a_token_of_somebody_else_opens_nothing(empty_sqld: Sqld) -> None:
    strange = Keys().token()
    record = Record(connect(empty_sqld.url, strange))
    with pytest.raises(OperationalError, match="does not accept TURSO_AUTH_TOKEN") as caught, record.read() as session:
        session.execute(text("select 1"))
    record.close()
    assert strange.get_secret_value() not in str(caught.value) + repr(caught.value)


def test_a_statement_does_not_run_by_itself_when_its_transaction_was_ended(libsql_record: Record) -> None:
    def work() -> None:
        with libsql_record.write() as session:
            make_lot(session)
            session.execute(text("rollback"))  # as the server does when somebody waits for too long
            make_lot(session)

    with pytest.raises(OperationalError, match="had ended this transaction"):
        work()
    with libsql_record.read() as session:
        assert session.scalars(select(Lot)).all() == []


def test_a_writer_waits_until_the_file_is_free(empty_sqld: Sqld) -> None:
    record = empty_sqld.record()
    migrate(record)
    other = sqlite3.connect(
        empty_sqld.home / "data.sqld" / "dbs" / "default" / "data", isolation_level=None, check_same_thread=False
    )
    other.execute("begin immediate")
    free = threading.Timer(0.6, lambda: other.execute("rollback"))
    free.start()
    assert inbox.receive(record, "stripe", "evt_1", "invoice.paid", {})
    free.join()
    other.close()
    record.close()


def test_a_rewritten_parent_table_keeps_its_children(libsql_record: Record) -> None:
    with libsql_record.write() as session:
        make_lot(session)
    with libsql_record.migrating() as connection:
        connection.execute(text("create table lots_new as select * from lots"))
        connection.execute(text("drop table lots"))
        connection.execute(text("alter table lots_new rename to lots"))
        assert connection.execute(select(History.lot_id)).all()
        connection.rollback()
