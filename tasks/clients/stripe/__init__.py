"""Stripe, which moves the buyers' money."""

from tasks.clients.stripe.client import Stripe, connect
from tasks.clients.stripe.errors import ActionRequired, CardDeclined, DuplicateInvoice, NoCard
from tasks.clients.stripe.models import (
    Address,
    CreditNote,
    CreditPreview,
    Customer,
    Dispute,
    Event,
    Invoice,
    Line,
    NewLine,
    Payment,
    Refund,
)

__all__ = [
    "ActionRequired",
    "Address",
    "CardDeclined",
    "CreditNote",
    "CreditPreview",
    "Customer",
    "Dispute",
    "DuplicateInvoice",
    "Event",
    "Invoice",
    "Line",
    "NewLine",
    "NoCard",
    "Payment",
    "Refund",
    "Stripe",
    "connect",
]
