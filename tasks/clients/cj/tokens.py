"""CJ's tokens: one file, shared by every process under a lock, readable by its owner alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from tasks.clients.cj.envelope import TokenRefused
from tasks.clients.cj.parsing import moment
from tasks.clients.service import ServiceUnavailable

LOGIN_EVERY = timedelta(seconds=300)
REFRESH_AHEAD = timedelta(days=1)
LOCK_SECONDS = 60


class Tokens(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(frozen=True)

    access: SecretStr
    access_until: datetime
    refresh: SecretStr
    refresh_until: datetime
    open_id: SecretStr
    logged_in_at: datetime

    @classmethod
    def of(cls, data: dict[str, Any], logged_in_at: datetime, open_id: str | None = None) -> Tokens:
        """From a login or a refresh; the latter keeps the account's openId."""
        return cls(
            access=data["accessToken"],
            access_until=moment(data["accessTokenExpiryDate"]),
            refresh=data["refreshToken"],
            refresh_until=moment(data["refreshTokenExpiryDate"]),
            open_id=str(data.get("openId") or open_id or ""),
            logged_in_at=logged_in_at,
        )


class TokenFile:
    """The shared file. A broken one counts as absent; deleting it forces a new login."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self.path, self._now = path, now
        self._lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS)

    def read(self) -> Tokens | None:
        """What the file says, or None."""
        try:
            return Tokens.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError, ValueError):
            return None

    def valid(
        self, login: Callable[[], dict[str, Any]], refresh: Callable[[str], dict[str, Any]], *, not_this: str = ""
    ) -> Tokens:
        """Tokens that are good for another day, from the file, a refresh, or one login per 300 s.

        Args:
            not_this: an access token that CJ refused just now.

        Raises:
            ServiceUnavailable: a login is due, but the last one is too recent.
        """
        known = self.read()
        if known and self._fresh(known, not_this):
            return known
        with self._lock:
            known = self.read()
            if known and self._fresh(known, not_this):
                return known
            at = self._now()
            if known and known.refresh_until > at:
                tokens = self._refreshed(known, refresh)
                # For a day CJ answers a refresh with the same pair: a refused token needs a login then.
                if tokens is not None and self._fresh(tokens, not_this):
                    return tokens
            if known and at - known.logged_in_at < LOGIN_EVERY:
                raise ServiceUnavailable.not_executed(
                    "CJ",
                    "getAccessToken",
                    f"the last login is less than {LOGIN_EVERY.total_seconds():.0f} s ago (see {self.path.name})",
                )
            return self._write(Tokens.of(login(), at))

    def _refreshed(self, known: Tokens, refresh: Callable[[str], dict[str, Any]]) -> Tokens | None:
        try:
            data = refresh(known.refresh.get_secret_value())
        except TokenRefused:
            return None  # the refresh token is over as well: a login it must be
        return self._write(Tokens.of(data, known.logged_in_at, known.open_id.get_secret_value()))

    def _fresh(self, tokens: Tokens, not_this: str) -> bool:
        return tokens.access_until - REFRESH_AHEAD > self._now() and tokens.access.get_secret_value() != not_this

    def _write(self, tokens: Tokens) -> Tokens:
        """Whole or not at all, and never readable by others, not even for a moment."""
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value.isoformat()
            for name, value in tokens
        }
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".cj-token-")
        with os.fdopen(handle, "w") as file:
            json.dump(plain, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.path)
        return tokens
