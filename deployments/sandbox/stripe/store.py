"""What the sandbox's Stripe remembers, and the shapes it answers in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from deployments.sandbox.world import World

SHAPES = Path(__file__).with_name("shapes")
FEE_BP, FEE_FIXED = 290, 30
API_VERSION = "2026-10-28.endive"


class ApiError(Exception):
    """An error reply."""

    def __init__(self, status: int, kind: str, message: str, **facts: Any) -> None:
        self.status = status
        self.error = {"type": kind, "message": message, **facts}
        super().__init__(message)


def invalid(message: str, **facts: Any) -> ApiError:
    """A 400."""
    return ApiError(400, "invalid_request_error", message, **facts)


@lru_cache(maxsize=32)
def _shape(kind: str) -> str:
    return (SHAPES / f"{kind}.json").read_text()


def copied(row: dict[str, Any]) -> dict[str, Any]:
    """An object as it is now, which stays so: all of it is JSON."""
    as_it_is: dict[str, Any] = json.loads(json.dumps(row))
    return as_it_is


@dataclass
class StripeOptions:
    """How Stripe behaves; all of it can be changed while it runs."""

    account_id: str = "acct_sandbox"
    accepts: tuple[str, ...] = ("sk_test", "rk_test")  # how the keys begin that it lets in
    webhook_url: str = ""
    webhook_secret: str = "whsec_sandbox"
    webhook_status: str = "enabled"  # or disabled: nothing is sent
    webhook_events: list[str] = field(default_factory=lambda: ["*"])
    webhook_api_version: str | None = API_VERSION
    key_life_seconds: float = 86_400.0
    refund_settles_after: float = 1.0
    fee_known_after: float = 0.0
    customers_on_file: bool = True
    tax_bp: int = 825
    untaxable: list[str] = field(default_factory=list)  # postal codes that Stripe Tax does not know


@dataclass
class Store:
    """All objects, by id."""

    world: World
    options: StripeOptions
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    payments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    movements: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def new(self, kind: str, prefix: str, **values: Any) -> dict[str, Any]:
        """An object of Stripe's own shape, with these values."""
        row: dict[str, Any] = json.loads(_shape(kind))
        row |= {
            "id": f"{prefix}_{self.world.new_number():08d}",
            "created": self.now(),
            "livemode": False,
            "metadata": {},
        }
        return row | values

    def now(self) -> int:
        """Unix seconds."""
        return int(self.world.clock.now().timestamp())

    def get(self, rows: dict[str, dict[str, Any]], key: str, what: str) -> dict[str, Any]:
        """An object, or Stripe's 404."""
        if key not in rows:
            error = ApiError(
                404, "invalid_request_error", f"No such {what}: '{key}'", code="resource_missing", param="id"
            )
            raise error
        return rows[key]
