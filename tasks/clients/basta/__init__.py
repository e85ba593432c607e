"""Basta, the auction house."""

from tasks.clients.basta.client import Already, Basta, KeyRefused, Missing
from tasks.clients.basta.models import (
    Address,
    Fee,
    Image,
    Item,
    NewItem,
    NewLine,
    NewSale,
    Order,
    OrderLine,
    Policy,
    Sale,
    Upload,
    User,
)

__all__ = [
    "Address",
    "Already",
    "Basta",
    "Fee",
    "Image",
    "Item",
    "KeyRefused",
    "Missing",
    "NewItem",
    "NewLine",
    "NewSale",
    "Order",
    "OrderLine",
    "Policy",
    "Sale",
    "Upload",
    "User",
]
