"""Compile the models of a database to the SQL that SQLAlchemy would run, with DDL events."""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Index, MetaData, Table, create_mock_engine
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import NoInspectionAvailable, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable, ExecutableDDLElement
from sqlalchemy.sql.elements import TextClause

from dbwarden.authoring.collect.desired_state import Compilation, DesiredState
from dbwarden.authoring.collect.models import OwnedMetadata
from dbwarden.authoring.collect.modules import place_of
from dbwarden.authoring.collect.origins import ModelOrigin, Origins, leads_to, name_of
from dbwarden.authoring.collect.refused import KEEP_GOING, RefusedModel, needs_refused
from dbwarden.authoring.collect.set_up import SetUp
from dbwarden.authoring.collect.stand_ins import stand_ins
from dbwarden.errors import ConfigurationError
from dbwarden.schema.closure import reachable
from dbwarden.secrets import clean_cause, describe_error

_DROP = re.compile(r"\s*DROP\s", re.IGNORECASE)
_CREATE_SCHEMA = re.compile(r'CREATE\s+SCHEMA\s+(?:"([^"]+)"|(\w+))', re.IGNORECASE)


def build(how: Compilation, owned: Sequence[OwnedMetadata]) -> DesiredState:
    """Return the statements of *owned*, in an order that runs in an empty database.

    With ``keep_going``, refused parts are removed from *owned*.

    Raises:
        ConfigurationError: The models cannot be written as SQL, or a DDL event needs a database.
    """
    tables = [table.schema for item in owned for table in item.tables]
    others = [
        getattr(named, "schema", None) for item in owned for named in (*item.types, *item.sequences)
    ]
    spaces = sorted({space for space in (*tables, *others) if space and isinstance(space, str)})
    statements = [sql for space in spaces if (sql := how.dialect.namespace(space))]
    origins: dict[str, ModelOrigin] = {}
    refused: list[RefusedModel] = []
    for item in owned:
        builder = _Builder(how, item)
        for sql, origin in builder.run():
            # A DDL event may create a namespace too.
            match = _CREATE_SCHEMA.fullmatch(sql)
            if match is None or (match[1] or match[2].lower()) not in spaces:
                statements.append(sql)
                origins.setdefault(sql, origin)
        refused += builder.refused
    return DesiredState(
        statements=tuple(_unique_statements(statements)), origins=origins, refused=tuple(refused)
    )


def has_undecided_storage(tables: Iterable[Table]) -> bool:
    """Return whether the server decides if a generated column is stored (PostgreSQL 18)."""
    computed = (column.computed for table in tables for column in table.columns)
    return any(item is not None and item.persisted is None for item in computed)


def _unique_statements(statements: Iterable[str]) -> Iterator[str]:
    """Yield each statement once, or again after a DROP. Several tables may share a type."""
    known: set[str] = set()
    for statement in statements:
        if _DROP.match(statement):
            known.clear()
        if statement not in known:
            known.add(statement)
            yield statement


class _Recorder(MockConnection):
    """The connection that DDL events receive. It records the statements."""

    def exec_driver_sql(self, statement: str, parameters: Any = None, **options: Any) -> Any:
        """Record a statement that is passed to the driver unchanged."""
        del options
        return self._execute_impl(statement, parameters)


