"""Convert parsed statements to tables of a schema, in normalized form. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from dbwarden.dialects.sqlite.catalog.cursor import KeyClause, TokenCursor, Tokens, parse_keys
from dbwarden.dialects.sqlite.catalog.expressions import (
    columns_by_name,
    columns_in,
    expression,
    join_spelled,
    strip_parentheses,
)
from dbwarden.dialects.sqlite.catalog.grammar import (
    ParsedCheck,
    ParsedColumn,
    ParsedConstraint,
    ParsedKey,
    ParsedTable,
    parse_table,
)
from dbwarden.dialects.sqlite.catalog.tokens import Ambiguous, Token
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.quoting import text_literal
from dbwarden.schema import (
    Check,
    Column,
    Constraint,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Table,
    Unique,
)
from dbwarden.schema.tables import Parameters

ON_CONFLICT = "on conflict"
"""Parameter of a primary key or unique constraint: ``REPLACE``, ``IGNORE`` ..."""
NOT_NULL_ON_CONFLICT = "not null on conflict"
"""Parameter of a column: the same for its NOT NULL."""
KEYS = "columns"
"""Parameter of a primary key or unique constraint whose keys have an order or a collation: the
text between its parentheses, ``"a DESC, b COLLATE NOCASE"``."""

_BUILT_IN = ("BINARY", "NOCASE", "RTRIM")
_VALUES = ("NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP")

C = TypeVar("C", bound=Constraint)


def name_of(name: str) -> QualifiedName:
    """Return the name of a table or view; SQLite has no namespaces."""
    return QualifiedName(None, name)


def table(name: str, text: str) -> Table:
    """Return the table of ``CREATE TABLE`` statement *text*, with foreign keys as written.

    Raises:
        Unreadable: It cannot be parsed.
    """
    return _Maker(name, parse_table(text)).table()


class _Maker:
    """Converts one parsed table."""

    def __init__(self, name: str, parsed: ParsedTable) -> None:
        self.name = name
        self.parsed = parsed
        self.columns = columns_by_name(column.name for column in parsed.columns)
        self.names: set[str] = set()
        keys = (c for c in parsed.constraints if isinstance(c, ParsedKey))
        self.key = next((key for key in keys if key.primary), None)
        self.rowid_alias = self._rowid_alias()

    def table(self) -> Table:
        constraints = [self._constraint(parsed) for parsed in self.parsed.constraints]
        return Table(
            name=name_of(self.name),
            columns=tuple(self._column(column) for column in self.parsed.columns),
            primary_key=next((c for c in constraints if isinstance(c, PrimaryKey)), None),
            uniques=_sorted(c for c in constraints if isinstance(c, Unique)),
            foreign_keys=tuple(c for c in constraints if isinstance(c, ForeignKey)),
            checks=_sorted(c for c in constraints if isinstance(c, Check)),
            strict=self.parsed.strict,
            without_rowid=self.parsed.without_rowid,
            autoincrement=self.parsed.autoincrement,
        )

    def _declared(self, name: str) -> str:
        return self.columns.get(name.lower(), name)

    def _rowid_alias(self) -> str | None:
        """Return the column that is an alias of the rowid."""
        key = self.key
        if key is None or len(key.keys) != 1 or self.parsed.without_rowid:
            return None
        name = self._declared(key.keys[0].value[0].name)
        column = next((c for c in self.parsed.columns if c.name == name), None)
        if column is None or type_text(column.type) != "INTEGER":
            return None
        # A quirk of SQLite: DESC at the column prevents the alias, in a table constraint not.
        return None if key.inline and key.keys[0].descending else name

    def _column(self, parsed: ParsedColumn) -> Column:
        conflict = parsed.not_null_conflict
        return Column(
            name=parsed.name,
            type=type_text(parsed.type),
            collation=collation_text(parsed.collation),
            not_null=parsed.not_null or self._is_never_null(parsed.name),
            default=_default(parsed.default),
            generated=self._generated(parsed),
            parameters=((NOT_NULL_ON_CONFLICT, conflict),) if conflict else (),
        )

    def _is_never_null(self, name: str) -> bool:
        """Return whether a column rejects NULL without being declared NOT NULL."""
        if name == self.rowid_alias:
            return True
        if self.key is None:
            return False
        ours = {self._declared(key.value[0].name) for key in self.key.keys}
        return name in ours and (self.parsed.without_rowid or self.parsed.strict)

    def _generated(self, parsed: ParsedColumn) -> Generated | None:
        if parsed.generated is None:
            return None
        text = expression(parsed.generated, self.columns)
        return Generated(expression=text, stored=parsed.stored)

    def _unique_name(self, name: str | None) -> str | None:
        """Return *name*, or ``None`` if another constraint has it, which SQLite allows."""
        if name is None or name in self.names:
            return None
        self.names.add(name)
        return name

    def _constraint(self, parsed: ParsedConstraint) -> Constraint:
        name = self._unique_name(parsed.name)
        match parsed:
            case ParsedKey():
                return self._key(parsed, name)
            case ParsedCheck():
                tokens = _unqualified(strip_parentheses(parsed.expression), self.name)
                return Check(
                    name=name,
                    expression=expression(tokens, self.columns),
                    columns=columns_in(tokens, self.columns),
                )
            case ForeignKey():
                return replace(
                    parsed, name=name, columns=tuple(map(self._declared, parsed.columns))
                )

    def _key(self, parsed: ParsedKey, name: str | None) -> PrimaryKey | Unique:
        columns = tuple(self._declared(key.value[0].name) for key in parsed.keys)
        parameters = self._parameters(parsed, columns)
        if parsed.primary:
            return PrimaryKey(name=name, columns=columns, parameters=parameters)
        return Unique(name=name, columns=columns, parameters=parameters)

    def _parameters(self, parsed: ParsedKey, columns: Sequence[str]) -> Parameters:
        parameters = []
        is_rowid = parsed.primary and self.rowid_alias is not None
        special = any(key.descending or self._own_collation(key) for key in parsed.keys)
        if special and not is_rowid:
            pairs = zip(parsed.keys, columns, strict=True)
            parameters.append((KEYS, ", ".join(self._key_text(key, name) for key, name in pairs)))
        if parsed.on_conflict:
            parameters.append((ON_CONFLICT, parsed.on_conflict))
        return tuple(parameters)

    def _own_collation(self, key: KeyClause) -> str | None:
        """Return the collation of a key if it is not its column's."""
        own = collation_text(key.collation) or "BINARY"
        if key.collation is None or own == self._collation_of(key.value[0].name):
            return None
        return own

    def _collation_of(self, column: str) -> str:
        named = self._declared(column)
        parsed = next((c for c in self.parsed.columns if c.name == named), None)
        return (collation_text(parsed.collation) if parsed else None) or "BINARY"

    def _key_text(self, key: KeyClause, name: str) -> str:
        collation = self._own_collation(key)
        text = identifier(name)
        text += f" COLLATE {identifier(collation)}" if collation else ""
        return f"{text} DESC" if key.descending else text


