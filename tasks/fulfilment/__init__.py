"""Fulfilment: a paid lot becomes an order at CJ — checked, created unpaid, compared, confirmed, and then paid."""

from tasks.fulfilment.steps import (
    compare_orders,
    confirm_order,
    delete_order,
    lots_to_order,
    order_goods,
    orders_to_compare,
    orders_to_confirm,
    orders_to_delete,
    orders_to_pay,
    pay_order,
)

__all__ = [
    "compare_orders",
    "confirm_order",
    "delete_order",
    "lots_to_order",
    "order_goods",
    "orders_to_compare",
    "orders_to_confirm",
    "orders_to_delete",
    "orders_to_pay",
    "pay_order",
]