@dataclass(slots=True)
class _Builder:
    """Write one MetaData as SQL."""

    how: Compilation
    item: OwnedMetadata
    refused: list[RefusedModel] = field(default_factory=list)

    @property
    def origins(self) -> Origins:
        return Origins(self.how.config.root, self.item)

    def run(self) -> list[tuple[str, ModelOrigin]]:
        """Return each statement with its origin; with *keep_going*, without refused parts."""
        with _restoring_models(self.item.metadata), stand_ins(self.item, self.how.setup):
            while True:
                try:
                    for table in self.item.tables:
                        _check_names(table, self.origins)
                    return self._create_all()
                except _Refusal as refusal:
                    if not self.how.keep_going or not refusal.origin.refs:
                        if refusal.origin.refs:
                            refusal.error.next_step = f"{refusal.error.next_step} {KEEP_GOING}"
                        raise refusal.error from refusal.error.__cause__
                    self._leave_out(refusal)

    def _leave_out(self, refusal: "_Refusal") -> None:
        database = self.how.config.database_name
        refusal.error.database = database
        self.refused.append(RefusedModel(error=refusal.error, refs=refusal.origin.refs))
        if refusal.index is not None:
            table: Any = refusal.index.table
            table.indexes.discard(refusal.index)
        tables = self.item.tables
        missing = reachable(
            refusal.origin.tables,
            lambda name: (name_of(table) for table in tables if leads_to(table, {name})),
        )
        for table in self.item.tables:
            if name_of(table) in missing - {*refusal.origin.tables}:
                origin = self.origins.of_table(table)
                self.refused.append(needs_refused(database, origin))
        self.item.tables = [t for t in self.item.tables if name_of(t) not in missing]

    def _create_all(self) -> list[tuple[str, ModelOrigin]]:
        item, statements = self.item, list[tuple[str, ModelOrigin]]()

        def take(element: Any, parameters: object = None) -> None:
            for values in parameters if isinstance(parameters, list | tuple) else [parameters]:
                text = _text(element, values, engine.dialect, item, self.how.setup)
                if text is not None:
                    statements.append((text, self.origins.of(element)))

        dialect: Any = create_mock_engine(self.how.dialect.sqlalchemy_url, take).dialect
        if self.how.stored:
            dialect.supports_virtual_generated_columns = False  # since SQLAlchemy 2.1
        engine = _Recorder(dialect, take)
        try:
            with _restoring_models(item.metadata), warnings.catch_warnings():
                # SQLAlchemy's advice to say whether it is stored.
                warnings.filterwarnings("ignore", "Computed column")
                item.metadata.create_all(engine, tables=item.tables, checkfirst=False)
        except Exception as error:  # events are the project's code and may raise anything
            origin, index = self._guilty(engine.dialect)
            failure = _failure(self.how.config.root, error, item, engine.dialect, origin)
        else:
            return statements
        raise _Refusal(failure, origin or ModelOrigin(what="a DDL event"), index)

    def _guilty(self, dialect: Any) -> tuple[ModelOrigin | None, Index | None]:
        """Return the table or index that SQLAlchemy cannot compile, if any."""
        for table in self.item.tables:
            try:
                CreateTable(table).compile(dialect=dialect)
            except SQLAlchemyError:
                return self.origins.of_table(table), None
            for index in table.indexes:
                try:
                    CreateIndex(index).compile(dialect=dialect)
                except SQLAlchemyError:
                    return self.origins.of_index(index), index
        return None, None


