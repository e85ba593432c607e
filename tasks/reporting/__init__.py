"""Reporting: what a run did, as artifacts of the run, and how a watched sale stands."""

from tasks.reporting.cycle import show_cycle, show_products
from tasks.reporting.report import write_report
from tasks.reporting.sale import UnknownSale, is_over, lots_table, must_know, sale_lines, sale_summary

__all__ = [
    "UnknownSale",
    "is_over",
    "lots_table",
    "must_know",
    "sale_lines",
    "sale_summary",
    "show_cycle",
    "show_products",
    "write_report",
]
