"""Bids by Basta's rules: normal ones and ceilings, the engine's reactions, and the late bid that extends a lot."""

from __future__ import annotations

from datetime import timedelta

from deployments.sandbox.basta.rows import Bid, Item, Sale
from deployments.sandbox.world import World

OPEN = ("ITEM_OPEN", "ITEM_CLOSING")
TO_THE_RESERVE = "MAX_BID_BELOW_RESERVE_IS_MET"


class BidRefused(Exception):
    """A bid that Basta would not take; the message is its reason."""


def place(world: World, sale: Sale, item: Item, user_id: str, amount: int, kind: str) -> Bid:
    """Take one bid.

    Raises:
        BidRefused: with one of Basta's reasons.
    """
    now = world.clock.now()
    if item.status == "ITEM_PROCESSING" or (item.status in OPEN and item.end and now >= item.end):
        raise BidRefused("ITEM_CLOSING_PERIOD_PASSED")
    if item.status not in OPEN:
        raise BidRefused("NOT_OPEN_FOR_BIDDING")
    ask = sale.next_ask(item)
    first = item.current is None
    if amount < ask:
        raise BidRefused("STARTING_BID_HIGHER" if first else "BID_LOWER_THAN_CURRENT_BID")
    if not (first and amount == item.starting_bid) and amount % sale.step(amount):
        raise BidRefused("OFF_INCREMENT")
    ceiling = amount if kind == "MAX" else 0
    if item.leader == user_id:
        if kind != "MAX":
            raise BidRefused("BID_LOWER_THAN_CURRENT_MAX")
        if amount <= item.top_max:
            raise BidRefused("MAX_BID_LOWER_THAN_CURRENT_MAX")
        item.top_max = amount
        return item.bids[-1]
    bid = _fight(world, sale, item, user_id, amount, ceiling)
    if item.closes and now >= item.closes:
        item.closing_end = now + timedelta(milliseconds=item.countdown_ms)
    return bid


def _fight(world: World, sale: Sale, item: Item, user_id: str, amount: int, ceiling: int) -> Bid:
    """Set a new bid against the leader's ceiling: the engine bids the least needed for whoever has more."""
    ask = sale.next_ask(item)
    if item.leader is None:
        return _take(world, item, user_id, _lifted(sale, item, ask, ceiling) if ceiling else amount, ceiling)
    if item.top_max >= max(amount, ceiling):  # the earlier ceiling wins, equal ones too
        bid = _record(world, item, user_id, max(amount, ceiling), ceiling)
        after = max(amount, ceiling)
        step = sale.step(after)
        reaction = min(item.top_max, after // step * step + step)
        item.current = max(reaction, after)
        _record(world, item, item.leader, item.current, item.top_max)
        return bid
    beaten = max(item.top_max, item.current or 0)
    step = sale.step(beaten)
    needed = beaten // step * step + step
    least = max(min(needed, ceiling), ask)
    return _take(world, item, user_id, _lifted(sale, item, least, ceiling) if ceiling else amount, ceiling)


def _lifted(sale: Sale, item: Item, least: int, ceiling: int) -> int:
    """Where the sale is made so, a ceiling is used up to the reserve at once."""
    return max(least, min(ceiling, item.reserve)) if sale.reserve_method == TO_THE_RESERVE else least


def _take(world: World, item: Item, user_id: str, amount: int, ceiling: int) -> Bid:
    item.leader, item.current, item.top_max = user_id, amount, max(ceiling, amount)
    return _record(world, item, user_id, amount, ceiling)


def _record(world: World, item: Item, user_id: str, amount: int, ceiling: int) -> Bid:
    number = item.bids[-1].sequence + 1 if item.bids else 1
    bid = Bid(f"bid-{world.new_number()}", user_id, amount, ceiling, world.clock.now(), number)
    item.bids.append(bid)
    return bid
