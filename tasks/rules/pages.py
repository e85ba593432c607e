"""Where a person looks a thing up at its vendor. The addresses are the dashboards of the operator's runbook."""

from __future__ import annotations

BASTA = "https://dashboard.basta.app/"
STRIPE = "https://dashboard.stripe.com/"
CJ = "https://cjdropshipping.com/"
RESEND = "https://resend.com/"


def stripe_page(vendor_id: str, *, test: bool) -> str:
    """Stripe's page of an object, by its id: invoices, payments and customers have pages of their own."""
    folder = {"in": "invoices", "pi": "payments", "ch": "payments", "cus": "customers", "du": "disputes"}
    place = folder.get(vendor_id.split("_", 1)[0], "search?query=")
    joint = "" if place.endswith("=") else "/"
    return f"{STRIPE}{'test/' if test else ''}{place}{joint}{vendor_id}"
