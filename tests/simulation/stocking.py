"""More of the same: a lot is copied, with its item at Basta, for runs that need more lots than a run may list."""

from __future__ import annotations

import copy
from typing import Any

from sqlalchemy import inspect

from deployments.sandbox.world import World
from tasks.lots import moving
from tasks.lots.engine import Record
from tasks.lots.models import Lot

OWN = ("id", "basta_item_id", "item_number", "status", "status_since", "created_at", "updated_at")


def stock_up(world: World, record: Record, lot_id: int, number: int) -> list[int]:
    """Make a lot one of so many alike, in its own sale; all their ids."""
    basta: Any = world.vendors["basta"]
    with record.write() as session:
        first = session.get_one(Lot, lot_id)
        sale = basta.house.sales[first.basta_sale_id]
        item = next(one for one in sale.items if one.id == first.basta_item_id)
        given = {column.key: getattr(first, column.key) for column in inspect(Lot).columns if column.key not in OWN}
        made = [first.id]
        have = sum(1 for one in sale.items)
        for place in range(have + 1, number + 1):
            lot = moving.create(session, Lot(**given, item_number=place))
            twin = copy.deepcopy(item)
            twin.id, twin.number, twin.external_id = f"{item.id}-{place}", place, record.known_as(f"lot-{lot.id}")
            sale.items.append(twin)
            lot.basta_item_id = twin.id
            moving.follow(session, lot.id, first.status)
            made.append(lot.id)
    return made
