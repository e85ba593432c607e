"""Credit notes, refunds and disputes: how money goes back."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.stripe import events, invoices, tax
from deployments.sandbox.stripe.store import Store, invalid

#: Disputes after which the money is ours again.
SETTLED_WELL = ("won", "warning_closed")
ANSWER_WITHIN_SECONDS = 7 * 86_400


def _amounts(store: Store, invoice: dict[str, Any], given: dict[str, Any]) -> tuple[int, int, list[dict[str, Any]]]:
    """What a credit would take off the unpaid part, and give back of the paid one; its lines.

    A line can be credited up to what of it is left.
    """
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise invalid(f"a {invoice['status']} invoice cannot be credited")
    lines = {line["id"]: line for line in store.lines[invoice["id"]]}
    credited: dict[str, int] = {}
    for note in store.notes.values():
        if note["invoice"] == invoice["id"] and note["status"] == "issued":
            for one in note["lines"]["data"]:
                credited[one["invoice_line_item"]] = credited.get(one["invoice_line_item"], 0) + one["amount"]
    shown: list[dict[str, Any]] = []
    for one in given.get("lines") or []:
        line = lines.get(one.get("invoice_line_item", ""))
        if line is None:
            raise invalid("No such line on this invoice", param="lines")
        cents = int(one["amount"])
        if cents <= 0 or cents + credited.get(line["id"], 0) > line["amount"]:
            raise invalid("The credit exceeds what is left of the line", param="lines")
        # A line's tax goes back with it, in proportion; with its last cent, all that is left of it.
        before = credited.get(line["id"], 0)
        whole = sum(one["amount"] for one in line["taxes"] or ())
        taxed = whole * (before + cents) // line["amount"] - whole * before // line["amount"]
        shown.append({"line": line, "cents": cents, "tax": taxed})
    total = sum(int(one["cents"]) + int(one["tax"]) for one in shown)
    pre = min(total, invoice["amount_remaining"])
    return pre, total - pre, shown


def _note(store: Store, invoice: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    pre, post, shown = _amounts(store, invoice, given)
    number = store.world.new_number()
    taxed = sum(int(one["tax"]) for one in shown)
    net = pre + post - taxed
    lines = [
        store.new(
            "credit_note_line_item", "cnli", amount=one["cents"], invoice_line_item=one["line"]["id"],
            description=one["line"]["description"], type="invoice_line_item",
            taxes=[tax.tax(one["tax"], one["cents"])] if one["line"]["taxes"] else [],
        )
        for one in shown
    ]  # fmt: skip
    kind = "mixed" if pre and post else "post_payment" if post else "pre_payment"
    return store.new(
        "credit_note", "cn", amount=pre + post, total=pre + post, subtotal=net,
        subtotal_excluding_tax=net, total_excluding_tax=net, total_taxes=[tax.tax(taxed, net)] if taxed else [],
        pre_payment_amount=pre, post_payment_amount=post, invoice=invoice["id"], customer=invoice["customer"],
        number=f"SBX-CN-{number}", type=kind, status="issued", reason=given.get("reason"), refunds=[],
        metadata=dict(given.get("metadata") or {}), voided_at=None, shipping_cost=None, pretax_credit_amounts=[],
        lines={"object": "list", "data": lines, "has_more": False, "url": "/v1/credit_notes/lines"},
    )  # fmt: skip


def preview(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """What a credit note would be."""
    return _note(store, store.get(store.invoices, given.get("invoice", ""), "invoice"), given)


def create(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """Issue a credit note; its refund amount must be exactly what of it was captured."""
    invoice = store.get(store.invoices, given.get("invoice", ""), "invoice")
    note = _note(store, invoice, given)
    asked = [int(given.get(name) or 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount")]
    if sum(asked) != note["post_payment_amount"]:
        raise invalid("The sum of credit, refund and out of band amounts must equal the post payment amount")
    if asked[0]:
        refund = _refund_invoice(store, invoice, asked[0], note["metadata"])
        note["refunds"] = [{"refund": refund["id"], "amount_refunded": asked[0], "type": "refund"}]
    store.notes[note["id"]] = note
    invoice["pre_payment_credit_notes_amount"] += note["pre_payment_amount"]
    invoice["post_payment_credit_notes_amount"] += note["post_payment_amount"]
    if note["pre_payment_amount"]:
        invoice["amount_remaining"] -= note["pre_payment_amount"]
        invoice["amount_due"] -= note["pre_payment_amount"]
        if invoice["amount_remaining"] == 0 and invoice["status"] == "open":
            invoice["status"] = "paid"
            events.emit(store, "invoice.paid", invoices.view(store, invoice))
    events.emit(store, "credit_note.created", note)
    return note


def _refund_invoice(store: Store, invoice: dict[str, Any], cents: int, metadata: dict[str, Any]) -> dict[str, Any]:
    for payment in store.payments[invoice["id"]]:
        intent = store.intents[payment["payment"]["payment_intent"]]
        charge = store.charges[intent["latest_charge"]]
        if charge["amount_captured"] - charge["amount_refunded"] >= cents:
            return refund(store, charge, cents, metadata)
    raise invalid("The refund exceeds what was captured")


def refund(store: Store, charge: dict[str, Any], cents: int, metadata: dict[str, Any]) -> dict[str, Any]:
    """Send money back; it is pending for a moment."""
    if cents <= 0 or cents > charge["amount_captured"] - charge["amount_refunded"]:
        raise invalid("Refund amount is greater than unrefunded amount on charge", param="amount")
    if any(one["charge"] == charge["id"] and one["status"] not in SETTLED_WELL for one in store.disputes.values()):
        raise invalid("This charge has been charged back", code="charge_disputed")
    movement = invoices.move(store, -cents, 0, "", "refund")
    row = store.new(
        "refund", "re", amount=cents, charge=charge["id"], payment_intent=charge["payment_intent"], status="pending",
        metadata=dict(metadata), balance_transaction=movement["id"], currency="usd",
    )  # fmt: skip
    movement["source"] = row["id"]
    store.refunds[row["id"]] = row
    charge["amount_refunded"] += cents
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    events.emit(store, "refund.created", row)
    events.emit(store, "charge.refunded", charge)
    store.world.after(store.options.refund_settles_after, lambda: _succeed(store, row), f"settle {row['id']}")
    return row


def _succeed(store: Store, row: dict[str, Any]) -> None:
    if row["status"] == "pending":
        row["status"] = "succeeded"
        events.emit(store, "refund.updated", row)


def create_refund(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """A bare refund of a payment: money moves, the invoice stays as it is."""
    if given.get("charge"):
        charge = store.get(store.charges, given["charge"], "charge")
    else:
        intent = store.get(store.intents, given.get("payment_intent", ""), "payment_intent")
        charge = store.get(store.charges, intent["latest_charge"] or "", "charge")
    left = charge["amount_captured"] - charge["amount_refunded"]
    row = refund(store, charge, int(given.get("amount", left)), given.get("metadata") or {})
    row["reason"] = given.get("reason")
    return row


def fail(store: Store, row: dict[str, Any], reason: str = "expired_or_canceled_card") -> None:
    """A refund that looked well fails, days later: the money is back on our balance, the buyer has none."""
    movement = invoices.move(store, row["amount"], 0, row["id"], "refund_failure")
    row |= {"status": "failed", "failure_reason": reason, "failure_balance_transaction": movement["id"]}
    events.emit(store, "refund.failed", row)


def open_dispute(store: Store, charge: dict[str, Any]) -> dict[str, Any]:
    """The buyer's bank takes the money back, for now, and a fee."""
    cents = charge["amount_captured"] - charge["amount_refunded"]
    movement = invoices.move(store, -cents, 1_500, "", "adjustment")
    row = store.new(
        "dispute", "dp", amount=cents, charge=charge["id"], payment_intent=charge["payment_intent"],
        status="needs_response", balance_transactions=[movement], reason="fraudulent",
        is_charge_refundable=False,
    )  # fmt: skip
    movement["source"] = row["id"]
    due = store.now() + ANSWER_WITHIN_SECONDS
    row["evidence_details"] = {**row["evidence_details"], "due_by": due, "submission_method": "manual"}
    store.disputes[row["id"]] = row
    charge["disputed"] = True
    events.emit(store, "charge.dispute.created", row)
    return row


def close_dispute(store: Store, row: dict[str, Any], *, won: bool) -> None:
    """It is decided; a won one brings the money back, and the fee."""
    row["status"] = "won" if won else "lost"
    if won:
        row["balance_transactions"].append(invoices.move(store, row["amount"], -1_500, row["id"], "adjustment"))
    events.emit(store, "charge.dispute.closed", row)
