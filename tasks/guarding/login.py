"""Whether CJ lets us in. Nobody is bought for, and no parcel followed, until it does."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tasks.clients.cj import TokenRefused
from tasks.clients.service import ServiceRefused
from tasks.desk import desk
from tasks.lots import incidents
from tasks.lots.incidents import Trouble

KEY = "login:cj"
LOGINS = ("getAccessToken", "refreshAccessToken")


def watch_login(met: Sequence[Exception]) -> None:
    """Report that CJ refuses our key or token, where one of a cycle's failures says so."""
    refusals = [error for error in met if isinstance(error, ServiceRefused) and _is_login(error)]
    if not refusals:
        return
    with desk().record.write() as session:
        incidents.report(
            session,
            Trouble(
                key=KEY,
                alert="cj-login",
                severity="CRITICAL",
                title="CJ refuses our login",
                text=f"{refusals[0]}. Nothing is bought until it works: see CJ_API_KEY, then delete .cj-token.json.",
                command="pipeline process",
            ),
        )


def refused(session: Session) -> bool:
    """Whether that is so now."""
    return bool(incidents.open_ones(session, KEY))


def works(session: Session) -> None:
    """CJ answered a call that needs a token."""
    incidents.over(session, KEY)


def _is_login(error: ServiceRefused) -> bool:
    return isinstance(error, TokenRefused) or (error.service == "CJ" and error.operation in LOGINS)