def _unqualified(tokens: Tokens, table: str) -> Tokens:
    """Return *tokens* without ``table.`` before its columns: the table is renamed during a rebuild.

    A name after a dot is not changed.
    """
    result: list[Token] = []
    for place, token in enumerate(tokens):
        if _qualifies(tokens, place, table) or (place and _qualifies(tokens, place - 1, table)):
            continue
        result.append(token)
    return result


def _qualifies(tokens: Tokens, place: int, table: str) -> bool:
    token = tokens[place]
    dotted = place + 1 < len(tokens) and tokens[place + 1].is_(".")
    inside = place > 0 and tokens[place - 1].is_(".")
    named = token.kind in ("word", "name") and token.name.lower() == table.lower()
    return named and dotted and not inside


def _sorted(constraints: Iterable[C]) -> tuple[C, ...]:
    """Sort constraints by their keys, without duplicates.

    Raises:
        Ambiguous: Two different constraints have the same key.
    """
    by_key: dict[str, C] = {}
    for item in constraints:
        key = item.key
        if by_key.setdefault(key, item) != item:
            raise Ambiguous(f"two constraints {key}")
    return tuple(by_key[key] for key in sorted(by_key))


def type_text(tokens: Tokens) -> str:
    """Return a declared type in capitals, with single blanks and quoted words unchanged."""
    words = (token.text.upper() if token.kind == "word" else token.text for token in tokens)
    return join_spelled(list(zip(tokens, words, strict=True)))


