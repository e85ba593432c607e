"""Bringing a record up to date, from code: the same path for commands, tests and a first run."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tasks.lots.engine import Record, migration_lock


def config() -> Config:
    """Alembic's configuration, without a file."""
    settings = Config()
    settings.set_main_option("script_location", "tasks.lots:migrations")
    return settings


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def revision(record: Record) -> str | None:
    """The record's own revision, or None when it is empty."""
    with record.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("select version_num from alembic_version")).scalar()


def migrate(record: Record) -> bool:
    """Bring an empty or older record up to date; whether there was anything to do.

    Foreign keys are off meanwhile: a rewritten parent table would else drop its children on SQLite and libSQL.
    """
    if revision(record) == head():
        return False
    with record.engine.connect() as connection:
        connection.detach()  # it never comes back to those who rely on foreign keys
        connection.execution_options(foreign_keys=False)
        with migration_lock(connection):
            settings = config()
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
            connection.commit()
    return True
