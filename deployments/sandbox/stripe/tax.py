"""Stripe Tax: what is added to a line where the customer's address is known, and refused where it is not."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.stripe.store import Store, invalid

RATE_ID = "txr_sandbox"


def is_on(row: dict[str, Any]) -> bool:
    """Whether Stripe computes this invoice's tax."""
    return bool(row["automatic_tax"]["enabled"])


def located(store: Store, row: dict[str, Any]) -> bool:
    """Whether Stripe can tell where the customer is: by the shipping address, else the customer's own."""
    customer = store.customers[row["customer"]]
    address = (customer["shipping"] or {}).get("address") or customer["address"] or {}
    code = address.get("postal_code")
    return bool(address.get("country") and code) and code not in store.options.untaxable


def apply(store: Store, row: dict[str, Any]) -> int:
    """Compute the tax of every line anew, on top of its amount, rounded by the line; the invoice's tax in cents."""
    good = located(store, row)
    row["automatic_tax"] = {**row["automatic_tax"], "status": "complete" if good else "requires_location_inputs"}
    total, base = 0, 0
    for line in store.lines[row["id"]]:
        cents = (line["amount"] * store.options.tax_bp + 5_000) // 10_000 if good else 0
        line["taxes"] = [tax(cents, line["amount"])] if good else []
        total, base = total + cents, base + line["amount"]
    row["total_taxes"] = [tax(total, base)] if good else []
    return total


def tax(cents: int, of: int) -> dict[str, Any]:
    """One tax, as every object shows it."""
    return {
        "amount": cents,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": RATE_ID},
        "taxability_reason": "standard_rated",
        "taxable_amount": of,
        "type": "tax_rate_details",
    }


def refuse_unlocated(store: Store, row: dict[str, Any]) -> None:
    """Finalizing needs the place."""
    if is_on(row) and not located(store, row):
        facts = {"code": "customer_tax_location_invalid", "message": "The customer's location is not recognized"}
        row["last_finalization_error"] = {"type": "invalid_request_error", **facts}
        raise invalid(facts["message"], code=facts["code"])