def collation_text(name: str | None) -> str | None:
    """Return a collation's name; ``None`` for SQLite's default."""
    if name is None or name.upper() == "BINARY":
        return None
    return name.upper() if name.upper() in _BUILT_IN else name


def _default(tokens: Tokens | None) -> str | None:
    """Return a default without parentheses; a single name is a text, as in SQLite."""
    if tokens is None:
        return None
    tokens = strip_parentheses(tokens)
    if len(tokens) == 1 and tokens[0].kind in ("word", "name"):
        word = tokens[0]
        if word.kind == "word" and word.text.upper() in _VALUES:
            return word.text.upper()
        return text_literal(word.name)
    if len(tokens) == 2 and tokens[0].is_("+") and tokens[1].kind == "number":
        tokens = tokens[1:]
    return expression(tokens, {})


def index(text: str, of: Table) -> Index:
    """Return the index on table *of* that ``CREATE INDEX`` statement *text* creates.

    Raises:
        Unreadable: It cannot be parsed.
    """
    cursor = TokenCursor(text)
    cursor.expect("CREATE")
    unique = cursor.take("UNIQUE")
    cursor.expect("INDEX")
    cursor.take("IF", "NOT", "EXISTS")
    name = cursor.qualified_name()
    cursor.expect("ON")
    cursor.name()
    columns = columns_by_name(column.name for column in of.columns)
    keys = tuple(_index_key(key, of, columns) for key in parse_keys(cursor.take_parentheses()))
    where = None
    if cursor.take("WHERE"):
        rest = [token for token in cursor.tokens[cursor.place :] if not token.is_(";")]
        where = expression(rest, columns)
    elif cursor.ahead is not None and not cursor.is_at(";"):
        raise cursor.unexpected()
    return Index(name=name, columns=keys, unique=unique, where=where)


def _index_key(key: KeyClause, of: Table, columns: Mapping[str, str]) -> IndexColumn:
    tokens = strip_parentheses(key.value)
    written = key.collation and (collation_text(key.collation) or "BINARY")
    column = columns.get(tokens[0].name.lower()) if len(tokens) == 1 else None
    if column is None:
        text = expression(tokens, columns)
        return IndexColumn(expression=text, collation=written, descending=key.descending)
    declared = of.column(column)
    own = (declared.collation if declared else None) or "BINARY"
    collation = None if written == own else written
    return IndexColumn(column=column, collation=collation, descending=key.descending)


def resolve_foreign_keys(table: Table, known: Mapping[str, Table]) -> Table:
    """Return *table* with the names in its foreign keys spelled as declared.

    Args:
        table: A result of :func:`table`.
        known: All tables, by their names in lower case.

    Raises:
        Ambiguous: Two different foreign keys have the same key.
    """

    def key(foreign: ForeignKey) -> ForeignKey:
        parent = known.get(foreign.references.name.lower())
        if parent is None:
            return foreign
        names = columns_by_name(column.name for column in parent.columns)
        referred = tuple(names.get(name.lower(), name) for name in foreign.referred_columns)
        primary = parent.primary_key.columns if parent.primary_key is not None else ()
        if not referred and len(primary) == len(foreign.columns):
            referred = primary
        return replace(foreign, references=parent.name, referred_columns=referred)

    return replace(table, foreign_keys=_sorted(map(key, table.foreign_keys)))
