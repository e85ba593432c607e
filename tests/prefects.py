"""Prefect servers of tests are born migrated: a server's own migrations take longer than all else of its start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock


def give_database(request: pytest.FixtureRequest, to: Path) -> None:
    """Put a migrated database there, for a server to start with."""
    to.parent.mkdir(exist_ok=True)
    shutil.copy(_migrated(request), to)


def _migrated(request: pytest.FixtureRequest) -> Path:
    """Made once a version of Prefect, by the first process to need it; whoever else needs it waits."""
    kept: pytest.Cache | None = getattr(request.config, "cache", None)  # pytest may be told to keep nothing
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    home = kept.mkdir("prefect") if kept else factory.getbasetemp()
    ready, making = home / f"migrated-{version('prefect')}.db", home / "making.db"
    with FileLock(home / "making.lock"):
        if not ready.exists():
            making.unlink(missing_ok=True)  # of a process that was ended
            env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
            env["PREFECT_HOME"] = str(home)
            env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{making}"
            command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=110)
            assert done.returncode == 0, done.stdout + done.stderr
            making.rename(ready)  # its process has ended, and with it SQLite's journals: this file is all of it
    return ready
