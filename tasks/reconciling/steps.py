"""Compare with every vendor, and tell what differs: a table, incidents, and the run's end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from tasks.clients.service import ServiceError
from tasks.desk import Desk, desk
from tasks.lots import incidents, restored
from tasks.lots.clock import now
from tasks.lots.incidents import Trouble
from tasks.reconciling import at_basta, at_cj, at_stripe, here, undone
from tasks.reconciling.finding import Finding, Report, Tie, What, lasting
from tasks.retrying import READING, run_logger, task

#: Older than this, a thing was compared on thirty nights already.
LOOK_BACK = timedelta(days=35)
COMPARE: dict[str, Callable[[Desk, datetime], tuple[list[Finding], list[Tie]]]] = {
    at_stripe.VENDOR: at_stripe.compare,
    at_cj.VENDOR: at_cj.compare,
    at_basta.VENDOR: at_basta.compare,
}
MOST_TOLD = 5


@task(task_run_name="compare with {vendor}", **READING)
def compare_with(vendor: str) -> tuple[list[Finding], list[Tie]]:
    """One vendor against our record. Running it again adopts nothing twice.

    A cycle that is at work beside this one moves on what is being read: a difference is what a second look finds too.
    """
    since = now() - LOOK_BACK
    found, ties = COMPARE[vendor](desk(), since)
    if found:
        again, ties = COMPARE[vendor](desk(), since)
        found = lasting(found, again)
    return found, ties


def compare(unlooked: str | None = None, between: Callable[[], None] = lambda: None) -> Report:
    """Every vendor, and our own promises; one that cannot be read does not hide the others.

    Args:
        unlooked: why the look-up of the unknown effects before this was not done, or not whole.
        between: called before each vendor.
    """
    report = Report(unlooked=unlooked)
    for vendor in COMPARE:
        between()
        try:
            findings, ties = compare_with(vendor)
        except ServiceError as error:
            report.unread[vendor] = str(error)
            continue
        report.findings += findings
        report.ties += ties
    if found := _here():
        report.findings += lasting(found, _here())
    with desk().record.read() as session:
        report.unknown_yet += here.unknown_yet(session, {one.about for one in report.findings})
        report.undone += undone.by_hand(session)
    return report


def _here() -> list[Finding]:
    with desk().record.read() as session:
        return here.compare(session)


def conclude(report: Report) -> None:
    """Tell it: in the log, as tables of the run, and as incidents that end when a later night is clean."""
    log = run_logger()
    for tie in report.ties:
        log.info("%s, %s: %s cents here, %s there", tie.vendor, tie.what, tie.ours_cents, tie.theirs_cents)
    for finding in report.findings:
        log.error("%s, %s %s: %s", finding.vendor, finding.what.value, finding.about, finding.text)
    for effect in report.unknown_yet:
        log.warning("%s: %s", effect.about, effect.text)
    for effect in report.undone:
        log.warning("%s: %s", effect.about, effect.text)
    for vendor, why in report.unread.items():
        log.error("%s could not be read: %s", vendor, why)
    if report.unlooked:
        log.error("The unknown effects were not all asked about: %s", report.unlooked)
    if flow_run.id:
        ties: list[dict[str, object]] = [dict(tie.row()) for tie in report.ties]
        create_table_artifact(table=ties, key="books", description="Our ledger beside the vendors' books, in cents")
        named = [*report.findings, *report.unknown_yet, *report.undone]
        found = [finding.row() for finding in named] or [{"what": "nothing differs"}]
        create_table_artifact(table=found, key="differences", description=report.sentence())
    with desk().record.write() as session:
        # What a lost row did is looked for while the mark stands: nothing that goes on from an effect may be planned
        # as new before that effect's own end is known.
        if report.clean and here.all_known(session) and restored.clear(session):
            log.info(
                "The restored record agrees with the world again: effects are planned as new, and sourcing goes on."
            )
        # What of a vendor that could not be read was open stays open: silence is no proof.
        for vendor in (*COMPARE, here.VENDOR):
            if vendor not in report.unread:
                incidents.settle(session, f"reconcile:{vendor}:", _troubles(report, vendor))


def _troubles(report: Report, vendor: str) -> list[Trouble]:
    groups: dict[What, list[Finding]] = {}
    for finding in report.findings:
        if finding.vendor == vendor:
            groups.setdefault(finding.what, []).append(finding)
    return [_trouble(vendor, what, group) for what, group in groups.items()]


def _trouble(vendor: str, what: What, group: list[Finding]) -> Trouble:
    titles = {
        What.BOOKS: f"The books do not tie with {vendor}",
        What.DUPLICATE: f"{vendor} has something twice",
        What.ORPHAN: f"{vendor} has things of ours that are on no record",
        What.MISSING: f"{vendor} has lost things that we know",
        What.UNKNOWN: "Effects stay unknown",
        What.PROMISE: "The record breaks a promise",
    }
    lines = [f"{one.about}: {one.text}." for one in group[:MOST_TOLD]]
    if len(group) > MOST_TOLD:
        lines.append(f"And {len(group) - MOST_TOLD} more.")
    cents = sum(abs((one.ours_cents or 0) - (one.theirs_cents or 0)) for one in group)
    return Trouble(
        key=f"reconcile:{vendor}:{what.value}",
        alert="duplicate" if what is What.DUPLICATE else "books",
        severity="HIGH" if what in (What.UNKNOWN, What.MISSING) else "CRITICAL",
        title=titles[what],
        text=" ".join(lines),
        command="pipeline pause all" if what is What.DUPLICATE else "pipeline reconcile",
        cents=cents or None,
    )
