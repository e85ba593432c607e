"""Handling: what an operator does to one lot by hand. Everything goes through the record's effects and exclusions."""

from tasks.handling.cancelling import CANCELLING, Way, cancel, cancel_plan, refund_plan
from tasks.handling.freeing import address_of, plan_address, plan_retry, retry, set_address
from tasks.handling.planning import Call, Plan, Refused, UnknownLot
from tasks.handling.showing import story

__all__ = [
    "CANCELLING",
    "Call",
    "Plan",
    "Refused",
    "UnknownLot",
    "Way",
    "address_of",
    "cancel",
    "cancel_plan",
    "plan_address",
    "plan_retry",
    "refund_plan",
    "retry",
    "set_address",
    "story",
]
