"""Bringing a record up to date, from code: the same path for commands, tests and a first run.

Alembic is loaded where there is something to bring up: a process that finds its record up to date needs none of it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from tasks.lots.engine import Record, taken_away
from tasks.lots.migrations import NEWEST

if TYPE_CHECKING:
    from alembic.config import Config

TRIES = 10


def config() -> Config:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", "tasks.lots:migrations")
    return settings


def revision(record: Record) -> str | None:
    """The record's own revision, or None when it is empty."""
    with record.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("select version_num from alembic_version")).scalar()


def migrate(record: Record) -> bool:
    """Bring an empty or older record up to date, in one transaction; whether there was anything to do.

    libSQL takes the transaction away when it is slow and another process waits to migrate too: then again, later.
    """
    for tries_left in reversed(range(TRIES)):
        if revision(record) == NEWEST:
            return False
        try:
            _upgrade(record)
        except DBAPIError as error:
            if not tries_left or not taken_away(error):
                raise
            time.sleep(random.uniform(1, 5))  # noqa: S311 - so that those who wait come one by one
        else:
            return True
    return False


def _upgrade(record: Record) -> None:
    from alembic import command

    with record.migrating() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()
