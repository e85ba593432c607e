"""What the checks share: settings, the record as it is, and lines to the vendors that note what time it is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from functools import cached_property
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
import stripe
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tasks.clients.stripe import Stripe, connect
from tasks.desk import Desk, Lines
from tasks.lots.clock import now
from tasks.lots.engine import Record, open_record
from tasks.lots.records import Stamp
from tasks.settings import Settings

#: For one call; the whole examination has a deadline of its own.
CALL_SECONDS = 2.5
#: So long do other lines wait for a database that hangs; then they tell what they know without it.
RECORD_SECONDS = 1.5


class _StripeLine(stripe.RequestsClient):
    """Notes the time at Stripe."""

    def __init__(self, ward: Ward, session: requests.Session) -> None:
        super().__init__(timeout=CALL_SECONDS, session=session)
        self._ward = ward

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Any:
        answer = super().request(method, url, headers, post_data)
        self._ward.note_time("Stripe", answer[2])
        return answer


class Ward:
    """One examination. Nothing is migrated or stamped: the record is looked at as it is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._skews: dict[str, float] = {}
        self._lock = Lock()
        self._readable: Future[bool] = Future()
        self._record_by = time.monotonic() + RECORD_SECONDS
        self._open = ExitStack()
        timeout = httpx.Timeout(CALL_SECONDS)
        self.http = self._open.enter_context(httpx.Client(timeout=timeout, event_hooks={"response": [self._heard]}))
        self._session = self._open.enter_context(requests.Session())
        self._vendors = {
            urlsplit(url).netloc + urlsplit(url).path.split("/")[1]: name
            for name, url in (
                ("CJ", settings.cj_api_url),
                ("Basta", settings.basta_api_url),
                ("Resend", settings.resend_api_url + "/"),
            )
        }

    @cached_property
    def record(self) -> Record:
        """The record."""
        return open_record(self.settings.record_url, self.settings.record_token)

    @cached_property
    def desk(self) -> Desk:
        """For CJ, whose pace is kept in the record, and for Basta."""
        return Desk(self.settings, self.record, Lines(http=lambda: self.http))

    @cached_property
    def stripe(self) -> Stripe:
        """Stripe, without the desk's stamping."""
        key = self.settings.need("STRIPE_SECRET_KEY")
        return connect(key, self.settings.stripe_api_url, _StripeLine(self, self._session))

    def tell_record(self, readable: bool) -> None:
        """Whether the record can be read: the database's own lines find it out, for all."""
        if not self._readable.done():
            self._readable.set_result(readable)

    def has_record(self) -> bool:
        """Whether the record can be read; False where nobody knows in time."""
        try:
            return self._readable.result(max(self._record_by - time.monotonic(), 0))
        except TimeoutError:
            return False

    def stamped(self, name: str) -> str | None:
        """Whose record this is, as far as it is stamped."""
        if not self.has_record():
            return None  # the record's own line says so
        try:
            with self.record.read() as session:
                return session.scalars(select(Stamp.value).where(Stamp.name == name)).one_or_none()
        except SQLAlchemyError:
            return None  # the record's own line says so

    def note_time(self, vendor: str, headers: Mapping[str, str]) -> None:
        """How far our clock is ahead of a vendor's."""
        told = headers.get("date") or headers.get("Date")
        try:
            skew = (now() - parsedate_to_datetime(str(told))).total_seconds()
        except (TypeError, ValueError):
            return
        with self._lock:
            self._skews.setdefault(vendor, skew)

    def _heard(self, answer: httpx.Response) -> None:
        url = answer.request.url
        place = url.netloc.decode() + url.path.split("/")[1]
        if vendor := self._vendors.get(place):
            self.note_time(vendor, answer.headers)

    @property
    def skews(self) -> dict[str, float]:
        """Vendor -> seconds that our clock is ahead."""
        with self._lock:
            return dict(self._skews)

    def close(self) -> None:
        """Let go of the lines."""
        self._open.close()
