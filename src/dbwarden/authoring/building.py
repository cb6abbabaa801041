"""The SQL with which SQLAlchemy would build what a database owns, DDL events included."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import NoInspectionAvailable, SQLAlchemyError
from sqlalchemy.schema import CreateSequence, ExecutableDDLElement
from sqlalchemy.sql.elements import TextClause

from dbwarden.authoring.models import OwnedMetadata
from dbwarden.authoring.modules import place_of
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import clean_cause, describe_error

_DROP = re.compile(r"\s*DROP\s", re.IGNORECASE)
_CREATE_SCHEMA = re.compile(r'CREATE\s+SCHEMA\s+(?:"([^"]+)"|(\w+))', re.IGNORECASE)


def statements(
    config: DatabaseConfig,
    owned: Sequence[OwnedMetadata],
    *,
    url: str,
    namespace: Callable[[str], str],
) -> tuple[str, ...]:
    """The statements, in an order that runs in an empty database.

    Args:
        config: The database.
        owned: What of which MetaData.
        url: The kind of database, as a SQLAlchemy URL.
        namespace: The SQL that makes a namespace unless it exists.

    Raises:
        ConfigurationError: The models cannot be written as SQL, or a DDL event needs a database.
    """
    spaces = sorted({space for item in owned for space in _namespaces(item)})
    found = [sql for space in spaces if (sql := namespace(space))]
    for item in owned:
        found += (sql for sql in _of_metadata(config, item, url) if not _makes(sql, spaces))
    return tuple(_once(found))


def _once(found: Iterable[str]) -> Iterator[str]:
    """Each statement once: a type that several tables use. Again where something was dropped."""
    said: set[str] = set()
    for statement in found:
        if _DROP.match(statement):
            said.clear()
        if statement not in said:
            said.add(statement)
            yield statement


def _makes(sql: str, spaces: Sequence[str]) -> bool:
    """Whether *sql*, of a DDL event, only makes a namespace that is made first anyway."""
    made = _CREATE_SCHEMA.fullmatch(sql)
    return made is not None and (made[1] or made[2].lower()) in spaces


def _namespaces(item: OwnedMetadata) -> Iterable[str]:
    yield from (table.schema for table in item.tables if table.schema)
    for named in (*item.types, *item.sequences):
        space = getattr(named, "schema", None)
        if isinstance(space, str):
            yield space


class _Recorder(MockConnection):
    """What DDL events get as their connection: it remembers what they execute."""

    def exec_driver_sql(self, statement: str, parameters: Any = None, **options: Any) -> Any:
        """The same for a statement that is for the driver as it is."""
        del options
        return self._execute_impl(statement, parameters)


def _of_metadata(config: DatabaseConfig, item: OwnedMetadata, url: str) -> list[str]:
    found: list[str] = []

    def take(element: Any, parameters: object = None) -> None:
        for values in parameters if isinstance(parameters, list | tuple) else [parameters]:
            text = _text(element, values, engine.dialect, item)
            if text is not None:
                found.append(text)

    engine = _Recorder(create_mock_engine(url, take).dialect, take)
    _check_names(config, item)
    try:
        with _as_they_were(item.metadata):
            _create_all(item.metadata, engine, item)
    except Exception as error:  # events are the project's code: anything may come out of them
        failure = _failure(config, error, item, engine.dialect)
    else:
        return found
    raise failure


def _failure(
    config: DatabaseConfig, error: Exception, item: OwnedMetadata, dialect: Any
) -> ConfigurationError:
    place = place_of(config.root, error, own=True)
    if isinstance(error, SQLAlchemyError) and not isinstance(error, NoInspectionAvailable):
        message = f"the models cannot be written as SQL: {_told(error, item, dialect)}"
        advice = "Correct the table, type or event that the message names."
    else:
        said = describe_error(error)
        message = f"a DDL event of the models cannot run without a database: {said}"
        advice = (
            "Let it only execute DDL: event.listen(metadata, 'after_create', DDL(...)). What has "
            "to ask the database first belongs into a migration by hand."
        )
    failure = ConfigurationError(
        message, database=config.database_name, location=place, next_step=advice
    )
    failure.__cause__ = clean_cause(error)
    return failure


def _told(error: SQLAlchemyError, item: OwnedMetadata, dialect: Any) -> str:
    """What SQLAlchemy says, and of which column or table: of some things it does not."""
    for table in item.tables:
        for column in table.columns:
            try:
                column.type.compile(dialect=dialect)
            except SQLAlchemyError:
                told = f"column '{column.name}'" in str(error)
                return str(error) if told else f"{table.fullname}.{column.name}: {error}"
        parts: tuple[Any, ...] = (*table.constraints, *table.indexes)
        if any(f"'{part.name}'" in str(error) for part in parts):
            return f"table {table.fullname}: {error}"
    return str(error)


def _check_names(config: DatabaseConfig, item: OwnedMetadata) -> None:
    """SQLAlchemy itself would stop at an index without a name or columns, and not say which."""
    for table in item.tables:
        for index in table.indexes:
            if index.name is None:
                columns = ", ".join(column.name for column in index.columns)
                raise ConfigurationError(
                    f"the index of table {table.fullname} on {columns} has no name",
                    database=config.database_name,
                    next_step='Name it, or give the naming_convention of its MetaData an "ix".',
                )
            if not index.expressions:
                raise ConfigurationError(
                    f"the index {index.name} of table {table.fullname} has no columns",
                    database=config.database_name,
                    next_step="Name its columns behind its name, or remove it from the model.",
                )


@contextmanager
def _as_they_were(metadata: MetaData) -> Iterator[None]:
    """Take back what DDL events do to the models, so that a second run finds what the first did.

    Events do so to suit one kind of database: another type for a column, another name for a type,
    a constraint or an index less.
    """
    tables = list(metadata.tables.values())
    columns = [(column, column.type) for table in tables for column in table.columns]
    types = [(type_, dict(vars(type_))) for _, type_ in columns]
    parts = [(table, set(table.constraints), set(table.indexes)) for table in tables]
    try:
        yield
    finally:
        for column, was in columns:
            column.type = was
        for type_, values in types:
            for name in ("name", "schema"):
                if name in values:
                    setattr(type_, name, values[name])
        for table, constraints, indexes in parts:
            table.constraints = constraints
            table.indexes = indexes


def _create_all(metadata: MetaData, engine: Any, item: OwnedMetadata) -> None:
    if item.shared:
        metadata.create_all(engine, tables=item.tables, checkfirst=False)
    else:
        metadata.create_all(engine, checkfirst=False)


def _text(element: Any, values: object, dialect: Any, item: OwnedMetadata) -> str | None:
    """The SQL of what an event or ``create_all`` executes; ``None`` for what is not of ours."""
    if isinstance(element, str):
        return element.strip().rstrip(";")
    if isinstance(element, TextClause):
        given = dict(values) if isinstance(values, Mapping) else {}
        element.compile(dialect=dialect).construct_params(given)  # refuses what has no value
        bound = element.bindparams(**given)
        literal = bound.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        return str(literal).strip().rstrip(";")
    if not isinstance(element, ExecutableDDLElement):
        return None  # rows are no part of a schema
    if item.shared and not _is_ours(element, item):
        return None
    return str(element.compile(dialect=dialect)).strip().rstrip(";")


def _is_ours(element: ExecutableDDLElement, item: OwnedMetadata) -> bool:
    """Whether a type or sequence of a shared MetaData is used by what is owned."""
    target = getattr(element, "element", None)
    if isinstance(element, CreateSequence):
        return any(target is sequence for sequence in item.sequences)
    if type(element).__name__ in ("CreateEnumType", "CreateDomainType"):
        name = (getattr(target, "schema", None), getattr(target, "name", None))
        # Boolean is such a type too, and has no namespace.
        return any((getattr(t, "schema", None), t.name) == name for t in item.types)
    return True
