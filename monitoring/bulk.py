"""Many rows into one table at a few microseconds each.

`bulk_create` prepares every value through its field and a statement for every few rows, which for
the recorder is most of the work. Here one prepared statement takes them all; what is handed in must
be of the columns' own types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Raises DatabaseError where one of them is refused."""
    _run(_insert(model, names), rows)


def upsert(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    unique: Sequence[str],
) -> None:
    """As `insert`; a row that is there already, by its `unique` fields, becomes the one given."""
    columns = _columns(model, [name for name in names if name not in unique])
    changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)
    conflict = ", ".join(_columns(model, unique))
    _run(f"{_insert(model, names)} ON CONFLICT ({conflict}) DO UPDATE SET {changes}", rows)


def field_names(model: type[models.Model]) -> tuple[str, ...]:
    """All but the key that the database gives."""
    return tuple(field.attname for field in _fields(model) if not field.primary_key)


def _insert(model: type[models.Model], names: Sequence[str]) -> str:
    table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - Django's own way
    columns, places = ", ".join(_columns(model, names)), ", ".join(["%s"] * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - our own names


def _columns(model: type[models.Model], names: Sequence[str]) -> list[str]:
    columns = {field.attname: field.column for field in _fields(model)}
    return [connection.ops.quote_name(str(columns[name])) for name in names]


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return list(model._meta.concrete_fields)  # noqa: SLF001 - Django's own way


def _run(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(rows))
