"""CJ: the key, the allowance, the purse and the callbacks, by calls that cost no points."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward
from deployments.registering import CJ_TOPICS, address
from tasks.clients.cj.models import Account
from tasks.clients.service import NotLetIn, ServiceRefused, ServiceUnavailable
from tasks.lots import cj_calls
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus
from tasks.rules.money import dollars
from tasks.rules.thresholds import quota_verdict
from tasks.settings import SettingsError

RECORD_FIRST = "see the database's own line"
UNPAID = (LotStatus.PAID, LotStatus.CJ_ORDERED)


def examine(ward: Ward) -> Iterator[Finding]:
    """Two calls, a slot apart; three where CJ must be logged in to."""
    if not ward.has_record():
        yield fail("CJ", "not asked: its pace is kept in the database, which cannot be read", RECORD_FIRST)
        return
    try:
        account = ward.desk.cj.account()
        yield _key(ward, account)
        yield _quota(ward, account)
        yield _callbacks(ward, account)
        yield _purse(ward)
    except SettingsError as error:
        yield fail("CJ key", str(error), "put it into .env.local")
    except (NotLetIn, ServiceRefused) as error:
        yield fail("CJ key", str(error), f"see CJ_API_KEY; rm {ward.settings.token_path} forces a new login")
    except ServiceUnavailable as error:
        yield warn("CJ", f"it did not answer: {error}", "pipeline doctor, again in a minute")
    except SQLAlchemyError:
        yield fail("CJ", "not asked: its pace is kept in the database, which cannot be written", RECORD_FIRST)


def _key(ward: Ward, account: Account) -> Finding:
    known = ward.stamped("cj_open_id")
    if known is not None and known != account.open_id:
        return fail("CJ key", "it is of another account than the database's", "set DATABASE_URL to another one")
    return ok("CJ key", f"it works, at {account.qps or 'an unknown number of'} calls a second")


def _quota(ward: Ward, account: Account) -> Finding:
    settings = ward.settings
    with ward.record.read() as session:
        known = cj_calls.allowances(session)
    told = [(quota.endpoint, max(quota.limit - quota.used, 0)) for quota in account.quotas if quota.used is not None]
    points = sorted(ward.desk.cj.allowed_by_points().items())
    by_points = points or any(one.regime == cj_calls.POINTS for one in known)  # now, or when it told them last
    regime = "points" if by_points else "not told, counted by ourselves"
    if told:
        regime = f"calls by {account.quotas[0].kind}"
    scarce = told or points or [(one.endpoint, one.allowed) for one in known]
    if not scarce:
        return ok("CJ quota", f"{regime}; nothing that is counted was called yet")
    endpoint, allowed = min(scarce, key=lambda one: one[1])
    text = f"{regime}; the scarcest, {endpoint}, allows {allowed} more calls"
    verdict = quota_verdict(allowed, settings.quota_warning, settings.quota_critical)
    if verdict == "ok":
        return ok("CJ quota", text)
    return (fail if verdict == "critical" else warn)("CJ quota", text, "pipeline pause sourcing")


def _purse(ward: Ward) -> Finding:
    cents = ward.desk.cj.balance().amount_cents
    with ward.record.read() as session:
        needed = _needed(session)
    text = f"{dollars(cents)}; the paid lots need {dollars(needed)}"
    if cents < needed:
        return fail("CJ balance", text, "top it up at https://cjdropshipping.com/")
    return ok("CJ balance", text) if cents else warn("CJ balance", text, "top it up at https://cjdropshipping.com/")


def _needed(session: Session) -> int:
    lots = session.scalars(select(Lot).where(Lot.status.in_(UNPAID)))
    return sum(lot.cj_amount_cents or lot.landed_cents for lot in lots)


def _callbacks(ward: Ward, account: Account) -> Finding:
    public = ward.settings.webhook_public_url
    if public is None:
        return ok("CJ callbacks", "not wanted: there is no WEBHOOK_PUBLIC_URL, and the polls suffice")
    url = address(public, "cj")
    off = [topic for topic in CJ_TOPICS if not account.callbacks.get(topic)]
    wrong = [topic for topic in CJ_TOPICS if topic not in off and url not in account.callbacks[topic]]
    if off:
        text = f"{' and '.join(off)} are off: never set, or suspended by CJ as too few were answered"
        return fail("CJ callbacks", text, "pipeline setup")
    if wrong:
        return fail("CJ callbacks", f"{' and '.join(wrong)} are told to another address than {url}", "pipeline setup")
    return ok("CJ callbacks", f"orders and parcels are told to {url}")
