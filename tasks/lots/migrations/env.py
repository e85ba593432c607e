"""Alembic's environment: our models, the caller's connection, and no logging of its own."""

from alembic import context
from sqlalchemy import Connection

from tasks.lots import models, records
from tasks.lots.columns import Base

assert models
assert records


def run(connection: Connection) -> None:
    """Run the migrations on a connection that somebody opened."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        user_module_prefix="columns.",
        # One transaction for reading the revision and for all steps from it, on SQLite too, whose BEGIN is ours:
        # else another process may take the second step between our first and our second.
        transactional_ddl=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
