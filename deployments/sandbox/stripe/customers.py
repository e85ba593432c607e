"""Customers, and the portal page on which they complete their address."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.people import Person
from deployments.sandbox.stripe import events
from deployments.sandbox.stripe.lists import filtered, newest
from deployments.sandbox.stripe.store import Store

Row = dict[str, Any]
BLANK = {"line1": None, "line2": None, "city": None, "state": None, "postal_code": None, "country": None}
CARD_MANNERS = ("good", "declined", "recovers", "good_later", "secure")


def listed(store: Store, given: Row) -> list[Row]:
    """Customers, by e-mail exactly as it is written. People with a card on file were customers before."""
    email = given.get("email")
    if email and store.options.customers_on_file and (person := store.world.people.by_email(email)):
        _on_file(store, person)
    return filtered(newest(store.customers.values()), given, "email")


def _on_file(store: Store, person: Person) -> None:
    known = any(row["email"] == person.email for row in store.customers.values())
    if not known and person.manner in CARD_MANNERS:
        _new(store, person.email, person.name, {"basta_user_id": person.user_id}, card=True)


def create(store: Store, given: Row) -> Row:
    """A customer; it has a card when the person of that address has one."""
    person = store.world.people.by_email(given.get("email") or "")
    card = person is not None and person.manner in CARD_MANNERS
    row = _new(store, given.get("email"), given.get("name"), given.get("metadata") or {}, card=card)
    row["shipping"] = given.get("shipping")
    return row


def _new(store: Store, email: str | None, name: str | None, metadata: Row, *, card: bool) -> Row:
    row = store.new("customer", "cus", email=email, name=name, balance=0, shipping=None, address=None, discount=None)
    row["metadata"] = dict(metadata)
    row["invoice_settings"] = {**row["invoice_settings"]}
    row["invoice_settings"]["default_payment_method"] = f"pm_{row['id']}" if card else None
    store.customers[row["id"]] = row
    return row


def update(store: Store, row: Row, given: Row) -> Row:
    """Change what was given; metadata is merged, and an empty value takes its key away."""
    merged = {**row["metadata"], **(given.get("metadata") or {})}
    row["metadata"] = {name: value for name, value in merged.items() if value != ""}
    for name in ("email", "name", "phone", "description", "shipping", "address"):
        if name in given:
            row[name] = given[name] or None
    events.emit(store, "customer.updated", row)
    return row


def portal(store: Store, given: Row) -> Row:
    """A portal session: a page on which the customer gives a shipping address."""
    customer = store.get(store.customers, given["customer"], "customer")
    number = f"bps_{store.world.new_number():08d}"
    return {
        "id": number,
        "object": "billing_portal.session",
        "configuration": given.get("configuration") or "bpc_default",
        "created": store.now(),
        "customer": customer["id"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": None,
        "on_behalf_of": None,
        "return_url": given.get("return_url"),
        "url": f"{store.world.base_url}/stripe/portal/{customer['id']}",
    }
