"""The control API: what a test or a person changes in the world, and what it shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from deployments.sandbox.faults import Fault
from deployments.sandbox.people import Address, Person
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World


class Control:
    """POST /control/<what> changes something, GET /control/<what> shows something; all in JSON.

    faults {vendor, operation, kind, nth, times, seconds, effect_after}; clock {speed} or {advance};
    people {user_id, name, email, manner, ...}; webhooks {mode, stripe}; options {vendor, ...};
    do {vendor, action, args, kwargs}.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def handle(self, request: Request) -> Reply:
        """Do or show it."""
        what = request.path.strip("/")
        given: dict[str, Any] = request.json() if request.body else {}
        try:
            return _plain(self._show(what) if request.method == "GET" else self._change(request.method, what, given))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Reply.of({"error": f"{type(error).__name__}: {error}"}, 400)

    def _show(self, what: str) -> Any:
        vendors: dict[str, Any] = self.world.vendors
        if what == "calls":
            return [
                {"at": call.monotonic, "vendor": call.vendor, "operation": call.operation, "status": call.status}
                for call in self.world.calls
            ]
        if what == "mails":
            return [asdict(mail) for mail in vendors["resend"].mails]
        if what == "alerts":
            return [asdict(post) for post in vendors["alerts"].posts]
        if what == "state":
            return state(self.world)
        raise KeyError(what)

    def _change(self, method: str, what: str, given: dict[str, Any]) -> Any:
        vendors: dict[str, Any] = self.world.vendors
        if what == "faults":
            if method == "DELETE":
                self.world.faults.clear()
            else:
                self.world.faults.plan(Fault(**given))
        elif what == "clock":
            if "speed" in given:
                self.world.clock.set_speed(given["speed"])
            self.world.clock.advance(given.get("advance", 0))
        elif what == "people":
            where = given.pop("address", None)
            self.world.people.add(Person(**given, address=Address(**where) if where else None))
        elif what == "webhooks":
            self.world.webhook_mode = given.get("mode", self.world.webhook_mode)
            if "stripe" in given:
                vendors["stripe"].options.webhook_url = given["stripe"]
        elif what == "options":
            options = vendors[given.pop("vendor")].options
            for name, value in given.items():
                getattr(options, name)
                setattr(options, name, value)
        elif what == "do":
            return self._do(given)
        else:
            raise KeyError(what)
        return {"ok": True}

    def _do(self, given: dict[str, Any]) -> Any:
        vendor: Any = self.world.vendors[given["vendor"]]
        action = given["action"]
        if action.startswith("_"):
            raise ValueError(f"{action} is private")
        owner = getattr(vendor, "house", vendor) if not hasattr(vendor, action) else vendor
        result = getattr(owner, action)(*given.get("args", ()), **given.get("kwargs", {}))
        return {"result": json.loads(json.dumps(result, default=str))}


def _plain(shown: Any) -> Reply:
    """JSON, with times as texts."""
    return Reply.of(json.loads(json.dumps(shown, default=str, ensure_ascii=False)))


def state(world: World) -> dict[str, Any]:
    """What the outside thinks has happened, in plain values."""
    vendors: dict[str, Any] = world.vendors
    basta, stripe, cj = vendors["basta"].house, vendors["stripe"].store, vendors["cj"]
    return {
        "now": world.clock.now().isoformat(),
        "sales": [
            {
                "id": sale.id,
                "external_id": sale.external_id,
                "title": sale.title,
                "status": sale.status,
                "items": [
                    {
                        "id": item.id,
                        "external_id": item.external_id,
                        "title": item.title,
                        "status": item.status,
                        "bids": len(item.bids),
                        "leader": item.leader,
                        "current_bid": item.current,
                        "reserve": item.reserve,
                        "reserve_status": item.reserve_status,
                        "images": len(item.images),
                    }
                    for item in sale.items
                ],
            }
            for sale in basta.sales.values()
        ],
        "basta_orders": [
            {"id": one.id, "user": one.user_id, "status": one.status, "lines": len(one.lines)}
            for one in basta.orders.values()
        ],
        "invoices": [
            {
                "id": row["id"],
                "ref": row["metadata"].get("invoice_ref"),
                "status": row["status"],
                "total": row["total"],
                "paid": row["amount_paid"],
                "refunded": sum(
                    stripe.charges[stripe.intents[one["payment"]["payment_intent"]]["latest_charge"]]["amount_refunded"]
                    for one in stripe.payments[row["id"]]
                ),
                "payments": len(stripe.payments[row["id"]]),
                "lines": [
                    {"lot_id": line["metadata"].get("lot_id"), "amount": line["amount"]}
                    for line in stripe.lines[row["id"]]
                ],
            }
            for row in stripe.invoices.values()
        ],
        "refunds": [
            {
                "id": row["id"],
                "amount": row["amount"],
                "status": row["status"],
                "ref": row["metadata"].get("refund_ref"),
            }
            for row in stripe.refunds.values()
        ],
        "fees": sum(row["fee"] for row in stripe.movements.values()),
        "cj_orders": [
            {
                "id": one.order_id,
                "number": one.number,
                "status": str(one.status),
                "amount": one.amount_cents,
                "paid": one.paid_cents,
                "sandbox": one.is_sandbox,
            }
            for one in cj.orders
        ],
        "cj_payments": [asdict(one) if hasattr(one, "__dataclass_fields__") else str(one) for one in cj.payments],
        "mails": len(vendors["resend"].mails),
        "alerts": len(vendors["alerts"].posts),
    }
