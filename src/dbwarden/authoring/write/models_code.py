"""Write a module of SQLAlchemy 2.0 models from a schema. Pure.

:func:`module` takes objects that models cannot express as SQL that runs before and after the
tables.
"""

import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from dbwarden.authoring.write import models_sqlite as code_sqlite
from dbwarden.authoring.write import models_types as code_types
from dbwarden.authoring.write.models_idioms import (
    NO_IDIOMS,
    Idioms,
    circles_of,
    idioms_of,
    strip_parentheses,
)
from dbwarden.authoring.write.models_types import CodeType, code_type, import_lines, with_collation
from dbwarden.quoting import quoted
from dbwarden.schema import (
    Column,
    ForeignKey,
    Index,
    IndexColumn,
    QualifiedName,
    Schema,
    Table,
    Unique,
    object_name,
)

_RESERVED = {"metadata", "registry", "id_", "type_"}
# A column with such a name would shadow a name that later columns use.
_RESERVED |= {"text", "datetime", "uuid", "mapped_column", "Mapped", "Raw", "Any", "Decimal"}
_RESERVED |= {"Identity", "Computed", "ARRAY", "Enum"} | code_types.NAMES | code_sqlite.NAMES


@dataclass(slots=True)
class _Module:
    """The code so far, and what it has to import."""

    schema: Schema
    idiomatic: bool
    circles: frozenset[QualifiedName]
    imports: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    raw: bool = False
    names: set[str] = field(default_factory=lambda: {"Base", "Raw"})

    def use(self, home: str, name: str) -> str:
        if home:
            self.imports[home].add(name)
        self.raw = self.raw or name == "Raw"
        return name

    def idioms(self, table: Table) -> Idioms:
        """Return the parts of *table* that are written at its columns."""
        return idioms_of(self.schema, table, self.circles) if self.idiomatic else NO_IDIOMS

    @property
    def sqlite(self) -> bool:
        match self.schema.dialect:
            case "sqlite":
                return True
            case "postgresql":
                return False
            case kind:
                assert_never(kind)

    def type(self, column: Column) -> CodeType:
        lite = code_sqlite.type_of(column) if self.sqlite else None
        code = lite or code_type(column.type, self.schema)
        for home, name in code.imports:
            self.use(home, name)
        return code

    def text(self, sql: str) -> str:
        return f"{self.use('sqlalchemy', 'text')}({escape_text(sql)!r})"


def escape_text(sql: str) -> str:
    """Escape *sql* for ``text()``, which treats ``:name`` as a parameter."""
    return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", sql)


def module(
    schema: Schema,
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    idiomatic: bool = False,
) -> str:
    """Return the text of the module.

    Args:
        schema: The tables become classes.
        idiomatic: Write keys, foreign keys and indexes at columns where possible.
        before: Statements that create what the tables need.
        after: Statements that create what models cannot express.
    """
    code = _Module(schema, idiomatic, circles_of(schema))
    code.use("sqlalchemy.orm", "DeclarativeBase")
    body = [
        line
        for table in schema.tables
        if table.partition_of is None and not table.inherits and table.virtual is None
        for line in _table(code, table)
    ]
    body += _events(code, "before_create", before)
    body += _events(code, "after_create", after)
    if code.raw:
        code.use("sqlalchemy.types", "UserDefinedType")
        code.use("typing", "Any")
    head = ['"""Models of an existing database."""', "", *import_lines(code.imports)]
    base = ["", "", "class Base(DeclarativeBase):", '    """Base class of all models."""', ""]
    raw = code_types.RAW_CLASS.splitlines() if code.raw else []
    return "\n".join([*head, *base, *raw, *body]).rstrip("\n") + "\n"


def _events(code: _Module, when: str, statements: Sequence[str]) -> Iterator[str]:
    for statement in statements:
        code.use("sqlalchemy", "DDL")
        code.use("sqlalchemy", "event")
        doubled = statement.replace("%", "%%")
        yield ""
        yield f"event.listen(Base.metadata, {when!r}, DDL({doubled!r}))"


def _table(code: _Module, table: Table) -> Iterator[str]:
    if table.primary_key is None:
        yield from _plain_table(code, table)
        return
    code.use("sqlalchemy.orm", "Mapped")
    code.use("sqlalchemy.orm", "mapped_column")
    yield from ("", f"class {_class_name(code, table.name)}(Base):")
    yield f"    __tablename__ = {table.name.name!r}"
    idioms = code.idioms(table)
    yield from _table_args(code, table, idioms)
    yield ""
    names: set[str] = set()
    for column in table.columns:
        yield f"    {_attribute(code, table, column, names, idioms)}"
    yield ""


