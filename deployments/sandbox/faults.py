"""Faults on demand, by call and position."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

KINDS = (
    "429",
    "500_before",
    "500_after",
    "timeout_before",
    "timeout_after",
    "late",
    "reset_before",
    "reset_after",
    "garbage",
    "garbage_before",
    "slow",
)


@dataclass
class Fault:
    """One planned fault: the `nth` matching call (1 is the next one) and `times` calls from there on.

    `operation` is matched whole, or by its start when it ends in `*`. `seconds` is how long a hanging or
    slow answer takes; `effect_after` is when the effect of a "late" call lands, in sandbox seconds.
    """

    vendor: str
    operation: str
    kind: str
    nth: int = 1
    times: int = 1
    seconds: float = 30.0
    effect_after: float = 180.0
    seen: int = field(default=0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")

    def matches(self, vendor: str, operation: str) -> bool:
        """Whether this call is meant."""
        if vendor != self.vendor:
            return False
        if self.operation.endswith("*"):
            return operation.startswith(self.operation[:-1])
        return operation == self.operation


class Faults:
    """The plan, and what has been asked so far."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self.asked: Counter[tuple[str, str]] = Counter()

    def plan(self, fault: Fault) -> None:
        """Add a fault to the plan."""
        self.planned.append(fault)

    def clear(self) -> None:
        """Forget the plan."""
        self.planned.clear()

    def take(self, vendor: str, operation: str) -> Fault | None:
        """The fault that this call meets, if any; every matching plan counts the call."""
        self.asked[vendor, operation] += 1
        met: Fault | None = None
        for fault in self.planned:
            if fault.matches(vendor, operation):
                fault.seen += 1
                if met is None and fault.nth <= fault.seen < fault.nth + fault.times:
                    met = fault
        return met
