"""The models' own SQL texts, as SQLAlchemy compiles them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import CheckConstraint, Column, Table, UniqueConstraint, create_mock_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import DefaultClause, Index
from sqlalchemy.sql.elements import ClauseElement, ColumnClause, UnaryExpression

from dbwarden.authoring.collect.hints import ColumnKey, Hints, IndexExpressions, TextKey
from dbwarden.authoring.collect.models import OwnedMetadata
from dbwarden.schema import QualifiedName

RENAMED_FROM = "renamed_from"

# The options of an index key after its expression are read from the catalog.
_MORE_THAN_EXPRESSION = re.compile(
    r"(\s(asc|desc|nulls\s+(first|last)|collate\s+\S+|\w+_ops))+\s*$", re.IGNORECASE
)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_NAME = re.compile(r"\w+")
_PLAIN_TYPE = re.compile(r"[A-Z][A-Z0-9 ]*(\([\d, ]+\))?[A-Z ]*(\[\])*")


def hints(owned: Sequence[OwnedMetadata], url: str) -> Hints:
    """Return the expressions of all tables in *owned*, for the database kind of *url*."""
    compiler = _Compiler(url)
    tables = {
        QualifiedName(table.schema, table.name): table for item in owned for table in item.tables
    }
    texts: dict[TextKey, str | None] = {}
    indexes: dict[ColumnKey, IndexExpressions] = {}
    renamed_columns: dict[ColumnKey, str] = {}
    for name, table in tables.items():
        for column in table.columns:
            if RENAMED_FROM in column.info:
                renamed_columns[name, column.name] = str(column.info[RENAMED_FROM])
            texts["type", name, column.name] = compiler.type(column)
            texts["default", name, column.name] = compiler.default(column)
            if column.computed is not None:
                text = compiler.expression(column.computed.sqltext)
                texts["generated", name, column.name] = text
        texts |= {("check", name, check): text for check, text in _checks(table, compiler)}
        for index in table.indexes:
            if index.name is not None:
                indexes[name, str(index.name)] = compiler.index(index)
    texts |= _domains(tables.values(), compiler)
    return Hints(
        texts={key: text for key, text in texts.items() if text is not None},
        indexes=indexes,
        renamed_tables={
            name: str(table.info[RENAMED_FROM])
            for name, table in tables.items()
            if RENAMED_FROM in table.info
        },
        renamed_columns=renamed_columns,
        unclaimed={name: home for item in owned for name, home in item.unclaimed.items()},
    )


def _checks(table: Table, compiler: "_Compiler") -> Iterator[tuple[str, str]]:
    """Yield names and texts of the checks of *table* and of its columns.

    PostgreSQL names an unnamed check after its table and its only column, and numbers duplicates.
    A wrong guess fails the proof, and the catalog's text is used.
    """
    at_columns = (item for column in table.columns for item in column.constraints)
    unnamed: list[str] = []
    for constraint in (*at_columns, *table._sorted_constraints):  # the order of CREATE TABLE
        if isinstance(constraint, CheckConstraint) and not isinstance(constraint, UniqueConstraint):
            name = compiler.constraint_name(constraint)
            text = compiler.expression(constraint.sqltext)
            if name is not None and text is not None:
                yield name, text
            elif text is not None:
                unnamed.append(text)
    numbers: Counter[str] = Counter()
    for text in unnamed:
        words = set(_NAME.findall(_LITERAL.sub("", text)))
        columns = [column.name for column in table.columns if column.name in words]
        name = "_".join((table.name, *(columns if len(columns) == 1 else ()), "check"))
        yield f"{name}{numbers[name] or ''}", text
        numbers[name] += 1


def _domains(tables: Iterable[Table], compiler: "_Compiler") -> Iterator[tuple[TextKey, str]]:
    """Yield the checks of the domains that columns have."""
    for column in (column for table in tables for column in table.columns):
        check = getattr(column.type, "check", None)
        text = compiler.expression(check) if isinstance(check, ClauseElement) else None
        if text is not None and isinstance(name := getattr(column.type, "name", None), str):
            chosen = getattr(column.type, "constraint_name", None) or f"{name}_check"
            domain = QualifiedName(getattr(column.type, "schema", None), name)
            yield ("check", domain, str(chosen)), text


class _Compiler:
    """SQLAlchemy's compilers for one database kind. Their errors become ``None``."""

    def __init__(self, url: str) -> None:
        self._dialect = create_mock_engine(url, lambda *_: None).dialect
        self._ddl: Any = self._dialect.ddl_compiler(self._dialect, None)  # type: ignore[arg-type]

    def type(self, column: Column[Any]) -> str | None:
        """Return a type such as ``VARCHAR(50)``; ``None`` for user-defined types."""
        try:
            text = self._dialect.type_compiler_instance.process(column.type, type_expression=column)
        except SQLAlchemyError:
            return None
        return str(text) if _PLAIN_TYPE.fullmatch(text) else None

    def default(self, column: Column[Any]) -> str | None:
        """Return the server default, without DEFAULT."""
        if not isinstance(column.server_default, DefaultClause):
            return None
        try:
            return str(self._ddl.get_column_default_string(column))
        except SQLAlchemyError:
            return None

    def expression(self, element: Any) -> str | None:
        """Return an expression with literal values."""
        try:
            return str(
                self._ddl.sql_compiler.process(element, include_table=False, literal_binds=True)
            )
        except SQLAlchemyError:
            return None

    def constraint_name(self, constraint: CheckConstraint) -> str | None:
        """Return the name after naming conventions; ``None`` if the server chooses it."""
        if constraint.name is None:  # and no naming convention applies
            return None
        name = self._ddl.preparer.format_constraint(constraint, _alembic_quote=False)
        return str(name) if name is not None else None

    def index(self, index: Index) -> IndexExpressions:
        """Return the expressions of an index, without plain columns and ordered keys."""
        options = index.dialect_options[self._dialect.name]
        where = options.get("where")
        if where is not None and not isinstance(where, str):
            where = self.expression(where)
        return IndexExpressions(
            keys=tuple(self._index_key(key) for key in index.expressions), where=where
        )

    def _index_key(self, key: Any) -> str | None:
        if isinstance(key, ColumnClause | Column | UnaryExpression | str):
            return None
        text = self.expression(key)
        return None if text is None or _MORE_THAN_EXPRESSION.search(text) else text
