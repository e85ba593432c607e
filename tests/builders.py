"""Rows with sensible defaults: a test names only what it is about."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from tasks.lots import moving
from tasks.lots.models import Lot
from tasks.lots.states import LotStatus

LOT: dict[str, Any] = {
    "keyword": "usb hub",
    "title": "A usb hub",
    "description": "It has ports.",
    "image_urls": ["https://img.invalid/1.jpg"],
    "images_verified": 0,
    "cj_pid": "P1",
    "cj_vid": "V1",
    "stock_seen": 10,
    "from_country": "CN",
    "logistic_name": "Packet",
    "goods_cents": 500,
    "freight_cents": 300,
    "landed_cents": 800,
    "reserve_cents": 1_250,
    "starting_bid_cents": 700,
}


def make_lot(session: Session, status: LotStatus = LotStatus.SOURCED, **values: Any) -> Lot:
    """A lot in any status; its history begins there."""
    lot = moving.create(session, Lot(**{**LOT, **values}))
    lot.status = status
    session.flush()
    return lot
