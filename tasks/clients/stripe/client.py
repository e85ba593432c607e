"""Stripe, as much of it as we use. Plain models come out; every write takes the key that makes it happen once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import stripe

from tasks.clients.stripe import models
from tasks.clients.stripe.errors import SERVICE, DuplicateInvoice, translated
from tasks.clients.stripe.models import (
    CreditNote,
    CreditPreview,
    Customer,
    Dispute,
    Endpoint,
    Event,
    Invoice,
    Line,
    Movement,
    NewLine,
    Payment,
    Refund,
)

#: Before the first call: telemetry would also write a file into the user's home.
stripe.enable_telemetry = False

#: What every request carries; events come in the version of their endpoint, and must come in this one.
API_VERSION = stripe.api_version
CONNECT_SECONDS, READ_SECONDS = 5, 25
#: Retries live in the task layer alone; the SDK's own would multiply with them.
SDK_RETRIES = 0
PAGE = 100
#: Lines that one `add_lines` takes, so that an invoice costs the same writes whether it has 1 line or 100.
LINES_AT_ONCE = 100
INTENT = ["latest_charge.balance_transaction"]


def connect(secret_key: str, base_url: str, http_client: stripe.HTTPClient | None = None) -> Stripe:
    """A client with explicit deadlines and no retries of its own."""
    transport = http_client or stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS))
    client = stripe.StripeClient(
        secret_key,
        http_client=transport,
        max_network_retries=SDK_RETRIES,
        base_addresses={"api": base_url.rstrip("/")},
    )
    return Stripe(client)


class Stripe:
    """Customers, invoices, payments, credit notes, refunds and disputes."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._v1 = client.v1

    def account_id(self) -> str:
        """The account the key belongs to."""
        with translated("account"):
            return str(self._v1.accounts.retrieve_current().id)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where events are sent, as the dashboard has it.

        Raises:
            ServiceRefused: a restricted key may not look.
        """
        with translated("webhook endpoints"):
            rows = self._v1.webhook_endpoints.list({"limit": PAGE}).auto_paging_iter()
            return tuple(
                Endpoint(url=row.url, status=row.status, api_version=row.api_version, events=tuple(row.enabled_events))
                for row in rows
            )

    def find_customers(self, email: str) -> tuple[Customer, ...]:
        """Customers with this e-mail address, exactly as Stripe has it."""
        with translated("customers"):
            listed = self._v1.customers.list({"email": email, "limit": PAGE})
            return tuple(models.customer(row.to_dict()) for row in listed.auto_paging_iter())

    def customer(self, customer_id: str) -> Customer:
        """One customer, as it is now."""
        with translated("customer"):
            return models.customer(self._v1.customers.retrieve(customer_id).to_dict())

    def create_customer(self, *, email: str, name: str, basta_user_id: str, key: str) -> Customer:
        """Make a customer."""
        given: Any = {"email": email, "name": name, "metadata": {"basta_user_id": basta_user_id}}
        with translated("create customer"):
            return models.customer(self._v1.customers.create(given, {"idempotency_key": key}).to_dict())

    def locate_customer(self, customer_id: str, name: str, address: Mapping[str, str], *, key: str) -> None:
        """Tell where a customer's parcels go: without the place Stripe computes no tax."""
        given: Any = {"shipping": {"name": name, "address": dict(address)}}
        with translated("customer"):
            self._v1.customers.update(customer_id, given, {"idempotency_key": key})

    def has_card(self, customer_id: str) -> bool:
        """Whether something is on file that can be charged off session."""
        customer = self.customer(customer_id)
        return customer.default_card is not None

    def invoice(self, invoice_id: str) -> Invoice:
        """One invoice, as it is now."""
        with translated("invoice"):
            return models.invoice(self._v1.invoices.retrieve(invoice_id).to_dict())

    def invoice_by_ref(self, customer_id: str, ref: str) -> Invoice | None:
        """The customer's invoice of our reference, void ones apart. Listing reads its own writes; searching lags.

        Raises:
            DuplicateInvoice: there are two.
        """
        with translated("invoices"):
            rows = self._v1.invoices.list({"customer": customer_id, "limit": PAGE}).auto_paging_iter()
            found = [one for one in (models.invoice(row.to_dict()) for row in rows) if one.ref == ref]
        alive = [one for one in found if one.status != "void"] or found
        if len([one for one in alive if one.status != "void"]) > 1:
            raise DuplicateInvoice(SERVICE, "invoices", f"there are {len(alive)} invoices of {ref}")
        return alive[0] if alive else None

    def invoices_of(self, customer_id: str) -> tuple[Invoice, ...]:
        """All invoices of a customer."""
        with translated("invoices"):
            rows = self._v1.invoices.list({"customer": customer_id, "limit": PAGE}).auto_paging_iter()
            return tuple(models.invoice(row.to_dict()) for row in rows)

    def create_invoice(
        self, customer_id: str, ref: str, *, charge: bool, days_until_due: int, automatic_tax: bool, key: str
    ) -> Invoice:
        """Make a draft that does nothing by itself: no finalizing, no charging, no stray items.

        Args:
            charge: charge the card on file when told to; else the hosted page, with a due date.
        """
        given: dict[str, Any] = {
            "customer": customer_id,
            "currency": "usd",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "collection_method": "charge_automatically" if charge else "send_invoice",
            "automatic_tax": {"enabled": automatic_tax},
            "metadata": {"invoice_ref": ref},
        }
        if not charge:
            given["days_until_due"] = max(days_until_due, 1)
        with translated("create invoice"):
            return models.invoice(self._v1.invoices.create(given, {"idempotency_key": key}).to_dict())  # type: ignore[arg-type]

    def add_lines(self, invoice_id: str, lines: Sequence[NewLine], *, key: str, taxed: bool = False) -> Invoice:
        """Put all lines on a draft in one write.

        Args:
            taxed: Stripe computes tax, on top of each amount: that takes a price, which says so.

        Raises:
            ValueError: more than one write takes.
        """
        if len(lines) > LINES_AT_ONCE:
            raise ValueError(f"an invoice of ours has {LINES_AT_ONCE} lines at most, not {len(lines)}")
        given: Any = {
            "lines": [
                {
                    **(_price(line) if taxed else {"amount": line.cents}),
                    "description": line.description,
                    "metadata": {"line_ref": line.ref, "lot_id": str(line.lot_id), "item_id": line.item_id},
                }
                for line in lines
            ]
        }
        with translated("add lines"):
            row = self._v1.invoices.add_lines(invoice_id, given, {"idempotency_key": key})
            return models.invoice(row.to_dict())

    def lines(self, invoice_id: str) -> tuple[Line, ...]:
        """All lines of an invoice, page by page."""
        with translated("lines"):
            rows = self._v1.invoices.line_items.list(invoice_id, {"limit": PAGE}).auto_paging_iter()
            return tuple(models.line(row.to_dict()) for row in rows)

    def finalize(self, invoice_id: str, *, key: str) -> Invoice:
        """Make a draft an open invoice, which still does nothing by itself."""
        with translated("finalize"):
            row = self._v1.invoices.finalize_invoice(invoice_id, {"auto_advance": False}, {"idempotency_key": key})
            return models.invoice(row.to_dict())

    def pay(self, invoice_id: str, *, key: str) -> Invoice:
        """Charge the card on file, with nobody there.

        Raises:
            CardDeclined, ActionRequired, NoCard: nothing was captured.
        """
        with translated("pay"):
            row = self._v1.invoices.pay(invoice_id, {"off_session": True}, {"idempotency_key": key})
            return models.invoice(row.to_dict())

    def void(self, invoice_id: str, *, key: str) -> Invoice:
        """Void an open invoice; refused for a paid one."""
        with translated("void"):
            return models.invoice(self._v1.invoices.void_invoice(invoice_id, {}, {"idempotency_key": key}).to_dict())

    def payments(self, invoice_id: str) -> tuple[Payment, ...]:
        """The payments of an invoice, each with charge and fee."""
        with translated("payments"):
            rows = self._v1.invoice_payments.list({"invoice": invoice_id, "limit": PAGE}).auto_paging_iter()
            return tuple(self._payment(row.to_dict()) for row in rows)

    def invoice_of_intent(self, intent_id: str) -> str | None:
        """The invoice that a payment intent paid: charges and intents do not name it themselves."""
        asked: Any = {"payment": {"type": "payment_intent", "payment_intent": intent_id}, "limit": 1}
        with translated("payments"):
            rows = [row.to_dict() for row in self._v1.invoice_payments.list(asked).data]
        return str(rows[0]["invoice"]) if rows else None

    def preview_credit(self, invoice_id: str, lines: Mapping[str, int]) -> CreditPreview:
        """What crediting these lines (line id -> cents) would do, with tax."""
        given: Any = {"invoice": invoice_id, "lines": _credit_lines(lines)}
        with translated("preview credit"):
            row = self._v1.credit_notes.preview(given).to_dict()
        return CreditPreview(
            total_cents=row["total"],
            pre_payment_cents=row.get("pre_payment_amount") or 0,
            post_payment_cents=row.get("post_payment_amount") or 0,
        )

    def credit(
        self, invoice_id: str, lines: Mapping[str, int], *, refund_cents: int, refund_ref: str, key: str
    ) -> CreditNote:
        """Credit a lot's own lines, and give back what of them was captured. Stripe mails nobody: we do."""
        given: dict[str, Any] = {
            "invoice": invoice_id,
            "lines": _credit_lines(lines),
            "reason": "order_change",
            "email_type": "none",
            "metadata": {"refund_ref": refund_ref},
        }
        if refund_cents:
            given["refund_amount"] = refund_cents
        with translated("credit"):
            return models.credit_note(self._v1.credit_notes.create(given, {"idempotency_key": key}).to_dict())  # type: ignore[arg-type]

    def credit_notes(self, invoice_id: str) -> tuple[CreditNote, ...]:
        """All credit notes of an invoice."""
        with translated("credit notes"):
            rows = self._v1.credit_notes.list({"invoice": invoice_id, "limit": PAGE}).auto_paging_iter()
            return tuple(models.credit_note(row.to_dict()) for row in rows)

    def refund(self, refund_id: str) -> Refund:
        """One refund, as it is now."""
        with translated("refund"):
            return models.refund(self._v1.refunds.retrieve(refund_id).to_dict())

    def refunds(self, intent_id: str) -> tuple[Refund, ...]:
        """All refunds of a payment."""
        with translated("refunds"):
            rows = self._v1.refunds.list({"payment_intent": intent_id, "limit": PAGE}).auto_paging_iter()
            return tuple(models.refund(row.to_dict()) for row in rows)

    def disputes(self, intent_id: str) -> tuple[Dispute, ...]:
        """All disputes of a payment."""
        with translated("disputes"):
            rows = self._v1.disputes.list({"payment_intent": intent_id, "limit": PAGE}).auto_paging_iter()
            return tuple(models.dispute(row.to_dict()) for row in rows)

    def invoices_since(self, since: int) -> tuple[Invoice, ...]:
        """The account's invoices made since a Unix second, page by page."""
        with translated("invoices"):
            rows = self._v1.invoices.list({"created": {"gte": since}, "limit": PAGE}).auto_paging_iter()
            return tuple(models.invoice(row.to_dict()) for row in rows)

    def open_invoices(self, since: int) -> frozenset[str]:
        """The ids of those made since a Unix second that still wait for their money."""
        with translated("open invoices"):
            asked: Any = {"status": "open", "created": {"gte": since}, "limit": PAGE}
            return frozenset(row.id for row in self._v1.invoices.list(asked).auto_paging_iter())

    def movements(self, since: int) -> tuple[Movement, ...]:
        """What moved on the account's balance since a Unix second."""
        with translated("balance transactions"):
            rows = self._v1.balance_transactions.list({"created": {"gte": since}, "limit": PAGE}).auto_paging_iter()
            return tuple(models.movement(row.to_dict()) for row in rows)

    def refunds_since(self, since: int) -> tuple[Refund, ...]:
        """The account's refunds made since a Unix second."""
        with translated("refunds"):
            rows = self._v1.refunds.list({"created": {"gte": since}, "limit": PAGE}).auto_paging_iter()
            return tuple(models.refund(row.to_dict()) for row in rows)

    def disputes_since(self, since: int) -> tuple[Dispute, ...]:
        """The account's disputes opened since a Unix second."""
        with translated("disputes"):
            rows = self._v1.disputes.list({"created": {"gte": since}, "limit": PAGE}).auto_paging_iter()
            return tuple(models.dispute(row.to_dict()) for row in rows)

    def events(self, types: Sequence[str], since: int) -> tuple[Event, ...]:
        """Events of these types since a Unix second."""
        asked: Any = {"types": list(types), "created": {"gte": since}, "limit": PAGE}
        with translated("events"):
            return tuple(models.event(row.to_dict()) for row in self._v1.events.list(asked).auto_paging_iter())

    def _payment(self, row: dict[str, Any]) -> Payment:
        intent_id = (row.get("payment") or {}).get("payment_intent")
        intent_id = intent_id.get("id") if isinstance(intent_id, dict) else intent_id
        intent = None
        if intent_id:
            intent = self._v1.payment_intents.retrieve(intent_id, {"expand": INTENT}).to_dict()
        return models.payment(row, intent)


def _price(line: NewLine) -> dict[str, Any]:
    price = {"currency": "usd", "unit_amount": line.cents, "tax_behavior": "exclusive"}
    return {"price_data": {**price, "product_data": {"name": line.description}}, "quantity": 1}


def _credit_lines(lines: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"type": "invoice_line_item", "invoice_line_item": line_id, "amount": cents} for line_id, cents in lines.items()
    ]
