"""Parse ``CREATE TABLE`` as SQLite does (https://sqlite.org/lang_createtable.html). Pure.

PRAGMAs do not report checks, names of constraints, deferral, conflict actions and generation
expressions.
"""

from dataclasses import dataclass, field, replace

from dbwarden.dialects.sqlite.catalog.cursor import KeyClause, TokenCursor, Tokens, parse_keys
from dbwarden.dialects.sqlite.catalog.tokens import name_token
from dbwarden.schema import Deferral, ForeignKey, QualifiedName

_ENDS_TYPE = frozenset(
    {
        *("CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE"),
        *("REFERENCES", "AS", "DEFERRABLE"),
    }
)
_TABLE_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedKey:
    """A primary key (``primary``) or unique constraint; ``inline`` if declared at its column."""

    name: str | None
    keys: tuple[KeyClause, ...]
    primary: bool
    inline: bool
    on_conflict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCheck:
    """A check."""

    name: str | None
    expression: Tokens


ParsedConstraint = ParsedKey | ParsedCheck | ForeignKey
"""A foreign key is as written; without referred columns it refers to the primary key."""


@dataclass(slots=True, kw_only=True)
class ParsedColumn:
    """One column."""

    name: str
    type: Tokens = ()
    collation: str | None = None
    not_null: bool = False
    not_null_conflict: str | None = None
    default: Tokens | None = None
    generated: Tokens | None = None
    stored: bool = False


@dataclass(slots=True, kw_only=True)
class ParsedTable:
    """A whole table."""

    columns: list[ParsedColumn] = field(default_factory=list)
    constraints: list[ParsedConstraint] = field(default_factory=list)
    autoincrement: bool = False
    without_rowid: bool = False
    strict: bool = False


def parse_table(text: str) -> ParsedTable:
    """Parse a ``CREATE TABLE`` statement of the catalog.

    Raises:
        Unreadable: It cannot be parsed; names the position.
    """
    return _Parser(text).table()