def _plain_table(code: _Module, table: Table) -> Iterator[str]:
    """Yield the code of a table without a primary key, which cannot be a class."""
    code.use("sqlalchemy", "Table")
    code.use("sqlalchemy", "Column")
    yield ""
    variable = "t_" + re.sub(r"\W", "_", table.name.name.lower())
    yield f"{_free(code, variable, table.name)} = Table("
    yield f"    {table.name.name!r},"
    yield "    Base.metadata,"
    for column in table.columns:
        yield f"    Column({', '.join(_arguments(code, table, column, named=True))}),"
    yield from (f"    {item}," for item in _items(code, table, NO_IDIOMS))
    yield from (f"    {item}," for item in _keywords(code, table))
    yield ")"
    yield ""


def _class_name(code: _Module, name: QualifiedName) -> str:
    words = re.findall(r"[A-Za-z0-9]+", name.name) or ["Table"]
    name_in_code = "".join(word[:1].upper() + word[1:] for word in words)
    return _free(code, name_in_code if name_in_code[0].isalpha() else f"T{name_in_code}", name)


def _free(code: _Module, name_in_code: str, name: QualifiedName) -> str:
    if name_in_code in code.names and name.namespace:
        name_in_code = f"{name_in_code}_{re.sub(r'[^A-Za-z0-9]', '_', name.namespace)}"
    while name_in_code in code.names:
        name_in_code += "_"
    code.names.add(name_in_code)
    return name_in_code


def _attribute(code: _Module, table: Table, column: Column, names: set[str], idioms: Idioms) -> str:
    name = re.sub(r"\W", "_", column.name)
    if not name.isidentifier() or keyword.iskeyword(name) or name in _RESERVED or name in names:
        name = f"c_{name}"
    if name.startswith("__"):
        name = f"c{name}"
    names.add(name)
    annotation = code.type(column).annotation
    optional = "" if column.not_null else " | None"
    in_key = column.name in (table.primary_key.columns if table.primary_key else ())
    known = code.idiomatic and (
        in_key or (re.fullmatch(r"[\w.]+", annotation) and annotation != "Any")
    )
    arguments = _arguments(
        code, table, column, named=name != column.name, idioms=idioms, nullable=not known
    )
    return f"{name}: Mapped[{annotation}{optional}] = mapped_column({', '.join(arguments)})"


def _arguments(
    code: _Module,
    table: Table,
    column: Column,
    *,
    named: bool,
    idioms: Idioms = NO_IDIOMS,
    nullable: bool = True,
) -> Iterator[str]:
    """Yield the arguments of a column; with *nullable*, also its nullability."""
    if named:
        yield repr(column.name)
    expression = code.type(column).expression
    if column.collation is not None:
        expression = with_collation(expression, column.collation)
    yield expression
    if (link := idioms.foreign_keys.get(column.name)) is not None:
        yield _link(code, link)
    yield from _computed(code, table, column)
    yield from idioms.words(table, column.name)
    if not nullable:
        pass
    elif not column.not_null:
        yield "nullable=True"
    elif table.primary_key is None or column.name not in table.primary_key.columns:
        yield "nullable=False"
    if column.comment is not None:
        yield f"comment={column.comment!r}"
    yield from code_sqlite.column_options(column)


def _computed(code: _Module, table: Table, column: Column) -> Iterator[str]:
    if column.identity is not None:
        yield f"{code.use('sqlalchemy', 'Identity')}(always={column.identity.always})"
    elif column.generated is not None:
        text = escape_text(column.generated.expression)
        stored = column.generated.stored
        yield f"{code.use('sqlalchemy', 'Computed')}({text!r}, persisted={stored})"
    elif is_serial(table, column):
        return
    elif column.default is not None:
        default = code_sqlite.default_text(column.default) if code.sqlite else column.default
        yield f"server_default={code.text(default)}"
    if _counts_by_itself(table, column):
        yield "autoincrement=False"


def is_serial(table: Table, column: Column) -> bool:
    """Return whether SQLAlchemy makes this column SERIAL by itself."""
    key = table.primary_key
    if (
        key is None
        or key.columns != (column.name,)
        or any(column.name in foreign.columns for foreign in table.foreign_keys)
    ):
        return False
    own = object_name(table.name.name, column.name, "seq")
    return (column.default or "").startswith("nextval(") and own in (column.default or "")


def _counts_by_itself(table: Table, column: Column) -> bool:
    key = table.primary_key
    numbers = ("smallint", "integer", "bigint")
    if key is None or key.columns != (column.name,) or column.type not in numbers:
        return False
    return column.identity is None and not is_serial(table, column)


def _table_args(code: _Module, table: Table, idioms: Idioms) -> Iterator[str]:
    items = list(_items(code, table, idioms))
    words = dict(item.split("=", 1) for item in _keywords(code, table))
    if not items and not words:
        return
    yield "    __table_args__ = ("
    yield from (f"        {item}," for item in items)
    if words:
        inside = ", ".join(f"{name!r}: {value}" for name, value in words.items())
        yield f"        {{{inside}}},"
    yield "    )"


