"""What people, vendors and banks do of themselves to a lot, without asking us."""

from __future__ import annotations

import random
from contextlib import suppress

from deployments.sandbox.cj.envelope import Refusal
from deployments.sandbox.stripe.store import ApiError
from tasks.lots import pauses
from tasks.lots.models import Lot
from tests.simulation.knife import Strike
from tests.simulation.play import Play
from tests.simulation.rehearsal import HOUR

#: What people, vendors and banks do of themselves, to a lot, some hours after the auction.
HAPPENINGS = (
    "delisted", "no stock", "dearer", "far dearer", "freight doubles", "cj cancels", "balance short",
    "paid by hand at cj",
    "refunded by hand", "disputed and won", "disputed and lost", "voided by hand", "refund fails", "buying paused",
    "charging paused", "cj lies about a payment", "cj lies about an order", "everything off",
)  # fmt: skip


class Eventful(Play):
    """A play in which things happen to lots; whoever plays on stays away for `_dark_hours` first."""

    def __init__(
        self, name: str, *, dice: random.Random, strike: Strike | None = None, seed: int = 1, **settings: str
    ) -> None:
        super().__init__(name, strike=strike, seed=seed, **settings)
        self._dice, self._dark_hours = dice, 0.0

    def befall(self, what: str, lot: Lot) -> bool:
        """Let it happen to this lot, if it can now; whether it could."""
        with suppress(KeyError, IndexError, ValueError, Refusal, ApiError):
            self._do_to(what, lot)
            return True
        return False

    def _do_to(self, what: str, lot: Lot) -> None:
        cj, bank, world = self.stage.cj, self.stage.bank, self.stage.world
        match what:
            case "delisted":
                cj.delist(lot.cj_vid)
            case "no stock":
                cj.set_stock(lot.cj_vid, lot.from_country, 0)
            case "dearer":
                cj.set_price(lot.cj_vid, lot.goods_cents * 11 // 10)
            case "far dearer":
                cj.set_price(lot.cj_vid, lot.goods_cents * 14 // 10)
            case "freight doubles":
                cj.scale_freight("US", 2)
            case "cj cancels":
                if cj.order(lot.cj_order_number or "").shipped is None:  # what is on its way is not called back
                    cj.cancel_order(lot.cj_order_number)
            case "balance short":
                had = cj.purse.balance_cents
                cj.set_balance(100)
                world.after(6 * HOUR, lambda: cj.top_up(had - 100), "top up")
            case "paid by hand at cj":
                cj.pay_by_hand(lot.cj_order_number or "")
            case "refunded by hand":
                bank.refund_by_hand(lot.stripe_invoice_id, bank.store.invoices[lot.stripe_invoice_id]["amount_paid"])
            case "disputed and won" | "disputed and lost":
                dispute = bank.open_dispute(lot.stripe_invoice_id)
                won = what.endswith("won")
                world.after(8 * HOUR, lambda: bank.close_dispute(dispute["id"], won), "the bank decides")
            case "voided by hand":
                bank.void_by_hand(lot.stripe_invoice_id)
            case "refund fails":
                bank.fail_refund(lot.stripe_refund_id)
            case "buying paused" | "charging paused":
                scope = what.split()[0]
                self._pause(scope)
                world.after(5 * HOUR, lambda: self._resume(scope), "resume")
            case "cj lies about a payment":
                cj.options.pay_lies.append(self._dice.choice(("success without effect", "error with effect")))
            case "cj lies about an order":
                lie = self._dice.choice(("busy without order", "busy with order", "empty with order"))
                cj.options.create_lies.append(lie)
            case "everything off":
                self._dark_hours = 6.0

    def _pause(self, scope: str) -> None:
        with self.record.quietly() as session:
            pauses.pause(session, scope)

    def _resume(self, scope: str) -> None:
        with self.record.quietly() as session:
            pauses.resume(session, scope)
