"""The tasks of listing."""

from __future__ import annotations

from sqlalchemy import select

from tasks.cycling import Several
from tasks.desk import desk
from tasks.listing import making, pictures, publishing
from tasks.listing.publishing import Published
from tasks.lots.models import Sale
from tasks.retrying import ACTING, run_logger, task


@task(task_run_name="sale of run {run_id}", **ACTING)
def make_sale(run_id: int) -> int:
    """Make a run's sale at Basta, unpublished. Running it again finds the same."""
    return making.make_sale(desk(), run_id)


@task(task_run_name="list lot {lot_id}", **ACTING)
def list_lot(lot_id: int) -> str:
    """Put one lot into its sale. Running it again finds the same item."""
    return making.list_lot(desk(), lot_id)


@task(task_run_name="pictures of lot {lot_id}", **ACTING)
def put_pictures(lot_id: int) -> Several:
    """Upload a lot's pictures; how many are up. Running it again uploads none twice."""
    return Several(pictures.put_pictures(desk(), lot_id, run_logger()), "uploaded")


@task(task_run_name="publish sale {sale_row}", **ACTING)
def publish_sale(sale_row: int) -> Published:
    """Publish a sale once it is sound. Running it again finds it published."""
    return publishing.publish(desk(), sale_row, run_logger())


def sale_of(basta_sale_id: str) -> int | None:
    """Our row of a sale at Basta; None when it is none of ours."""
    with desk().record.read() as session:
        return session.scalars(select(Sale.id).where(Sale.basta_sale_id == basta_sale_id)).one_or_none()


def basta_id_of(sale_row: int) -> str | None:
    """Basta's id of a sale of ours."""
    with desk().record.read() as session:
        return session.get_one(Sale, sale_row).basta_sale_id
