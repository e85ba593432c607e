"""refused webhooks are counted"""

import sqlalchemy as sa
from alembic import op

from tasks.lots import columns

revision = "20261124_refusals"
down_revision = "20261123"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_refusals",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("hour", columns.UtcTime(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "hour", "reason", name=op.f("pk_webhook_refusals")),
    )


def downgrade() -> None:
    op.drop_table("webhook_refusals")
