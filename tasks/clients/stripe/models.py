"""What Stripe tells us, as we speak of it: cents, ids, and no SDK objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


class Model(BaseModel):
    """Frozen; made only at the door."""

    model_config = ConfigDict(frozen=True)


class Address(Model):
    """A customer's shipping address, complete or not."""

    name: str = ""
    phone: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


class Customer(Model):
    """A buyer at Stripe."""

    id: str
    email: str | None
    basta_user_id: str | None
    default_card: str | None
    shipping: Address | None


class NewLine(Model):
    """One line to be put on an invoice, already frozen in our record."""

    ref: str
    lot_id: int
    item_id: str
    description: str
    cents: int


class Line(Model):
    """One line as Stripe has it."""

    id: str
    cents: int
    tax_cents: int
    description: str | None
    ref: str | None
    lot_id: int | None


class Invoice(Model):
    """An invoice as Stripe has it. `status`: draft, open, paid, void, uncollectible."""

    id: str
    status: str
    number: str | None
    ref: str | None
    customer_id: str | None
    subtotal_cents: int
    total_cents: int
    tax_cents: int
    due_cents: int
    paid_cents: int
    remaining_cents: int
    pre_credit_cents: int
    post_credit_cents: int
    starting_balance_cents: int
    hosted_url: str | None
    created_at: datetime


class Payment(Model):
    """One payment on an invoice, with its charge and Stripe's fee once that is known."""

    id: str
    status: str
    amount_cents: int
    intent_id: str | None
    intent_status: str | None
    charge_id: str | None
    refunded_cents: int
    disputed: bool
    balance_transaction_id: str | None
    fee_cents: int | None


class CreditPreview(Model):
    """What a credit note would do: lower what is due, or give captured money back."""

    total_cents: int
    pre_payment_cents: int
    post_payment_cents: int


class CreditNote(Model):
    """A credit note, with the refunds it made."""

    id: str
    status: str
    total_cents: int
    post_payment_cents: int
    refund_ref: str | None
    refund_ids: tuple[str, ...]
    line_ids: tuple[str, ...]


class Refund(Model):
    """Money on its way back. `status`: pending, requires_action, succeeded, failed, canceled."""

    id: str
    status: str
    amount_cents: int
    intent_id: str | None
    charge_id: str | None
    lot_ref: str | None
    failure_reason: str | None


class Movement(Model):
    """One movement on our balance at Stripe: `amount_cents` is signed, the fee is taken off it."""

    id: str
    kind: str  # charge, refund, refund_failure, adjustment, payout, ...
    amount_cents: int
    fee_cents: int
    source: str | None
    created_at: datetime


class Dispute(Model):
    """A buyer's bank took the money back, for now or for good."""

    id: str
    status: str
    amount_cents: int
    charge_id: str | None
    intent_id: str | None
    due_by: datetime | None
    movements: tuple[Movement, ...]  # on our balance, so far

    @property
    def is_open(self) -> bool:
        """Not decided yet."""
        return self.status not in ("won", "lost", "warning_closed", "prevented")

    @property
    def balance_cents(self) -> int:
        """What it moved on our balance so far, with its fees."""
        return sum(one.amount_cents - one.fee_cents for one in self.movements)


class Event(Model):
    """A verified event, reduced to what a later look needs."""

    id: str
    type: str
    object_id: str | None
    object_kind: str | None
    invoice_id: str | None
    intent_id: str | None
    charge_id: str | None
    api_version: str | None


class Endpoint(Model):
    """Where Stripe sends its events. `api_version` None is the account's own."""

    url: str
    status: str
    api_version: str | None
    events: tuple[str, ...]


def _id(value: Any) -> str | None:
    """An expandable field's id, expanded or not."""
    found = value.get("id") if isinstance(value, dict) else value
    return None if found is None else str(found)


def moment(value: Any) -> datetime | None:
    """Unix seconds, as an aware time."""
    return datetime.fromtimestamp(int(value), UTC) if value else None


def address(row: Json | None) -> Address | None:
    """A shipping field; None without a first line."""
    inner = (row or {}).get("address") or {}
    if not row or not inner.get("line1"):
        return None
    return Address(
        name=row.get("name") or "",
        phone=row.get("phone") or "",
        line1=inner.get("line1") or "",
        line2=inner.get("line2") or "",
        city=inner.get("city") or "",
        state=inner.get("state") or "",
        postal_code=inner.get("postal_code") or "",
        country=inner.get("country") or "",
    )


def customer(row: Json) -> Customer:
    """A customer from its fields."""
    settings = row.get("invoice_settings") or {}
    return Customer(
        id=row["id"],
        email=row.get("email"),
        basta_user_id=(row.get("metadata") or {}).get("basta_user_id"),
        default_card=_id(settings.get("default_payment_method")) or _id(row.get("default_source")),
        shipping=address(row.get("shipping")),
    )


