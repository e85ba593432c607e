"""Approving: a question of the record reaches a person, and the answer reaches the record.

The record's row is the question; the Prefect run that shows it as a form is only one way to answer. Without a
server, or with a lost one, the row waits for a terminal, or for its own end: unanswered in time means no, and
alarms nobody.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tasks.desk import Desk, desk
from tasks.lots import approvals, incidents
from tasks.lots.approvals import WrongAmount
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.lots.models import Lot
from tasks.lots.records import Approval
from tasks.pages import run_page
from tasks.retrying import is_inline
from tasks.rules.money import dollars

FORM = "approving/form"
SOURCING = "sourcing/manual"
#: The hold of a lot that waits for the day's cap, as fulfilment writes it.
CAP = "daily cap"
_logger = logging.getLogger("dropship.approvals")


@dataclass(frozen=True)
class Question:
    """A question as a form or a terminal shows it."""

    id: int
    kind: str
    question: str
    reason: str
    amount_cents: int
    facts: dict[str, Any]
    state: str
    granted_cents: int | None
    answered_by: str | None
    asked_at: datetime
    expires_at: datetime

    @property
    def run_key(self) -> str:
        """What makes a run of Prefect's this question's own, also where one server serves two records."""
        return f"{self.id}-{self.asked_at.timestamp():.6f}"

    @property
    def waits(self) -> bool:
        """Whether an answer still counts."""
        return self.state == "ASKED" and self.expires_at > now()

    @property
    def outcome(self) -> str:
        """What became of it, in words."""
        if self.state in ("YES", "USED"):
            return f"yes, up to {dollars(self.granted_cents or 0)}, by {self.answered_by}"
        return f"no, by {self.answered_by or approvals.NOBODY}"


def question(approval_id: int) -> Question:
    """One question.

    Raises:
        LookupError: there is none of this id.
    """
    with desk().record.read() as session:
        row = session.get(Approval, approval_id)
        if row is None:
            raise LookupError(f"no question has the id {approval_id}.")
        return _question(row)


def _question(row: Approval) -> Question:
    return Question(
        id=row.id,
        kind=row.kind,
        question=row.question,
        reason=row.reason,
        amount_cents=row.amount_cents,
        facts=dict(row.facts),
        state=row.state,
        granted_cents=row.granted_cents,
        answered_by=row.answered_by,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
    )


def answer_form(approval_id: int, yes: bool, amount_usd: float) -> Question:
    """Write a form's answer down, within what was asked for; the question as it stands then.

    Whoever answered sooner counts.
    """
    cents = min(round(amount_usd * 100), question(approval_id).amount_cents)
    decide(desk(), approval_id, yes and cents > 0, f"the form of {flow_run.name}", cents if cents > 0 else None)
    return question(approval_id)


def decide(at: Desk, approval_id: int, yes: bool, by: str, granted_cents: int | None = None) -> bool:
    """Write the answer down with what it sets free; False when somebody, or the clock, was sooner.

    Raises:
        WrongAmount: more than was asked for, or nothing.
        LookupError: there is no such question.
    """
    with at.record.write() as session:
        row = session.get(Approval, approval_id)
        if row is None:
            raise LookupError(f"no question has the id {approval_id}.")
        lasts = at.settings.approval_lasts
        if not approvals.answer(session, approval_id, yes, by, lasts=lasts, granted_cents=granted_cents):
            return False
        if yes and row.kind == "spend":  # those lots wait for midnight, which need not be waited for now
            waiting = update(Lot).where(Lot.hold_reason == CAP).values(hold_until=now())
            session.execute(waiting.execution_options(synchronize_session=False))
        _close(session, approval_id)
    return True


def ask_people() -> None:
    """Bring every question to a person, and end those that nobody answered. Running it again asks nothing twice."""
    at = desk()
    with at.record.write() as session:
        for row in approvals.lapse(session):
            _logger.info("Nobody answered in time, which means no: %s", row.question)
            _close(session, row.id)
    with at.record.read() as session:
        waiting = approvals.open_ones(session)
        ended = select(Approval).where(Approval.run_id.is_not(None), Approval.state != "ASKED")
        answered = list(session.scalars(ended))
    for row in waiting:
        run_id = row.run_id or _open_form(row)
        with at.record.write() as session:
            session.get_one(Approval, row.id).run_id = run_id
            incidents.report(session, _asked(row, run_id))
    for row in answered:
        if _end_form(row):
            with at.record.write() as session:
                session.get_one(Approval, row.id).run_id = None


def begin_work(given: Question) -> str:
    """After a yes: start the work that waits for it, where a cycle would not; what happens next, in words.

    A second call starts no second run: the run has the question's own key.
    """
    if given.kind != "cost":
        return "the next processing cycle goes on with it"
    run = run_deployment(
        SOURCING, parameters=given.facts, timeout=0, as_subflow=False, idempotency_key=f"work-{given.run_key}"
    )
    assert isinstance(run, FlowRun)
    return f"sourcing begins as {run.name}"


def _open_form(row: Approval) -> str | None:
    """Start the run that shows the form; None where there is no server or no such deployment: asked again later."""
    if not PREFECT_API_URL.value() or is_inline():
        return None
    try:
        run = run_deployment(
            FORM,
            parameters={"approval_id": row.id},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"form-{_question(row).run_key}",
            flow_run_name=f"question {row.id}: {row.question}"[:200],
        )
    except ObjectNotFound:
        _logger.warning("No deployment %s: type pipeline setup. A terminal can answer meanwhile.", FORM)
        return None
    except (PrefectException, httpx.HTTPError, OSError) as error:
        _logger.warning("The form of question %s cannot be opened now: %s", row.id, error)
        return None
    assert isinstance(run, FlowRun)
    return str(run.id)


def _end_form(row: Approval) -> bool:
    """Let the run of an answered question end well, if it still shows its form; False when nobody knows."""
    assert row.run_id
    if not PREFECT_API_URL.value() or is_inline():
        return False
    try:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(row.run_id))
            if run.state and run.state.is_paused():
                said = f"{_question(row).outcome}: answered elsewhere"
                client.set_flow_run_state(run.id, Completed(message=said), force=True)
    except ObjectNotFound:
        return True
    except (PrefectException, httpx.HTTPError, OSError) as error:
        _logger.warning("The form of question %s cannot be closed now: %s", row.id, error)
        return False
    return True


def _asked(row: Approval, run_id: str | None) -> Trouble:
    where = run_page(run_id) if run_id else None
    form = f" Answer by its form (the menu at the top right, Resume): {where}" if where else ""
    return Trouble(
        key=f"approval:{row.id}",
        alert="approval",
        severity="MEDIUM",
        title=row.question,
        text=f"{row.reason} Without an answer by {row.expires_at:%Y-%m-%d %H:%M} UTC it is a no.{form}",
        command=f"pipeline approvals answer {row.id} --yes",
        cents=row.amount_cents,
    )


def _close(session: Session, approval_id: int) -> None:
    """The question is over: no message says so, as whoever answered knows, and silence alarms nobody."""
    incidents.end_quietly(session, f"approval:{approval_id}")


__all__ = ["Question", "WrongAmount", "answer_form", "ask_people", "begin_work", "decide", "question"]
