"""What the spectator sees: every hop of every lot, as it happens."""

from __future__ import annotations

import threading
import time

from rich.console import Console
from sqlalchemy import func, select

from tasks.desk import desk
from tasks.lots.manners import SETTLED
from tasks.lots.models import History, Lot, Sale
from tasks.lots.records import Effect
from tasks.lots.states import FINAL
from tasks.rules.money import dollars

COLOURS = {
    "DELIVERED": "bold green",
    "PAID": "green",
    "CJ_PAID": "green",
    "RESERVE_NOT_MET": "yellow",
    "PAYMENT_FAILED": "red",
    "CJ_OUT_OF_STOCK": "red",
    "CJ_PRICE_CHANGED": "red",
    "CANCELLED": "magenta",
}
QUIET = ("SOURCED", "LISTED")
EVERY_SECONDS = 0.4


class Watch:
    """Tells what is new in the history since the last look."""

    def __init__(self, console: Console, began: float) -> None:
        self._console, self._began, self._seen = console, began, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="watching", daemon=True)

    def start(self) -> None:
        """Look again and again, beside the work."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and end."""
        self._ended.set()
        self._thread.join(timeout=5)
        self.look()

    def _keep_looking(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.look()

    def has_sale(self) -> bool:
        """Whether there is anything to process."""
        with desk().record.read() as session:
            return session.execute(select(Sale.id).where(Sale.published_at.is_not(None))).first() is not None

    def look(self) -> None:
        """Print the hops that are new."""
        with desk().record.read() as session:
            rows = session.execute(
                select(History, Lot)
                .join(Lot, Lot.id == History.lot_id)
                .where(History.id > self._seen)
                .order_by(History.id)
            ).all()
        for hop, lot in rows:
            self._seen = hop.id
            if hop.to in QUIET:
                continue
            colour = COLOURS.get(hop.to, "cyan")
            price = f" at {dollars(lot.winning_bid_cents or 0)}" if hop.to == "AUCTION_CLOSED" else ""
            why = f": {hop.why}" if hop.why else ""
            self._console.print(
                f"[dim]{time.monotonic() - self._began:6.1f} s[/] lot {lot.id:2} [{colour}]{hop.to}[/]{price} "
                f"[dim]{lot.title[:44]}{why[:90]}[/]"
            )

    def is_over(self) -> bool:
        """Whether every lot is at its end, every refund has arrived, and every planned effect is settled."""
        with desk().record.read() as session:
            open_lots = select(func.count()).select_from(Lot)
            open_lots = open_lots.where(Lot.status.not_in(FINAL) | Lot.refund_status.in_(("PLANNED", "PENDING")))
            waiting = select(func.count()).select_from(Effect)
            waiting = waiting.where(Effect.state.not_in([str(one) for one in SETTLED]))
            return not session.execute(open_lots).scalar_one() and not session.execute(waiting).scalar_one()
