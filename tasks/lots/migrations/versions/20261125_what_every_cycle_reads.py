"""what every cycle reads is found by an index, however many lots there ever were"""

from alembic import op

revision = "20261125_reads"
down_revision = "20261124_approvals"
branch_labels = None
depends_on = None

NEW = {
    "ix_effects_state_kind": ("effects", ["state", "kind"]),
    "ix_history_at": ("history", ["at"]),
    "ix_invoices_charge_id": ("invoices", ["charge_id"]),
    "ix_invoices_hold_reason": ("invoices", ["hold_reason"]),
    "ix_invoices_status_fee": ("invoices", ["status", "fee_cents"]),
    "ix_lots_paid_at": ("lots", ["paid_at"]),
    "ix_lots_refund_status": ("lots", ["refund_status"]),
    "ix_sales_closed_at": ("sales", ["closed_at"]),
    "ix_sourcing_runs_counted_on": ("sourcing_runs", ["counted_on"]),
}
#: Each is the beginning of a new one.
OLD = {"ix_effects_state": ("effects", ["state"]), "ix_invoices_status": ("invoices", ["status"])}


def upgrade() -> None:
    for name, (table, columns) in NEW.items():
        op.create_index(name, table, columns)
    for name, (table, _) in OLD.items():
        op.drop_index(name, table)


def downgrade() -> None:
    for name, (table, columns) in OLD.items():
        op.create_index(name, table, columns)
    for name, (table, _) in NEW.items():
        op.drop_index(name, table)
