"""whom no vendor answered comes last the next time"""

import sqlalchemy as sa
from alembic import op

from tasks.lots import columns

revision = "20261129_setbacks"
down_revision = "20261125_reads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setbacks",
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("at", columns.UtcTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "subject", name=op.f("pk_setbacks")),
    )


def downgrade() -> None:
    op.drop_table("setbacks")
