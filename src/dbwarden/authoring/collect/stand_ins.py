"""Let models reference tables of ``scratch_setup`` that no model defines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.types import UserDefinedType

from dbwarden.authoring.collect.models import OwnedMetadata, target_of
from dbwarden.authoring.collect.set_up import SetUp


class _Named(UserDefinedType[Any]):
    """A type by name, for foreign key columns without a type of their own."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


@contextmanager
def stand_ins(item: OwnedMetadata, setup: SetUp | None) -> Iterator[None]:
    """Define the missing tables inside the block, which must not create them."""
    missing = {
        target: known
        for table in item.tables
        for key in table.foreign_keys
        if setup is not None and (target := target_of(key, item.metadata))
        if target not in item.metadata.tables
        if (known := setup.table(*_parts(target))) is not None
    }
    tables = []
    for target, known in missing.items():
        namespace, name = _parts(target)
        columns = [Column(column.name, _Named(column.type)) for column in known.columns]
        tables.append(Table(name, item.metadata, *columns, schema=namespace))
    try:
        yield
    finally:
        for table in tables:
            item.metadata.remove(table)


def _parts(name: str) -> tuple[str | None, str]:
    namespace, _, table = name.rpartition(".")
    return namespace or None, table
