"""Invoices: draft, open, paid or void; charged from a card on file, or paid by hand on the hosted page."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.stripe import events, tax
from deployments.sandbox.stripe.form import flag
from deployments.sandbox.stripe.store import FEE_BP, FEE_FIXED, ApiError, Store, invalid

MOST_LINES = 250
#: An invoice that was written off can still be paid.
PAYABLE = ("open", "uncollectible")


def create(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """A draft."""
    customer = store.get(store.customers, given.get("customer", ""), "customer")
    method = given.get("collection_method", "charge_automatically")
    days = given.get("days_until_due")
    if days and method != "send_invoice":
        raise invalid("days_until_due is only for send_invoice", param="days_until_due")
    if method == "send_invoice" and not days and not given.get("due_date"):
        raise invalid("send_invoice needs days_until_due", param="days_until_due")
    row = store.new(
        "invoice", "in", customer=customer["id"], status="draft", collection_method=method,
        auto_advance=flag(given.get("auto_advance", "false")), metadata=dict(given.get("metadata") or {}),
        amount_due=0, amount_paid=0, amount_remaining=0, amount_overpaid=0, subtotal=0, total=0,
        subtotal_excluding_tax=0, total_excluding_tax=0, starting_balance=0, total_taxes=[],
        pre_payment_credit_notes_amount=0, post_payment_credit_notes_amount=0, last_finalization_error=None,
        next_payment_attempt=None, due_date=store.now() + int(days) * 86_400 if days else None,
        customer_email=customer["email"], customer_name=customer["name"], customer_shipping=customer["shipping"],
        from_invoice=None, shipping_cost=None, shipping_details=None, parent=None, attempted=False,
    )  # fmt: skip
    if flag((given.get("automatic_tax") or {}).get("enabled", "false")):
        row["automatic_tax"] = {**row["automatic_tax"], "enabled": True, "provider": "stripe"}
    store.invoices[row["id"]] = row
    store.lines[row["id"]], store.payments[row["id"]] = [], []
    return view(store, row)


def view(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """An invoice with the first page of its lines; a draft mirrors its customer's address, which finalizing freezes."""
    lines = store.lines[row["id"]]
    if row["status"] == "draft":
        row = {**row, "customer_shipping": store.customers[row["customer"]]["shipping"]}
    listed = {"object": "list", "data": lines[:10], "has_more": len(lines) > 10}
    return {**row, "lines": {**listed, "url": f"/v1/invoices/{row['id']}/lines"}}


