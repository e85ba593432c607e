"""questions carry their numbers, an end, and how much was granted"""

import sqlalchemy as sa
from alembic import op

from tasks.lots import columns

revision = "20261124_approvals"
down_revision = "20261124_names"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("approvals")
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("amount_cents", columns.Cents(), nullable=False),
        sa.Column("granted_cents", columns.Cents(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=False),
        sa.Column("answered_at", columns.UtcTime(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("used_at", columns.UtcTime(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("key", name=op.f("uq_approvals_key")),
    )
    op.create_index(op.f("ix_approvals_subject"), "approvals", ["subject"])
    op.create_index(op.f("ix_approvals_state"), "approvals", ["state"])


def downgrade() -> None:
    op.drop_table("approvals")
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("amount_cents", columns.Cents(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", columns.UtcTime(), nullable=False),
        sa.Column("answered_at", columns.UtcTime(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("key", name=op.f("uq_approvals_key")),
    )