class _Parser(TokenCursor):
    """A parser of one ``CREATE TABLE``."""

    def table(self) -> ParsedTable:
        self.result = ParsedTable()
        self.expect("CREATE")
        self.expect("TABLE")
        self.take("IF", "NOT", "EXISTS")
        self.qualified_name()
        self.expect("(")
        self._column()
        while self.take(",") and not (self.ahead and self.ahead.is_(*_TABLE_CONSTRAINTS)):
            self._column()
        self._constraints()
        self.expect(")")
        self._options()
        self.take(";")
        if self.ahead is not None:
            raise self.unexpected()
        return self.result

    def _column(self) -> None:
        column = ParsedColumn(name=self.name())
        self.result.columns.append(column)
        column.type = self._type()
        name: str | None = None
        while self.ahead is not None and not (self.is_at(",") or self.is_at(")")):
            if self.take("CONSTRAINT"):
                name = self.name()
            else:
                self._column_constraint(column, name)
                name = None

    def _type(self) -> Tokens:
        start = self.place
        while (token := self.ahead) is not None and token.kind in ("word", "name", "string"):
            if token.is_(*_ENDS_TYPE) or self.is_at("GENERATED", "ALWAYS"):
                break
            self.place += 1
        if self.place > start and self.is_at("("):
            self.take_parentheses()
        return self.tokens[start : self.place]

    def _column_constraint(self, column: ParsedColumn, name: str | None) -> None:
        if self.take("NOT", "NULL"):
            column.not_null, column.not_null_conflict = True, self.conflict()
        elif self.take("NULL"):
            self.conflict()
        elif self.take("PRIMARY", "KEY"):
            self._inline_key(column, name, primary=True)
        elif self.take("UNIQUE"):
            self._inline_key(column, name, primary=False)
        elif self.take("CHECK"):
            self._check(name)
        elif self.take("DEFAULT"):
            column.default = self._default()
        elif self.take("COLLATE"):
            column.collation = self.name()
        elif self.is_at("REFERENCES"):
            self._references(name, (column.name,))
        elif self.is_at("DEFERRABLE") or self.is_at("NOT", "DEFERRABLE"):
            self._defer_previous_key()
        elif self.take("GENERATED", "ALWAYS", "AS") or self.take("AS"):
            column.generated = self.take_parentheses()
            column.stored = self.take("STORED")
            self.take("VIRTUAL")
        else:
            raise self.unexpected()

    def _inline_key(self, column: ParsedColumn, name: str | None, *, primary: bool) -> None:
        descending = primary and self.take("DESC")
        if primary:
            self.take("ASC")
        conflict = self.conflict()
        if primary and self.take("AUTOINCREMENT"):
            self.result.autoincrement = True
        value = (name_token(column.name),)
        self.result.constraints.append(
            ParsedKey(
                name=name,
                keys=(KeyClause(value=value, descending=descending),),
                primary=primary,
                inline=True,
                on_conflict=conflict,
            )
        )

    def _check(self, name: str | None) -> None:
        self.result.constraints.append(ParsedCheck(name=name, expression=self.take_parentheses()))

    def _default(self) -> Tokens:
        start = self.place
        if self.is_at("("):
            return self.take_parentheses()
        if self.is_at("+") or self.is_at("-"):
            self.next()
        self.next()
        return self.tokens[start : self.place]

    def _references(self, name: str | None, columns: tuple[str, ...]) -> None:
        self.expect("REFERENCES")
        references = QualifiedName(None, self.name())
        referred = self._names(self.take_parentheses()) if self.is_at("(") else ()
        actions = {"DELETE": "NO ACTION", "UPDATE": "NO ACTION", "INSERT": ""}
        match = "SIMPLE"
        while self.is_at("ON") or self.is_at("MATCH"):
            if self.take("MATCH"):
                match = self.name().upper()
            else:
                self.expect("ON")
                event = self.take_one_of(*actions)
                actions[event] = self._action()
        self.result.constraints.append(
            ForeignKey(
                name=name,
                columns=columns,
                references=references,
                referred_columns=referred,
                on_update=actions["UPDATE"],
                on_delete=actions["DELETE"],
                match=match,
                deferrable=self._deferral(),
            )
        )

    def _action(self) -> str:
        for words in (("SET", "NULL"), ("SET", "DEFAULT"), ("NO", "ACTION")):
            if self.take(*words):
                return " ".join(words)
        return self.take_one_of("CASCADE", "RESTRICT")

    def _deferral(self) -> Deferral | None:
        never = self.take("NOT", "DEFERRABLE")
        if not never and not self.take("DEFERRABLE"):
            return None
        deferred = False
        if self.take("INITIALLY"):
            deferred = self.take_one_of("DEFERRED", "IMMEDIATE") == "DEFERRED"
        if never:
            return None
        return "deferred" if deferred else "immediate"

    def _defer_previous_key(self) -> None:
        """Apply a separate deferral clause to the preceding foreign key."""
        key = self.result.constraints[-1] if self.result.constraints else None
        deferral = self._deferral()
        if isinstance(key, ForeignKey):
            self.result.constraints[-1] = replace(key, deferrable=deferral)

    def _names(self, keys: Tokens) -> tuple[str, ...]:
        return tuple(key.value[0].name for key in parse_keys(keys))

    def _constraints(self) -> None:
        name: str | None = None
        while self.ahead is not None and not self.is_at(")"):
            if self.take("CONSTRAINT"):
                name = self.name()
                continue
            if self.take(","):
                continue
            self._table_constraint(name)
            name = None

    def _table_constraint(self, name: str | None) -> None:
        if self.take("PRIMARY", "KEY"):
            self._table_key(name, primary=True)
        elif self.take("UNIQUE"):
            self._table_key(name, primary=False)
        elif self.take("CHECK"):
            self._check(name)
            self.conflict()
        elif self.take("FOREIGN", "KEY"):
            self._references(name, self._names(self.take_parentheses()))
        else:
            raise self.unexpected()

    def _table_key(self, name: str | None, *, primary: bool) -> None:
        inside = self.take_parentheses()
        if primary and inside and inside[-1].is_("AUTOINCREMENT"):
            self.result.autoincrement, inside = True, inside[:-1]
        self.result.constraints.append(
            ParsedKey(
                name=name,
                keys=parse_keys(inside),
                primary=primary,
                inline=False,
                on_conflict=self.conflict(),
            )
        )

    def _options(self) -> None:
        while self.ahead is not None and not self.is_at(";"):
            if self.take("WITHOUT", "ROWID"):
                self.result.without_rowid = True
            elif self.take("STRICT"):
                self.result.strict = True
            else:
                raise self.unexpected()
            self.take(",")
