"""Tokens: a pair that lasts, a server that repeats itself for a day, and expiries in Chinese time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from deployments.sandbox.cj.envelope import RATE_EXCEEDED, Refusal
from deployments.sandbox.cj.fields import Query, body
from deployments.sandbox.cj.options import CjOptions
from deployments.sandbox.wire import Request
from deployments.sandbox.world import World

BEIJING = timezone(timedelta(hours=8))
INVALID, MISSING, BAD_REFRESH, KEY_ACCOUNT = 1600001, 1600002, 1600003, 1600005
LOGIN_SECONDS = 300.0
REFRESHES_PER_MINUTE = 5


@dataclass
class Pair:
    """An access token with its refresh token; times are aware."""

    access: str
    refresh: str
    created: datetime
    access_until: datetime
    refresh_until: datetime
    dead: bool = False


class Auth:
    """Who may call."""

    def __init__(self, world: World, options: CjOptions) -> None:
        self._world, self._options = world, options
        self.pairs: list[Pair] = []
        self._last_login: datetime | None = None
        self._refreshes: list[datetime] = []

    def get_access_token(self, request: Request) -> dict[str, Any]:
        """Log in with the key; the same pair for a day."""
        fields = body(request, ("apiKey", "email", "password"))
        if "apiKey" not in fields.values and "email" in fields.values:
            raise Refusal(KEY_ACCOUNT, "Email login is closed for this account, use apiKey")
        key = fields.text("apiKey", 200)
        self._allow_login()
        if self._options.api_key and key != self._options.api_key:
            raise Refusal(INVALID, "Invalid API key or access token")
        return {"openId": self._options.open_id, **_shown(self._current())}

    def refresh_access_token(self, request: Request) -> dict[str, Any]:
        """The current pair, or a new one when it is a day old."""
        token = body(request, ("refreshToken",)).text("refreshToken")
        self._allow_refresh()
        now = self._world.clock.now()
        if not any(p.refresh == token and not p.dead and now < p.refresh_until for p in self.pairs):
            raise Refusal(BAD_REFRESH, "Invalid refresh token")
        return _shown(self._current())

    def logout(self, request: Request) -> bool:
        """Kill both tokens."""
        Query(request, ())
        pair = self._known(request)
        pair.dead = True
        return True

    def check(self, request: Request) -> None:
        """Let a business call in.

        Raises:
            Refusal: 1600002 without a token, 1600001 with a wrong or expired one.
        """
        self._known(request)

    def expire(self) -> None:
        """Make every access token worthless from now on; refresh tokens stay good."""
        for pair in self.pairs:
            pair.access_until = self._world.clock.now()

    def _known(self, request: Request) -> Pair:
        token = request.headers.get("cj-access-token", "")
        status = self._options.token_error_status
        if not token:
            raise Refusal(MISSING, "CJ-Access-Token is missing", status)
        now = self._world.clock.now()
        for pair in self.pairs:
            if pair.access == token and not pair.dead and now < pair.access_until:
                return pair
        raise Refusal(INVALID, "Invalid API key or access token", status)

    def _current(self) -> Pair:
        now = self._world.clock.now()
        if self.pairs:
            last = self.pairs[-1]
            young = (now - last.created).total_seconds() < self._options.token_cache_seconds
            if young and not last.dead and now < last.access_until:
                return last
        number = self._world.new_number()
        pair = Pair(
            access=f"sandbox-access-{number}",
            refresh=f"sandbox-refresh-{number}",
            created=now,
            access_until=now + timedelta(days=self._options.access_token_days),
            refresh_until=now + timedelta(days=self._options.refresh_token_days),
        )
        self.pairs.append(pair)
        return pair

    def _allow_login(self) -> None:
        now = self._world.clock.now()
        last, self._last_login = self._last_login, now
        if self._options.auth_limit and last and (now - last).total_seconds() < LOGIN_SECONDS:
            self._last_login = last
            raise self._too_often("1 time/300seconds")

    def _allow_refresh(self) -> None:
        now = self._world.clock.now()
        self._refreshes = [at for at in self._refreshes if (now - at).total_seconds() < 60]
        if self._options.auth_limit and len(self._refreshes) >= REFRESHES_PER_MINUTE:
            raise self._too_often("5 times/1minute")
        self._refreshes.append(now)

    def _too_often(self, window: str) -> Refusal:
        message = f"Too Many Requests, QPS limit is {window}"
        return Refusal(RATE_EXCEEDED, message, self._options.throttle_status, points=False)


def _shown(pair: Pair) -> dict[str, Any]:
    return {
        "accessToken": pair.access,
        "accessTokenExpiryDate": _beijing(pair.access_until),
        "refreshToken": pair.refresh,
        "refreshTokenExpiryDate": _beijing(pair.refresh_until),
        "createDate": _beijing(pair.created),
    }


def _beijing(moment: datetime) -> str:
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")
