"""Sourcing runs: counted by the day, resumed when unfinished, and never begun twice."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tasks.desk import desk
from tasks.lots import approvals, keywords
from tasks.lots.clock import now
from tasks.lots.models import SourcingRun
from tasks.lots.records import Approval
from tasks.rules.money import dollars
from tasks.rules.selection import KeywordEntry, next_keyword
from tasks.settings import Settings


class Refused(ValueError):
    """The run may not begin; the message is one sentence, and nothing was done."""


class RotationEmpty(Refused):
    """No keyword is enabled: the daily run has nothing to source until somebody adds one."""


class AwaitingApproval(Exception):
    """A person must say yes first; the message says to what, and `approval_id` is the question."""

    def __init__(self, approval_id: int, message: str) -> None:
        self.approval_id = approval_id
        super().__init__(message)

    def __reduce__(self) -> tuple[type[AwaitingApproval], tuple[int, str]]:
        return AwaitingApproval, (self.approval_id, str(self))


@dataclass(frozen=True)
class Run:
    """One sourcing run, as the flow handles it."""

    id: int
    keyword: str
    max_cost_cents: int
    max_products: int
    publish: bool


def begin(keyword: str | None, max_cost_cents: int, max_products: int, publish: bool) -> list[Run]:
    """The runs to do now, in order: an unfinished one with its own frozen parameters, then the one asked for.

    A call whose parameters equal the unfinished run's is that run's resume, and begins no other.

    Raises:
        Refused: too many products, the day's runs are used up, or a person said no.
        RotationEmpty: a word of the rotation was asked for, and none is enabled.
        AwaitingApproval: the cost allowed is above what may be spent without a person; it was asked for.
    """
    at = desk()
    settings = at.settings
    products = max_products
    with at.record.write() as session:
        word, cap = _word_and_cap(session, keyword, max_cost_cents)
        if products > settings.max_products_per_run:
            raise Refused(f"{products} products are too many: a run takes {settings.max_products_per_run} at most.")
        if products < 1 or cap <= 0:
            raise Refused("A run needs at least one product and a cost above nothing.")
        unfinished = session.scalars(
            select(SourcingRun).where(SourcingRun.state == "OPEN").order_by(SourcingRun.id)
        ).all()
        subject = f"cost:{word}:{cap}"
        caps = {cap} | approvals.granted_sums(session, subject)
        if any(
            (run.keyword, run.max_products, run.publish) == (word, products, publish) and run.max_cost_cents in caps
            for run in unfinished
        ):
            return [_run(run) for run in unfinished]
        if _runs_today(session) >= settings.sourcing_runs_per_day:
            raise Refused(
                f"Today's {settings.sourcing_runs_per_day} sourcing runs are used up: the next may begin at 00:00 UTC."
            )
        question = None
        if cap > settings.max_cost_cents:
            question = _ask(session, subject, settings, SourcingRun(
                keyword=word, max_cost_cents=cap, max_products=products, publish=publish
            ))  # fmt: skip
            if question.state == "NO":
                raise Refused(f"{question.answered_by} said no to {dollars(cap)} a product for {word!r}.")
        if question is None or approvals.use(session, question.id):
            row = SourcingRun(
                keyword=word,
                max_cost_cents=cap if question is None else min(cap, question.granted_cents or 0),
                max_products=products,
                publish=publish,
                state="OPEN",
                created_at=now(),
            )
            session.add(row)
            session.flush()
            return [_run(run) for run in (*unfinished, row)]
    raise AwaitingApproval(
        question.id,
        f"{dollars(cap)} a product is above {dollars(settings.max_cost_cents)}: a person must approve it first.",
    )


def budget_seconds() -> float:
    """After so long a run takes no new work: the same call goes on with it."""
    return desk().settings.source_budget_seconds


def word_and_cap(keyword: str | None, max_cost_cents: int) -> tuple[str, int]:
    """The keyword that a run would take now (None: the rotation's next), and the cost it may have, in cents.

    Raises:
        Refused: it is empty.
        RotationEmpty: the rotation is.
    """
    with desk().record.read() as session:
        return _word_and_cap(session, keyword, max_cost_cents)


def _word_and_cap(session: Session, keyword: str | None, max_cost_cents: int) -> tuple[str, int]:
    word, own_cap = _word(session, keyword)
    return word, max_cost_cents if own_cap is None else min(own_cap, max_cost_cents)


def _ask(session: Session, subject: str, settings: Settings, wanted: SourcingRun) -> Approval:
    """Ask once; the question stays when the transaction ends, and nothing else is done."""
    cap, limit = dollars(wanted.max_cost_cents), dollars(settings.max_cost_cents)
    return approvals.ask(
        session,
        subject,
        kind="cost",
        question=f"Source {wanted.keyword!r} up to {cap} a product, above the {limit} allowed?",
        reason=f"MAX_COST_USD is {limit}; {wanted.max_products} at most may be listed, and each is bought only after "
        "its buyer has paid.",
        amount_cents=wanted.max_cost_cents,
        facts={
            "keyword": wanted.keyword,
            "max_cost": wanted.max_cost_cents / 100,
            "max_products": wanted.max_products,
            "publish": wanted.publish,
        },
        lasts=settings.approval_lasts,
    )


def _word(session: Session, keyword: str | None) -> tuple[str, int | None]:
    if keyword is not None:
        word = " ".join(keyword.split())
        if not word:
            raise Refused("The keyword is empty.")
        return word, None
    entries = [
        KeywordEntry(row.id, row.keyword, row.priority, row.active, row.last_sourced_at, row.created_at)
        for row in keywords.every(session)
    ]
    entry = next_keyword(entries, now())
    if entry is None:
        raise RotationEmpty("No active keyword is in the rotation: add one with pipeline keywords add.")
    return entry.keyword, next(row.max_cost_cents for row in keywords.every(session) if row.id == entry.id)


def _runs_today(session: Session) -> int:
    today = now().date().isoformat()
    query = select(func.count()).select_from(SourcingRun).where(SourcingRun.counted_on == today)
    return int(session.execute(query).scalar_one())


def _run(row: SourcingRun) -> Run:
    return Run(row.id, row.keyword, row.max_cost_cents, row.max_products, row.publish)


def mark_counted(run_id: int) -> None:
    """The run reaches CJ now: from here on it counts for the day, and its keyword as sourced. Resumes are free."""
    with desk().record.write() as session:
        row = session.get_one(SourcingRun, run_id)
        if row.counted_on is None:
            row.counted_on = now().date().isoformat()
            keywords.sourced(session, row.keyword)


def finish(run_id: int, *, error: str | None = None) -> None:
    """The run is over."""
    with desk().record.write() as session:
        row = session.get_one(SourcingRun, run_id)
        row.state, row.error, row.finished_at = ("FAILED" if error else "DONE"), error, now()