def invoice(row: Json) -> Invoice:
    """An invoice from its fields. What of the customer's balance paid it is no captured money."""
    return Invoice(
        id=row["id"],
        status=row.get("status") or "draft",
        number=row.get("number"),
        ref=(row.get("metadata") or {}).get("invoice_ref"),
        customer_id=_id(row.get("customer")),
        subtotal_cents=row["subtotal"],
        total_cents=row["total"],
        tax_cents=_on_top(row.get("total_taxes")),
        due_cents=row["amount_due"],
        paid_cents=row["amount_paid"],
        remaining_cents=row["amount_remaining"],
        pre_credit_cents=row.get("pre_payment_credit_notes_amount") or 0,
        post_credit_cents=row.get("post_payment_credit_notes_amount") or 0,
        starting_balance_cents=row.get("starting_balance") or 0,
        hosted_url=row.get("hosted_invoice_url"),
        created_at=moment(row["created"]) or datetime.now(UTC),
    )


def _on_top(taxes: Any) -> int:
    """Tax that comes on top of the amount; what the amount includes is no part of what we sum."""
    return sum(one.get("amount") or 0 for one in taxes or () if one.get("tax_behavior") != "inclusive")


def line(row: Json) -> Line:
    """A line; its metadata are those of the item it was made from."""
    metadata = row.get("metadata") or {}
    lot_id = str(metadata.get("lot_id") or "")
    return Line(
        id=row["id"],
        cents=row["amount"],
        tax_cents=_on_top(row.get("taxes")),
        description=row.get("description"),
        ref=metadata.get("line_ref"),
        lot_id=int(lot_id) if lot_id.isdecimal() else None,
    )


def payment(row: Json, intent: Json | None) -> Payment:
    """A payment, joined with its expanded payment intent."""
    charge = (intent or {}).get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    movement = charge.get("balance_transaction")
    expanded = movement if isinstance(movement, dict) else {}
    return Payment(
        id=row["id"],
        status=row["status"],
        amount_cents=row.get("amount_paid") or 0,
        intent_id=_id((row.get("payment") or {}).get("payment_intent")),
        intent_status=(intent or {}).get("status"),
        charge_id=charge.get("id") or _id((row.get("payment") or {}).get("charge")),
        refunded_cents=charge.get("amount_refunded") or 0,
        disputed=bool(charge.get("disputed")),
        balance_transaction_id=_id(movement),
        fee_cents=expanded.get("fee"),
    )


def credit_note(row: Json) -> CreditNote:
    """A credit note from its fields."""
    lines = (row.get("lines") or {}).get("data") or ()
    return CreditNote(
        id=row["id"],
        status=row["status"],
        total_cents=row["total"],
        post_payment_cents=row.get("post_payment_amount") or 0,
        refund_ref=(row.get("metadata") or {}).get("refund_ref"),
        refund_ids=tuple(found for one in row.get("refunds") or () if (found := _id(one.get("refund")))),
        line_ids=tuple(one["invoice_line_item"] for one in lines if one.get("invoice_line_item")),
    )


def refund(row: Json) -> Refund:
    """A refund from its fields."""
    return Refund(
        id=row["id"],
        status=row.get("status") or "pending",
        amount_cents=row["amount"],
        intent_id=_id(row.get("payment_intent")),
        charge_id=_id(row.get("charge")),
        lot_ref=(row.get("metadata") or {}).get("refund_ref"),
        failure_reason=row.get("failure_reason"),
    )


def movement(row: Json) -> Movement:
    """A balance transaction from its fields."""
    return Movement(
        id=row["id"],
        kind=row["type"],
        amount_cents=row["amount"],
        fee_cents=row.get("fee") or 0,
        source=_id(row.get("source")),
        created_at=moment(row["created"]) or datetime.now(UTC),
    )


def dispute(row: Json) -> Dispute:
    """A dispute from its fields."""
    return Dispute(
        id=row["id"],
        status=row["status"],
        amount_cents=row["amount"],
        charge_id=_id(row.get("charge")),
        intent_id=_id(row.get("payment_intent")),
        due_by=moment((row.get("evidence_details") or {}).get("due_by")),
        movements=tuple(movement(one) for one in row.get("balance_transactions") or ()),
    )


def event(row: Json) -> Event:
    """An event from its fields; the object itself is read again, as payloads come late and out of order."""
    thing = (row.get("data") or {}).get("object") or {}
    kind = thing.get("object")
    return Event(
        id=str(row["id"]),
        type=str(row.get("type") or "unknown"),
        object_id=thing.get("id"),
        object_kind=kind,
        invoice_id=thing.get("id") if kind == "invoice" else _id(thing.get("invoice")),
        intent_id=thing.get("id") if kind == "payment_intent" else _id(thing.get("payment_intent")),
        charge_id=thing.get("id") if kind == "charge" else _id(thing.get("charge")),
        api_version=row.get("api_version"),
    )
