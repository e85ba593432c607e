"""SQLAlchemy's SQLite, spoken over Hrana: `sqlite+hrana://host:port?secure=true`. The token is no part of it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sqlalchemy import URL
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine.interfaces import ConnectArgsType, IsolationLevel

from tasks.lots.hrana import dbapi
from tasks.lots.hrana.errors import Disconnected


class HranaDialect(SQLiteDialect):
    """SQLite in all but the way to it."""

    driver = "hrana"
    default_paramstyle = "qmark"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Our driver."""
        return dbapi

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        """The server's address."""
        scheme = "http" if url.query.get("secure") == "false" else "https"
        host = f"[{url.host}]" if ":" in (url.host or "") else url.host
        return [f"{scheme}://{host}" + (f":{url.port}" if url.port else "")], {}

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether a connection is of no more use after this error."""
        return isinstance(e, Disconnected)

    def get_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        """SQLite's only one; nothing is asked for it."""
        return "SERIALIZABLE"

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return dbapi.sqlite_version_info
