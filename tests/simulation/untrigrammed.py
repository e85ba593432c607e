"""`prefect server database upgrade` for a PostgreSQL without the extension pg_trgm, which the test's wheel has not.

Prefect wants it for indexes that make a search by a part of a name quick, and for nothing else: they are left out.
The server itself, started on what this made, is Prefect's own and unchanged.
"""

from __future__ import annotations

import sys
from typing import Any

from prefect.cli import app
from sqlalchemy import event
from sqlalchemy.engine import Engine


def _without(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> tuple[str, Any]:
    return ("SELECT 1", ()) if "trgm" in statement else (statement, given)


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", _without, retval=True)
    sys.argv = ["prefect", "server", "database", "upgrade", "-y"]
    app()
