"""The column types that keep our two promises: money is whole cents, time is aware UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator


class Cents(TypeDecorator[int]):
    """Whole cents; anything but an int is refused before it reaches the database."""

    impl = BigInteger
    cache_ok = True

    def __init__(self) -> None:  # without options SQLAlchemy need not look for them at every statement
        super().__init__()

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Let ints pass, and nothing else: a bool or a float here is a mistake about money."""
        if value is not None and type(value) is not int:
            raise TypeError(f"cents must be a whole number, not {value!r}")
        return value


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC; naive ones are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def __init__(self) -> None:
        super().__init__()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware time to UTC (SQLite keeps no zone, and compares texts)."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without its zone cannot be recorded: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back the zone that SQLite dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables. Constraints have names, so that migrations can drop them on SQLite too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        list[str]: JSON,
    }


Id = Annotated[int, mapped_column(primary_key=True, autoincrement=True)]
Text = Annotated[str, mapped_column(String)]
Money = Annotated[int, mapped_column(Cents)]
MaybeMoney = Annotated[int | None, mapped_column(Cents)]
