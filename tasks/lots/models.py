"""The lot, the sale, the buyer and the invoice: what the operator speaks of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tasks.lots.columns import Base, Id, MaybeMoney, Money, Text
from tasks.lots.states import LotStatus


class Keyword(Base):
    """One word of the sourcing rotation."""

    __tablename__ = "keywords"

    id: Mapped[Id]
    keyword: Mapped[Text] = mapped_column(unique=True)
    max_cost_cents: Mapped[Money]
    priority: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    last_sourced_at: Mapped[datetime | None]


class SourcingRun(Base):
    """One call of `sourcing` with its frozen parameters; unfinished ones are resumed, never begun again."""

    __tablename__ = "sourcing_runs"

    id: Mapped[Id]
    keyword: Mapped[Text]
    max_cost_cents: Mapped[Money]
    max_products: Mapped[int]
    publish: Mapped[bool]
    state: Mapped[Text] = mapped_column(index=True, default="OPEN")  # OPEN, DONE, FAILED
    counted_on: Mapped[Text | None] = mapped_column(index=True)  # the UTC day on which it first reached CJ
    chosen: Mapped[list[Any] | None]  # the products chosen, frozen once the search is done
    rejected: Mapped[dict[str, Any] | None]  # reason -> how many
    error: Mapped[Text | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Sale(Base):
    """One auction at Basta."""

    __tablename__ = "sales"

    id: Mapped[Id]
    sourcing_run_id: Mapped[int | None] = mapped_column(ForeignKey("sourcing_runs.id"), unique=True)
    basta_sale_id: Mapped[Text | None] = mapped_column(unique=True)
    title: Mapped[Text]
    status: Mapped[Text] = mapped_column(index=True, default="UNPUBLISHED")
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime]


class Buyer(Base):
    """A winner. The address is no column here: it is frozen on the lot that goes there."""

    __tablename__ = "buyers"

    id: Mapped[Id]
    basta_user_id: Mapped[Text] = mapped_column(unique=True)
    name: Mapped[Text]
    email: Mapped[Text]
    stripe_customer_id: Mapped[Text | None]
    created_at: Mapped[datetime]


class Invoice(Base):
    """What one buyer owes for the lots of one sale; later lots get their own `seq`."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("sale_id", "buyer_id", "seq", name="uq_invoices_business_key"),
        Index("ix_invoices_status_fee", "status", "fee_cents"),
    )

    id: Mapped[Id]
    sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"))
    buyer_id: Mapped[int] = mapped_column(ForeignKey("buyers.id"))
    seq: Mapped[int]
    status: Mapped[Text] = mapped_column(default="PLANNED")
    # PLANNED, OPEN, PAYMENT_FAILED, PAID, VOID, CREDITED; the vendor's own word is in `stripe_status`
    total_cents: Mapped[Money]  # the sum of our lines, tax apart
    tax_cents: Mapped[MaybeMoney]
    card_on_file: Mapped[bool | None]
    stripe_invoice_id: Mapped[Text | None] = mapped_column(unique=True)
    stripe_status: Mapped[Text | None]
    hosted_url: Mapped[Text | None]
    payment_intent_id: Mapped[Text | None] = mapped_column(index=True)
    charge_id: Mapped[Text | None] = mapped_column(index=True)
    paid_cents: Mapped[MaybeMoney]
    fee_cents: Mapped[MaybeMoney]
    basta_order_id: Mapped[Text | None]
    charges_tried: Mapped[int] = mapped_column(default=0)
    next_charge_at: Mapped[datetime | None]
    hold_reason: Mapped[Text | None] = mapped_column(index=True)
    told_by_webhook: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]


class InvoiceLine(Base):
    """One frozen line: a hammer price or a fee of one lot."""

    __tablename__ = "invoice_lines"

    id: Mapped[Id]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lots.id"), index=True)
    ref: Mapped[Text] = mapped_column(unique=True)  # "<lot>:hammer", "<lot>:premium"
    kind: Mapped[Text]
    description: Mapped[Text]
    cents: Mapped[Money]
    tax_cents: Mapped[Money] = mapped_column(default=0)
    stripe_line_id: Mapped[Text | None]


class Lot(Base):
    """One thing for sale, from the product it is to the parcel it becomes."""

    __tablename__ = "lots"
    __table_args__ = (
        CheckConstraint("reserve_cents >= 0", name="reserve"),
        Index("ix_lots_status_since", "status", "status_since"),
    )

    id: Mapped[Id]
    status: Mapped[LotStatus] = mapped_column(Enum(LotStatus, native_enum=False, length=20), index=True)
    status_since: Mapped[datetime]
    hold_reason: Mapped[Text | None] = mapped_column(index=True)
    hold_until: Mapped[datetime | None]
    error_message: Mapped[Text | None]  # in words: why it waits, or why it ended

    sourcing_run_id: Mapped[int | None] = mapped_column(ForeignKey("sourcing_runs.id"), index=True)
    sale_id: Mapped[int | None] = mapped_column(ForeignKey("sales.id"), index=True)
    keyword: Mapped[Text]
    title: Mapped[Text]
    description: Mapped[Text]
    image_urls: Mapped[list[str]]
    images_verified: Mapped[int] = mapped_column(default=0)

    cj_pid: Mapped[Text] = mapped_column(index=True)
    cj_vid: Mapped[Text] = mapped_column(index=True)
    cj_sku: Mapped[Text | None]
    stock_seen: Mapped[int]
    from_country: Mapped[Text]
    logistic_name: Mapped[Text]
    goods_cents: Mapped[Money]
    freight_cents: Mapped[Money]
    landed_cents: Mapped[Money]
    reserve_cents: Mapped[Money]
    starting_bid_cents: Mapped[Money]

    item_number: Mapped[int | None]
    basta_sale_id: Mapped[Text | None] = mapped_column(index=True)
    basta_item_id: Mapped[Text | None] = mapped_column(unique=True)
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    winner_user_id: Mapped[Text | None]
    winning_bid_cents: Mapped[MaybeMoney]  # the hammer price
    closed_at: Mapped[datetime | None]

    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    stripe_invoice_id: Mapped[Text | None]
    paid_at: Mapped[datetime | None] = mapped_column(index=True)

    ship_to: Mapped[dict[str, Any] | None]  # the frozen address; shown nowhere
    cj_order_number: Mapped[Text | None] = mapped_column(unique=True)
    cj_order_id: Mapped[Text | None] = mapped_column(unique=True)
    cj_amount_cents: Mapped[MaybeMoney]  # what CJ asks or took for the order
    cj_status: Mapped[Text | None]
    cj_polled_at: Mapped[datetime | None]
    tracking_number: Mapped[Text | None]
    tracking_url: Mapped[Text | None]
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    refund_status: Mapped[Text | None] = mapped_column(index=True)
    # PLANNED, PENDING, SUCCEEDED, FAILED, NONE_DUE, LOST
    refund_cents: Mapped[MaybeMoney]
    stripe_refund_id: Mapped[Text | None] = mapped_column(index=True)

    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class History(Base):
    """One hop of a lot, written with the move itself."""

    __tablename__ = "history"
    __table_args__ = (UniqueConstraint("lot_id", "seq", name="uq_history_lot_seq"),)

    id: Mapped[Id]
    lot_id: Mapped[int] = mapped_column(ForeignKey("lots.id"))
    seq: Mapped[int]
    frm: Mapped[Text | None]
    to: Mapped[Text]
    at: Mapped[datetime] = mapped_column(index=True)
    why: Mapped[Text | None]