def add_lines(store: Store, row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put lines on a draft."""
    if row["status"] != "draft":
        raise invalid("Only draft invoices can be changed", code="invoice_not_editable")
    lines = store.lines[row["id"]]
    new = given.get("lines") or []
    if len(lines) + len(new) > MOST_LINES:
        raise invalid(f"an invoice has {MOST_LINES} lines at most")
    for one in new:
        cents = int(one["amount"] if "amount" in one else one["price_data"]["unit_amount"])
        lines.append(
            store.new(
                "line_item", "il", invoice=row["id"], amount=cents, subtotal=cents, discountable=True,
                description=one.get("description"), metadata=dict(one.get("metadata") or {}), taxes=[],
            )
        )  # fmt: skip
    for line in lines:
        line.pop("created", None)
    _total(store, row)
    return view(store, row)


def _total(store: Store, row: dict[str, Any]) -> None:
    subtotal = sum(line["amount"] for line in store.lines[row["id"]])
    row["subtotal"] = row["subtotal_excluding_tax"] = row["total_excluding_tax"] = subtotal
    row["total"] = total = subtotal + (tax.apply(store, row) if tax.is_on(row) else 0)
    due = max(total + row["starting_balance"] - row["pre_payment_credit_notes_amount"], 0)
    row["amount_due"], row["amount_remaining"] = due, max(due - row["amount_paid"], 0)


def finalize(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Open a draft; a customer balance is used up first."""
    if row["status"] != "draft":
        raise invalid("This invoice is already finalized", code="invoice_already_finalized")
    try:
        tax.refuse_unlocated(store, row)
    except ApiError:
        events.emit(store, "invoice.finalization_failed", view(store, row))
        raise
    _total(store, row)
    customer = store.customers[row["customer"]]
    balance = customer["balance"]
    if balance < 0:
        used = max(balance, -row["total"])
        row["starting_balance"], customer["balance"] = used, balance - used
    row["status"], row["effective_at"] = "open", store.now()
    row["number"] = f"SBX-{row['id'][-5:]}"
    row["hosted_invoice_url"] = f"{store.world.base_url}/stripe/pay/{row['id']}"
    row["invoice_pdf"] = f"{store.world.base_url}/stripe/pay/{row['id']}?pdf=1"
    row["customer_shipping"] = customer["shipping"]
    _total(store, row)
    events.emit(store, "invoice.finalized", view(store, row))
    if row["amount_due"] == 0:
        _paid(store, row)
    else:
        _wait_for_buyer(store, row)
    if row["due_date"] and row["status"] == "open":
        store.world.after(row["due_date"] - store.now(), lambda: _overdue(store, row), f"due {row['id']}")
    return view(store, row)


def _overdue(store: Store, row: dict[str, Any]) -> None:
    if row["status"] == "open":
        events.emit(store, "invoice.overdue", view(store, row))


def _wait_for_buyer(store: Store, row: dict[str, Any]) -> None:
    """People without a good card act on the hosted page, each in their own manner."""
    person = store.world.people.by_email(row["customer_email"] or "")
    if person and person.manner in ("recovers", "secure", "no_card"):
        store.world.after(person.pays_after, lambda: _pay_later(store, row), f"a person pays {row['id']}")


def pay(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Charge the card on file, with nobody there."""
    if row["status"] not in PAYABLE:
        word = {"paid": "already paid", "void": "void"}.get(row["status"], "not open")
        raise invalid(f"Invoice is {word}", code="invoice_not_payable")
    customer = store.customers[row["customer"]]
    card = (customer["invoice_settings"] or {}).get("default_payment_method")
    if not card:
        raise invalid("There is no default payment method set on this customer", param="payment_method")
    row["attempted"], row["attempt_count"] = True, row["attempt_count"] + 1
    person = store.world.people.by_email(row["customer_email"] or "")
    manner = person.manner if person else "good"
    if manner in ("declined", "recovers") or (manner == "good_later" and row["attempt_count"] == 1):
        intent = _intent(store, row, "requires_payment_method")
        events.emit(store, "invoice.payment_failed", view(store, row))
        raise ApiError(
            402, "card_error", "Your card was declined.", code="card_declined", decline_code="generic_decline",
            payment_intent=intent,
        )  # fmt: skip
    if manner == "secure":
        intent = _intent(store, row, "requires_action")
        events.emit(store, "invoice.payment_action_required", view(store, row))
        code = "invoice_payment_intent_requires_action"
        raise ApiError(402, "card_error", "This payment requires action.", code=code, payment_intent=intent)
    _capture(store, row)
    return view(store, row)


def pay_by_hand(store: Store, row: dict[str, Any], cents: int | None = None) -> bool:
    """The buyer pays on the hosted page, all of it or a part; False when there is nothing to pay."""
    if row["status"] not in PAYABLE:
        return False
    _capture(store, row, cents)
    return True


def _pay_later(store: Store, row: dict[str, Any]) -> None:
    pay_by_hand(store, row)


def _intent(store: Store, row: dict[str, Any], status: str) -> dict[str, Any]:
    intent = store.new(
        "payment_intent", "pi", amount=row["amount_remaining"], status=status, customer=row["customer"],
        last_payment_error=None, next_action=None, processing=None, shipping=None, latest_charge=None,
    )  # fmt: skip
    store.intents[intent["id"]] = intent
    return intent


def _capture(store: Store, row: dict[str, Any], part: int | None = None) -> None:
    """Money moves: intent, charge, balance transaction and payment, together."""
    cents = min(part or row["amount_remaining"], row["amount_remaining"])
    intent = _intent(store, row, "succeeded")
    fee = (cents * FEE_BP + 5_000) // 10_000 + FEE_FIXED
    charge = store.new(
        "charge", "ch", amount=cents, amount_captured=cents, captured=True, customer=row["customer"], paid=True,
        payment_intent=intent["id"], description=f"Payment for invoice {row['id']}", shipping=None,
    )  # fmt: skip
    movement = move(store, cents, fee, charge["id"], "charge")
    charge["balance_transaction"] = movement["id"]
    intent |= {"latest_charge": charge["id"], "amount_received": cents}
    store.charges[charge["id"]] = charge
    store.payments[row["id"]].append(
        store.new(
            "invoice_payment", "inpay", invoice=row["id"], amount_paid=cents, amount_requested=cents, currency="usd",
            status="paid", payment={"type": "payment_intent", "payment_intent": intent["id"]},
            status_transitions={"canceled_at": None, "paid_at": store.now()},
        )
    )  # fmt: skip
    row["amount_paid"] += cents
    row["amount_remaining"] -= cents
    if row["amount_remaining"] == 0:
        _paid(store, row)
    events.emit(store, "charge.succeeded", charge)


def _paid(store: Store, row: dict[str, Any]) -> None:
    row["status"], row["amount_remaining"] = "paid", 0
    events.emit(store, "invoice.paid", view(store, row))


def move(store: Store, cents: int, fee: int, source: str, kind: str) -> dict[str, Any]:
    """One movement on our balance at Stripe."""
    row: dict[str, Any] = {
        "id": f"txn_{store.world.new_number():08d}", "object": "balance_transaction", "amount": cents, "fee": fee,
        "net": cents - fee, "currency": "usd", "created": store.now(), "available_on": store.now(), "type": kind,
        "balance_type": "payments", "description": None, "exchange_rate": None, "fee_details": [],
        "reporting_category": kind, "source": source, "status": "available",
    }  # fmt: skip
    store.movements[row["id"]] = row
    return row


def void(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Void an open invoice; a draft is deleted instead, a paid one credited."""
    if row["status"] not in PAYABLE:
        raise invalid(f"You can only void open invoices; this one is {row['status']}")
    row["status"], row["amount_remaining"] = "void", 0
    events.emit(store, "invoice.voided", view(store, row))
    return view(store, row)


def mark_uncollectible(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Write an open invoice off, for the books; its hosted page still takes money."""
    if row["status"] != "open":
        raise invalid(f"You can only mark open invoices as uncollectible; this one is {row['status']}")
    row["status"] = "uncollectible"
    events.emit(store, "invoice.marked_uncollectible", view(store, row))
    return view(store, row)


def send(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Mail the hosted page's address; a draft is finalized first."""
    if row["collection_method"] != "send_invoice" or row["status"] not in ("draft", *PAYABLE):
        raise invalid("You can only manually send an invoice that is to be sent, and not yet paid")
    if row["status"] == "draft":
        finalize(store, row)
    events.emit(store, "invoice.sent", view(store, row))
    return view(store, row)


def delete(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Take a draft away for good."""
    if row["status"] != "draft":
        raise invalid("You can only delete draft invoices")
    events.emit(store, "invoice.deleted", view(store, row))
    del store.invoices[row["id"]], store.lines[row["id"]], store.payments[row["id"]]
    return {"id": row["id"], "object": "invoice", "deleted": True}