class _Refusal(Exception):
    """An error, its origin, and the index that can be left out instead of the table."""

    def __init__(
        self, error: ConfigurationError, origin: ModelOrigin, index: Index | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.origin = origin
        self.index = index


def _failure(
    root: Path, error: Exception, item: OwnedMetadata, dialect: Any, origin: ModelOrigin | None
) -> ConfigurationError:
    place = place_of(root, error, own=True) or (origin.location if origin else None)
    if isinstance(error, SQLAlchemyError) and not isinstance(error, NoInspectionAvailable):
        message = f"the models cannot be written as SQL: {_describe(error, item, dialect, origin)}"
        advice = "Correct the table, type or event that the message names."
    else:
        description = describe_error(error)
        message = f"a DDL event of the models cannot run without a database: {description}"
        advice = (
            "Let it only execute DDL: event.listen(metadata, 'after_create', DDL(...)). Write SQL "
            "that depends on the database's state into a migration by hand."
        )
    failure = ConfigurationError(message, location=place, next_step=advice)
    failure.__cause__ = clean_cause(error)
    return failure


def _describe(
    error: SQLAlchemyError, item: OwnedMetadata, dialect: Any, origin: ModelOrigin | None
) -> str:
    """Return SQLAlchemy's message with the column, or else the table, that it is about."""
    for table in item.tables:
        for column in table.columns:
            try:
                column.type.compile(dialect=dialect)
            except SQLAlchemyError:
                return f"{table.fullname}.{column.name}: {error}"
    return f"{origin.what}: {error}" if origin is not None else str(error)


def _check_names(table: Table, origins: Origins) -> None:
    """Refuse an index without a name or columns, which SQLAlchemy's error would not name."""
    for index in table.indexes:
        if index.name is not None and index.expressions:
            continue
        if index.name is None:
            columns = ", ".join(column.name for column in index.columns)
            message = f"the index of table {table.fullname} on {columns} has no name"
            advice = 'Name it, or give the naming_convention of its MetaData an "ix".'
        else:
            message = f"the index {index.name} of table {table.fullname} has no columns"
            advice = "Name its columns behind its name, or remove it from the model."
        origin = origins.of_index(index)
        failure = ConfigurationError(message, location=origin.location, next_step=advice)
        raise _Refusal(failure, origin, index)


@contextmanager
def _restoring_models(metadata: MetaData) -> Iterator[None]:
    """Restore the models that DDL events changed, so that a second run starts from the same state.

    Events adapt models to a database kind: they change the type of a column or the name of a type,
    or remove a constraint or an index.
    """
    tables = list(metadata.tables.values())
    columns = [(column, column.type) for table in tables for column in table.columns]
    types = [(type_, dict(vars(type_))) for _, type_ in columns]
    parts = [(table, set(table.constraints), set(table.indexes)) for table in tables]
    try:
        yield
    finally:
        for column, type_before in columns:
            column.type = type_before
        for type_, values in types:
            for name in ("name", "schema"):
                if name in values:
                    setattr(type_, name, values[name])
        for table, constraints, indexes in parts:
            table.constraints = constraints
            table.indexes = indexes


def _text(
    element: Any, values: object, dialect: Any, item: OwnedMetadata, setup: SetUp | None
) -> str | None:
    """Return the SQL that an event or ``create_all`` executes; ``None`` for foreign objects."""
    if isinstance(element, str):
        return element.strip().rstrip(";")
    if isinstance(element, TextClause):
        arguments = dict(values) if isinstance(values, Mapping) else {}
        element.compile(dialect=dialect).construct_params(arguments)  # refuses what has no value
        bound = element.bindparams(**arguments)
        literal = bound.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        return str(literal).strip().rstrip(";")
    if not isinstance(element, ExecutableDDLElement):
        return None  # rows are no part of a schema
    if _is_in_setup(element, setup) or (item.shared and not _is_ours(element, item)):
        return None
    return str(element.compile(dialect=dialect)).strip().rstrip(";")


def _is_in_setup(element: ExecutableDDLElement, setup: SetUp | None) -> bool:
    """Return whether ``scratch_setup`` creates the type of *element*."""
    if setup is None or type(element).__name__ != "CreateEnumType":
        return False
    type_: Any = element
    return setup.has_enum(type_.element.schema, type_.element.name)


def _is_ours(element: ExecutableDDLElement, item: OwnedMetadata) -> bool:
    """Return whether owned tables use this type or sequence of a shared MetaData."""
    target = getattr(element, "element", None)
    if isinstance(element, CreateSequence):
        return any(target is sequence for sequence in item.sequences)
    if type(element).__name__ in ("CreateEnumType", "CreateDomainType"):
        name = (getattr(target, "schema", None), getattr(target, "name", None))
        # Boolean is such a type too, and has no namespace.
        return any((getattr(t, "schema", None), t.name) == name for t in item.types)
    return True
