"""a record has a name of its own, which it gives to all it makes at the vendors"""

import secrets

import sqlalchemy as sa
from alembic import op

from tasks.lots import columns
from tasks.lots.clock import now

revision = "20261124_names"
down_revision = "20261124_refusals"
branch_labels = None
depends_on = None

stamp = sa.table(
    "stamp", sa.column("name", sa.String), sa.column("value", sa.String), sa.column("since", columns.UtcTime())
)


def upgrade() -> None:
    # What an older record made is known at the vendors without a name, and must be found again: it stays nameless.
    older = op.get_bind().execute(sa.text("select 1 from sourcing_runs limit 1")).scalar()
    op.execute(sa.insert(stamp).values(name="record", value="" if older else secrets.token_hex(4), since=now()))


def downgrade() -> None:
    op.execute(sa.delete(stamp).where(stamp.c.name == "record"))
