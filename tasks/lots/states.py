"""What a lot can be, and what it can become: a table to be read aloud."""

from __future__ import annotations

from enum import StrEnum


class LotStatus(StrEnum):
    """The operator's fourteen statuses."""

    SOURCED = "SOURCED"
    LISTED = "LISTED"
    PUBLISHED = "PUBLISHED"
    AUCTION_CLOSED = "AUCTION_CLOSED"
    PAID = "PAID"
    CJ_ORDERED = "CJ_ORDERED"
    CJ_PAID = "CJ_PAID"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    RESERVE_NOT_MET = "RESERVE_NOT_MET"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CJ_OUT_OF_STOCK = "CJ_OUT_OF_STOCK"
    CJ_PRICE_CHANGED = "CJ_PRICE_CHANGED"
    CANCELLED = "CANCELLED"


S = LotStatus

#: The road from a product to a parcel, hop by hop.
SUCCESS_PATH: tuple[LotStatus, ...] = (
    S.SOURCED,
    S.LISTED,
    S.PUBLISHED,
    S.AUCTION_CLOSED,
    S.PAID,
    S.CJ_ORDERED,
    S.CJ_PAID,
    S.SHIPPED,
    S.DELIVERED,
)

FINAL: frozenset[LotStatus] = frozenset({S.DELIVERED, S.RESERVE_NOT_MET, S.CANCELLED})

MOVES: dict[LotStatus, frozenset[LotStatus]] = {
    S.SOURCED: frozenset({S.LISTED, S.CANCELLED}),
    S.LISTED: frozenset({S.PUBLISHED, S.CANCELLED}),
    S.PUBLISHED: frozenset({S.AUCTION_CLOSED, S.RESERVE_NOT_MET, S.CANCELLED}),
    S.AUCTION_CLOSED: frozenset({S.PAID, S.PAYMENT_FAILED, S.CANCELLED}),
    S.PAYMENT_FAILED: frozenset({S.PAID, S.CANCELLED}),
    S.PAID: frozenset({S.CJ_ORDERED, S.CJ_OUT_OF_STOCK, S.CJ_PRICE_CHANGED, S.CANCELLED}),
    # Back from CJ_ORDERED only while the order is unpaid and deleted; fulfilment sees to that.
    S.CJ_ORDERED: frozenset({S.CJ_PAID, S.CJ_OUT_OF_STOCK, S.CJ_PRICE_CHANGED, S.CANCELLED}),
    S.CJ_PAID: frozenset({S.SHIPPED, S.CANCELLED}),
    S.SHIPPED: frozenset({S.DELIVERED, S.CANCELLED}),
    S.CJ_OUT_OF_STOCK: frozenset({S.CANCELLED}),
    S.CJ_PRICE_CHANGED: frozenset({S.CANCELLED}),
    S.DELIVERED: frozenset(),
    S.RESERVE_NOT_MET: frozenset(),
    S.CANCELLED: frozenset(),
}


class IllegalMove(Exception):
    """A lot was asked to go where no road leads."""

    def __init__(self, lot_id: int, frm: LotStatus, to: LotStatus) -> None:
        self.lot_id, self.frm, self.to = lot_id, frm, to
        super().__init__(f"lot {lot_id} cannot go from {frm} to {to}")


def hops(frm: LotStatus, to: LotStatus) -> tuple[LotStatus, ...]:
    """The hops that lead from one status to another, when the world is ahead of us.

    No hop ever implies PAID: only a payment makes it. A direct move is one hop; none is ().

    Raises:
        LookupError: no lawful road.
    """
    if frm == to:
        return ()
    if to in MOVES[frm]:
        return (to,)
    if frm in SUCCESS_PATH and to in SUCCESS_PATH:
        start, end = SUCCESS_PATH.index(frm), SUCCESS_PATH.index(to)
        way = SUCCESS_PATH[start + 1 : end + 1]
        if way and S.PAID not in way:
            return way
    if frm is S.LISTED and to is S.RESERVE_NOT_MET:
        return (S.PUBLISHED, S.RESERVE_NOT_MET)
    raise LookupError(f"no road leads from {frm} to {to}")
