"""The record's migrations, run by Alembic from code."""

#: The newest, for every process that asks whether its record is up to date: loading Alembic takes a tenth of a second.
NEWEST = "20261129_setbacks"