def _keywords(code: _Module, table: Table) -> Iterator[str]:
    if table.name.namespace not in (None, code.schema.default_namespace):
        yield f"schema={table.name.namespace!r}"
    if table.comment is not None:
        yield f"comment={table.comment!r}"
    if table.partition_by is not None:
        yield f"postgresql_partition_by={table.partition_by!r}"
    yield from code_sqlite.table_options(table)


def _items(code: _Module, table: Table, idioms: Idioms) -> Iterator[str]:
    key = table.primary_key
    if key is not None and not idioms.key:
        name = code.use("sqlalchemy", "PrimaryKeyConstraint")
        yield f"{name}({_listed(key.columns)}, name={key.name!r}{code_sqlite.key_options(key)})"
    for unique in table.uniques:
        if unique not in idioms.uniques.values():
            yield _unique(code, unique)
    for check in table.checks:
        name = code.use("sqlalchemy", "CheckConstraint")
        yield f"{name}({escape_text(strip_parentheses(check.expression))!r}, name={check.name!r})"
    for foreign in table.foreign_keys:
        if foreign in idioms.foreign_keys.values():
            continue
        if not code.sqlite or code_sqlite.resolves(code.schema, foreign):
            yield _foreign_key(code, foreign, table.name)
    for index in table.indexes:
        if index.valid and index not in idioms.indexes.values():
            yield _index(code, index)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _deferral(deferrable: str | None) -> str:
    if deferrable is None:
        return ""
    return ", deferrable=True" + (", initially='DEFERRED'" if deferrable == "deferred" else "")


def _unique(code: _Module, unique: Unique) -> str:
    word = code.use("sqlalchemy", "UniqueConstraint")
    options = _deferral(unique.deferrable) + code_sqlite.key_options(unique)
    return f"{word}({_listed(unique.columns)}, name={unique.name!r}{options})"


def _link(code: _Module, key: ForeignKey) -> str:
    """Return a foreign key of one column, written at that column."""
    (referred,) = _referred(code, key)
    return f"{code.use('sqlalchemy', 'ForeignKey')}({referred!r}{_actions(key)})"


def _referred(code: _Module, key: ForeignKey) -> list[str]:
    target = key.references.name
    if key.references.namespace not in (None, code.schema.default_namespace):
        target = str(key.references)
    return [f"{target}.{name}" for name in key.referred_columns]


def _foreign_key(code: _Module, key: ForeignKey, table: QualifiedName) -> str:
    word = code.use("sqlalchemy", "ForeignKeyConstraint")
    text = f"{word}([{_listed(key.columns)}], [{_listed(_referred(code, key))}], name={key.name!r}"
    text += _actions(key)
    if key.match != "SIMPLE":
        text += f", match={key.match!r}"
    text += _deferral(key.deferrable)
    circle = {table, key.references} <= code.circles or not code.idiomatic
    return f"{text}{', use_alter=True' if circle else ''})"


def _actions(key: ForeignKey) -> str:
    text = ""
    if key.on_delete != "NO ACTION" and not key.on_delete_columns:
        text += f", ondelete={key.on_delete!r}"
    if key.on_update != "NO ACTION":
        text += f", onupdate={key.on_update!r}"
    return text


def _index(code: _Module, index: Index) -> str:
    word = code.use("sqlalchemy", "Index")
    parts = [repr(index.name), *(_index_key(code, key) for key in index.columns)]
    if index.unique:
        parts.append("unique=True")
    if index.method != "btree":
        parts.append(f"postgresql_using={index.method!r}")
    if index.where is not None:
        parts.append(f"{code.schema.dialect}_where={code.text(index.where)}")
    if index.include:
        parts.append(f"postgresql_include=[{_listed(index.include)}]")
    if index.nulls_not_distinct:
        parts.append("postgresql_nulls_not_distinct=True")
    if index.parameters:
        parts.append(f"postgresql_with={dict(index.parameters)!r}")
    return f"{word}({', '.join(parts)})"


def _index_key(code: _Module, key: IndexColumn) -> str:
    plain = (key.operator_class, key.collation, key.descending, key.nulls_first)
    if key.column is not None and plain == (None, None, False, False):
        return repr(key.column)
    text = quoted(key.column) if key.column is not None else key.expression or ""
    if key.collation is not None:
        text += f" COLLATE {key.collation}"
    if key.operator_class is not None:
        text += f" {key.operator_class}"
    if key.descending:
        text += " DESC" if key.nulls_first or code.sqlite else " DESC NULLS LAST"
    elif key.nulls_first:
        text += " NULLS FIRST"
    return code.text(text)
