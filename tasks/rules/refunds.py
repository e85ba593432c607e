"""What giving a lot back means, by where its invoice stands."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Way(StrEnum):
    """How a lot's share leaves its buyer's bill, or goes back to the buyer."""

    OFF_THE_BILL = "off the bill"  # nobody outside heard of the invoice: its other lots get a new one
    WAIT = "wait"  # it may be half built at Stripe: first it must be whole, and it is not charged meanwhile
    CREDIT = "credit"  # a credit note on the lot's own lines: less is due, or what was captured goes back
    NOTHING_DUE = "nothing due"  # it is void, or was never made


#: Our word for an invoice that Stripe has, and that asks for money or has it.
CREDITABLE = ("OPEN", "PAYMENT_FAILED", "PAID", "CREDITED")


def way_back(status: str | None, *, begun: bool) -> Way:
    """The way for an invoice of this status (None for a lot without one).

    Args:
        begun: whether Stripe may know of a draft, or Basta of an order that nobody has seen yet.
    """
    if status in CREDITABLE:
        return Way.CREDIT
    if status == "PLANNED":
        return Way.WAIT if begun else Way.OFF_THE_BILL
    return Way.NOTHING_DUE


def share_cents(lines: Mapping[str, int]) -> int:
    """A lot's own share of its invoice: all its lines with their tax, and nothing of any other lot's."""
    return sum(lines.values())


def is_sound(refund_cents: int, *, share_cents: int, captured_cents: int, refunded_cents: int) -> bool:
    """Whether a refund stays within the lot's share, and the invoice's refunds within what was captured."""
    return 0 <= refund_cents <= share_cents and refunded_cents + refund_cents <= captured_cents
