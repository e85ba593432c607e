"""Which invoices are to be sent, and the task that does it."""

from __future__ import annotations

from sqlalchemy import select

from tasks.desk import desk
from tasks.invoicing import planning, sending
from tasks.lots import pauses
from tasks.lots.models import Invoice, Sale
from tasks.retrying import ACTING, task


def invoices_to_send(sale_id: str | None = None) -> list[int]:
    """Plan what winners owe, and give all invoices that are not out yet."""
    at = desk()
    planning.plan(at, sale_id)
    with at.record.read() as session:
        if pauses.paused(session, "charging"):
            return []
        query = select(Invoice).where(Invoice.status == "PLANNED").order_by(Invoice.id)
        if sale_id:
            query = query.join(Sale, Sale.id == Invoice.sale_id).where(Sale.basta_sale_id == sale_id)
        return [invoice.id for invoice in session.scalars(query)]


@task(task_run_name="invoice {invoice_id}", **ACTING)
def send_invoice(invoice_id: int) -> str:
    """Build, finalize and charge one invoice. Running it again finds the same one."""
    return sending.send(desk(), invoice_id)
