"""The desk: everything one step of work needs at hand — settings, the record, and the four vendors.

Steps take ids and plain values and open a desk inside; only the desk knows keys and addresses. It is also the
one place where clients and record meet: it hands CJ's client the pace that the record keeps, and tells the
effects which error means a no.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, cached_property
from threading import RLock
from typing import TypeVar

import httpx
from resend.http_client import HTTPClient as ResendLine
from stripe import HTTPClient as StripeLine

from tasks.clients.basta import Basta
from tasks.clients.cj import Cj, TokenFile, Usage
from tasks.clients.resend import Resend
from tasks.clients.service import NotLetIn, ServiceRefused
from tasks.clients.stripe import Stripe
from tasks.clients.stripe import connect as connect_stripe
from tasks.lots import cj_calls, effects, stamp
from tasks.lots.clock import now
from tasks.lots.engine import Record, open_record
from tasks.lots.manners import Attempt, Came, Manner, Outcome
from tasks.lots.migrate import migrate
from tasks.settings import Settings

Said = TypeVar("Said")

HTTP_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
#: The longest that one call may take in all; effects are leased for this and a minute.
CALL_DEADLINE_SECONDS = 30.0


class Unsettled(Exception):
    """A vendor did not say what became of an effect; it will be looked for. Carries the key and the reason."""

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"{key}: {reason}")

    def __reduce__(self) -> tuple[type[Unsettled], tuple[str, str]]:
        return Unsettled, (self.key, self.reason)


# httpx tells every address at INFO, and that of the alert channel is a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


def sockets() -> httpx.Client:
    """A line to the outside, with our deadlines."""
    return httpx.Client(timeout=HTTP_TIMEOUT, follow_redirects=False)


@dataclass(frozen=True)
class Lines:
    """How the vendors are reached: over sockets, unless a simulation gives lines of its own."""

    http: Callable[[], httpx.Client] = sockets
    stripe: StripeLine | None = None
    resend: ResendLine | None = None


class Desk:
    """Settings, record and vendors of one process; clients are made when first used."""

    def __init__(self, settings: Settings, record: Record, lines: Lines | None = None) -> None:
        self.settings = settings
        self.record = record
        self._lines = lines or Lines()
        #: When this process called CJ, by its steady clock, just before each write: by this its pace is judged.
        self.sent_to_cj: deque[float] = deque(maxlen=10_000)
        #: service -> how it refused our key, inside an effect, since somebody last took note.
        self.kept_out: dict[str, NotLetIn] = {}

    def _pace(self) -> None:
        cj_calls.wait_for_slot(self.record, self.settings.cj_min_interval_seconds)
        self.sent_to_cj.append(time.monotonic())

    @cached_property
    def cj(self) -> Cj:
        """CJ, paced by the record's slot, its calls counted there."""
        return Cj(
            self._lines.http(),
            api_key=_secret(self.settings, "CJ_API_KEY"),
            base_url=self.settings.cj_api_url,
            tokens=TokenFile(self.settings.token_path, now),
            pace=self._pace,
            seen=self._count,
            allows=self._cj_allows,
            sandbox_orders=self.settings.test_orders,
        )

    @cached_property
    def basta(self) -> Basta:
        """Basta."""
        return Basta(
            self._lines.http(),
            url=self.settings.basta_api_url,
            account_id=self.settings.need("ACCOUNT_ID"),
            api_key=_secret(self.settings, "API_KEY"),
        )

    @cached_property
    def stripe(self) -> Stripe:
        """Stripe; the record is stamped with its account on first use.

        Raises:
            StampMismatch: the record belongs to another Stripe account.
        """
        client = connect_stripe(
            self.settings.need("STRIPE_SECRET_KEY"), self.settings.stripe_api_url, self._lines.stripe
        )
        with self.record.write() as session:
            stamp.confirm(session, stripe_account=client.account_id())
        return client

    @cached_property
    def mail(self) -> Resend:
        """Resend; without a key it logs what it would have sent."""
        settings = self.settings
        return Resend(settings.resend_api_key, settings.resend_api_url, settings.resend_from, self._lines.resend)

    @cached_property
    def web(self) -> httpx.Client:
        """The open web, for supplier pictures: no key, no cookie."""
        return self._lines.http()

    @property
    def quiet(self) -> timedelta:
        """How long after an attempt a missing thing proves nothing."""
        return timedelta(seconds=self.settings.look_quiet_seconds)

    def perform(self, key: str, manner: Manner) -> Outcome:
        """Make a planned effect happen once."""
        watched = replace(manner, look=self._noting(manner.look), act=self._noting(manner.act))
        return effects.perform(self.record, key, watched, refusal=ServiceRefused, quiet=self.quiet)

    def ask(self, key: str, manner: Manner, *, heard: timedelta) -> Outcome:
        """See what became of an effect, and do nothing.

        Args:
            heard: how old at most what the vendor says may be: it proves so much less.
        """
        watched = replace(manner, look=self._noting(manner.look))
        return effects.ask(self.record, key, watched, quiet=self.quiet + heard)

    def _noting(self, call: Callable[[Attempt], Said]) -> Callable[[Attempt], Said]:
        """An effect keeps its error to itself; that a vendor keeps us out is the operator's to know."""

        def noted(attempt: Attempt) -> Said:
            try:
                return call(attempt)
            except NotLetIn as error:
                self.kept_out[error.service] = error
                raise

        return noted

    def settle(self, key: str, manner: Manner) -> Outcome:
        """The same, for steps that cannot go on without it.

        Raises:
            Unsettled: the vendor did not say, or another worker is at it.
        """
        outcome = self.perform(key, manner)
        if outcome.came in (Came.WAITING, Came.BUSY):
            raise Unsettled(key, outcome.error or "another worker is at it")
        return outcome

    def _count(self, usage: Usage) -> None:
        with self.record.write() as session:
            cj_calls.count(
                session,
                usage.endpoint,
                allowed=usage.allowed,
                free=usage.free,
                refused=usage.refused,
                spent=usage.spent,
            )

    def _cj_allows(self, endpoint: str) -> bool:
        with self.record.read() as session:
            return cj_calls.allows(session, endpoint)


def _secret(settings: Settings, name: str):  # type: ignore[no-untyped-def]
    settings.need(name)
    return {"CJ_API_KEY": settings.cj_api_key, "API_KEY": settings.api_key}[name]


def prepare(settings: Settings) -> Record:
    """Open the record these settings name, brought up to date and stamped as theirs.

    Raises:
        StampMismatch: it belongs to another mode or account.
    """
    record = open_record(settings.record_url, settings.record_token)
    migrate(record)
    # Without a Stripe key nobody can tell test from live: such a look-in stamps nothing.
    identity = {"mode": str(settings.mode)} if settings.stripe_secret_key else {}
    if settings.account_id:
        identity["basta_account"] = settings.account_id
    with record.write() as session:
        stamp.confirm(session, **identity)
    return record


_given: Desk | None = None
_making = RLock()


@cache
def _desk_for(settings: Settings) -> Desk:
    return Desk(settings, prepare(settings))


def desk() -> Desk:
    """This process's desk, from the settings as they are now; one for all threads.

    Raises:
        SettingsError: the settings are wrong.
        StampMismatch: the record is somebody else's.
    """
    if _given is not None:
        return _given
    with _making:
        return _desk_for(Settings.current())


@contextmanager
def working_at(given: Desk) -> Iterator[Desk]:
    """Let every step of this process work at a given desk, as tests and simulations do."""
    global _given
    before, _given = _given, given
    try:
        yield given
    finally:
        _given = before
