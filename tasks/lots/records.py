"""The tables behind the promise: effects, money, what came in, what goes out, and who may work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tasks.lots.columns import Base, Id, MaybeMoney, Money, Text


class Effect(Base):
    """One thing that changes the outside world; `tasks.lots.effects` tells how it is done once."""

    __tablename__ = "effects"
    __table_args__ = (Index("ix_effects_state_kind", "state", "kind"),)

    key: Mapped[Text] = mapped_column(primary_key=True)
    kind: Mapped[Text] = mapped_column(index=True)
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lots.id"), index=True)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    sale_id: Mapped[int | None] = mapped_column(ForeignKey("sales.id"), index=True)
    request: Mapped[dict[str, Any]]
    state: Mapped[Text] = mapped_column(default="PLANNED")
    attempts: Mapped[int] = mapped_column(default=0)
    generation: Mapped[int] = mapped_column(default=1)
    owner: Mapped[Text | None]
    lease_until: Mapped[datetime | None]
    acted_at: Mapped[datetime | None]  # when the last attempt began
    absent_since: Mapped[datetime | None]  # when a look first found nothing after the last attempt
    vendor_id: Mapped[Text | None] = mapped_column(index=True)
    answer: Mapped[dict[str, Any] | None]
    error: Mapped[Text | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class LedgerEntry(Base):
    """One fact of money, signed as our purse sees it, with the vendor's own id."""

    __tablename__ = "ledger_entries"
    __table_args__ = (UniqueConstraint("fact", name="uq_ledger_entries_fact"),)

    id: Mapped[Id]
    fact: Mapped[Text]  # "hammer:<line>", "fee:<charge>": the same fact is never booked twice
    kind: Mapped[Text] = mapped_column(index=True)
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lots.id"), index=True)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    cents: Mapped[Money]
    vendor: Mapped[Text]
    vendor_id: Mapped[Text]
    at: Mapped[datetime]


class InboxEvent(Base):
    """A verified webhook, minimised, waiting for the next cycle."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("source", "external_id", name="uq_inbox_source_id"),)

    id: Mapped[Id]
    source: Mapped[Text]
    external_id: Mapped[Text]
    type: Mapped[Text]
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[Text | None]
    expires_at: Mapped[datetime]


class WebhookRefusal(Base):
    """How many webhooks of one source were refused in one hour, and why: no body, no header, no address."""

    __tablename__ = "webhook_refusals"

    source: Mapped[Text] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)  # its beginning
    reason: Mapped[Text] = mapped_column(primary_key=True)  # unsigned, wrong, stale, closed, unreadable, too large
    count: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime]


class Incident(Base):
    """Something the operator must know of, from when it opened until it is over."""

    __tablename__ = "incidents"
    __table_args__ = (
        # One open incident a key; closed ones stay as they were.
        Index(
            "ix_incidents_open_key",
            "key",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    key: Mapped[Text]  # "stuck:lot:7", "quota:product/query"
    alert: Mapped[Text]  # the alert's name, and the runbook's section
    severity: Mapped[Text]
    title: Mapped[Text]
    text: Mapped[Text]
    command: Mapped[Text | None]
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lots.id"))
    cents: Mapped[MaybeMoney]
    opened_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)


class OutboxMessage(Base):
    """One message to the operator, until it is known to have arrived."""

    __tablename__ = "outbox"

    id: Mapped[Id]
    event: Mapped[Text]  # dropship.<noun>.<what>
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    emitted_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[Text | None]


class Approval(Base):
    """A question to a person, and the answer; `tasks.lots.approvals` tells how long either stands."""

    __tablename__ = "approvals"

    id: Mapped[Id]
    key: Mapped[Text] = mapped_column(unique=True)  # "<subject>:<n>", as a subject may be asked about again
    subject: Mapped[Text] = mapped_column(index=True)  # "cost:usb hub:8000", "spend:2026-03-02", "refunds"
    kind: Mapped[Text]  # cost, spend, refunds
    question: Mapped[Text]
    reason: Mapped[Text]
    facts: Mapped[dict[str, Any]]  # what the work needs that a yes lets begin
    amount_cents: Mapped[Money]  # the most that may be granted
    granted_cents: Mapped[MaybeMoney]
    state: Mapped[Text] = mapped_column(index=True, default="ASKED")  # ASKED, YES, NO, USED
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # when the question, or the answer, stands no more
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[Text | None]
    used_at: Mapped[datetime | None]
    run_id: Mapped[Text | None]  # the Prefect run that shows the form


class Pause(Base):
    """A stop the operator put on part of the work: sourcing, buying or charging."""

    __tablename__ = "pauses"

    scope: Mapped[Text] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    why: Mapped[Text | None]


class FlowLease(Base):
    """Who runs a flow now, and how its last run ended."""

    __tablename__ = "flow_leases"

    flow: Mapped[Text] = mapped_column(primary_key=True)
    owner: Mapped[Text | None]
    runner: Mapped[Text | None]  # a run's name, for people
    until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[Text | None]


class Setback(Base):
    """A subject of a cycle's stage that a vendor did not answer when it was last tried."""

    __tablename__ = "setbacks"

    stage: Mapped[Text] = mapped_column(primary_key=True)
    subject: Mapped[Text] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    times: Mapped[int]  # in a row


class CjSlot(Base):
    """When CJ may next be called, by anybody."""

    __tablename__ = "cj_slot"

    name: Mapped[Text] = mapped_column(primary_key=True)
    next_at_ms: Mapped[int] = mapped_column(BigInteger)  # milliseconds since 1970, by the database's clock


class CjEndpoint(Base):
    """Our own count of calls to one CJ endpoint, and what CJ last said of its allowance."""

    __tablename__ = "cj_endpoints"

    endpoint: Mapped[Text] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(default=0)
    last_called_at: Mapped[datetime | None]
    allowed: Mapped[int | None]  # calls still allowed, as CJ told
    regime: Mapped[Text | None]  # points, or the type of the quota
    told_at: Mapped[datetime | None]


class DailySpend(Base):
    """What one UTC day has spent at CJ, reserved before it is paid."""

    __tablename__ = "daily_spend"

    day: Mapped[Text] = mapped_column(primary_key=True)
    reserved_cents: Mapped[Money] = mapped_column(default=0)


class Stamp(Base):
    """Whose record this is; a process with other settings refuses it."""

    __tablename__ = "stamp"

    name: Mapped[Text] = mapped_column(primary_key=True)  # record, mode, basta_account, stripe_account, cj_open_id
    value: Mapped[Text]
    since: Mapped[datetime]
