"""Invoicing: one invoice per winner and sale, built once, whatever happens in between."""

from tasks.invoicing.steps import invoices_to_send, send_invoice

__all__ = ["invoices_to_send", "send_invoice"]
