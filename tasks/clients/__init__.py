"""The outside world: one module per service, no database, no Prefect."""
