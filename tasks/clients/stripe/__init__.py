"""Stripe, which moves the buyers' money."""

from tasks.clients.stripe.client import API_VERSION, Stripe, connect
from tasks.clients.stripe.errors import ActionRequired, CardDeclined, DuplicateInvoice, NoCard
from tasks.clients.stripe.models import (
    Address,
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

__all__ = [
    "API_VERSION",
    "ActionRequired",
    "Address",
    "CardDeclined",
    "CreditNote",
    "CreditPreview",
    "Customer",
    "Dispute",
    "DuplicateInvoice",
    "Endpoint",
    "Event",
    "Invoice",
    "Line",
    "Movement",
    "NewLine",
    "NoCard",
    "Payment",
    "Refund",
    "Stripe",
    "connect",
]
