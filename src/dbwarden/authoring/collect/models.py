"""Find the tables that a database owns, from the modules of its ``model_paths``."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData, Table, inspect
from sqlalchemy import Sequence as SQLSequence
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapper, configure_mappers
from sqlalchemy.types import SchemaType

from dbwarden.authoring.collect.modules import (
    ModuleSource,
    find_modules,
    import_source,
    names_assigned,
)
from dbwarden.authoring.collect.set_up import SetUp
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Home:
    """The module that defines a table, and the class mapped to it, if any."""

    module: str
    class_name: str | None = None


@dataclass(slots=True, kw_only=True)
class OwnedMetadata:
    """One MetaData, and the parts of it that belong to a database.

    If it is ``shared`` with other databases, its types and sequences belong to this one only if an
    owned table or module uses them. ``unclaimed`` maps tables to their modules if no database lists
    these modules.
    """

    metadata: MetaData
    tables: list[Table]
    shared: bool = False
    types: set[SchemaType] = field(default_factory=set)
    sequences: set[SQLSequence] = field(default_factory=set)
    unclaimed: dict[str, str] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)


@dataclass(slots=True)
class _Collected:
    """The contents of a database's modules."""

    names: frozenset[str]
    homes: dict[Table, str]
    tables: dict[Table, str] = field(default_factory=dict)
    others: dict[Table, str] = field(default_factory=dict)
    metadata: dict[MetaData, None] = field(default_factory=dict)
    types: set[SchemaType] = field(default_factory=set)
    sequences: set[SQLSequence] = field(default_factory=set)
    registries: set[int] = field(default_factory=set)
    classes: dict[Table, type] = field(default_factory=dict)

    def claim(self, table: Table, module: str) -> None:
        self.metadata.setdefault(table.metadata)
        owner = self.tables if module in self.names else self.others
        owner.setdefault(table, module)

    def has_module(self, table: Table) -> bool:
        return table in self.tables or table in self.others


def owned_tables(
    config: DatabaseConfig,
    siblings: Sequence[DatabaseConfig] = (),
    setup: SetUp | None = None,
) -> tuple[OwnedMetadata, ...]:
    """Import the models of *config* and return the owned tables, in the order of definition.

    Args:
        config: The database.
        siblings: The project's other databases, which may not claim the same tables.
        setup: The objects of ``scratch_setup``, whose tables no models own.

    Raises:
        ConfigurationError: A module cannot be imported; a table has two owners, no module, or a
            foreign key to another database; no model was found.
    """
    sources = find_modules(config)
    modules = [import_source(config, source) for source in sources]
    try:
        configure_mappers()  # completes all mappings, which defines backrefs and secondaries
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"the models do not fit together: {error}",
            next_step="Correct the relationship or column that the message names.",
        ) from error
    collected = _Collected(frozenset(source.name for source in sources), _homes())
    for module in modules:
        assigned = names_assigned(module)
        for name, value in list(vars(module).items()):
            own = assigned is None or name in assigned
            _collect_value(value, module.__name__, collected, own=own)
    # Tables may share a MetaData with ours without being in our modules.
    for table in [each for metadata in collected.metadata for each in metadata.tables.values()]:
        if not collected.has_module(table) and table in collected.homes:
            collected.claim(table, collected.homes[table])
    _without_overlap(config, siblings, collected)
    owned = tuple(_owned(collected))
    if config.model_paths and not any(item.tables or item.types for item in owned):
        _refuse_nothing(config, modules, collected)
    _check_foreign_keys(owned, collected, setup)
    claimed = {source.name for other in siblings for source in _sources(other)}
    for item in owned:
        item.unclaimed = _unclaimed(item.metadata, collected, claimed, setup)
        if setup is not None:
            item.tables = [it for it in item.tables if setup.table(it.schema, it.name) is None]
    return owned


def _collect_value(value: object, module: str, collected: _Collected, *, own: bool) -> None:
    if isinstance(value, Table):
        if own:
            collected.claim(value, module)
        collected.metadata.setdefault(value.metadata)
    elif isinstance(value, type):
        for mapper in _mappers(value, collected):
            _collect_mapper(mapper, collected)
        if own and isinstance(metadata := getattr(value, "metadata", None), MetaData):
            collected.metadata.setdefault(metadata)
    elif isinstance(value, SchemaType) and own:
        collected.types.add(value)
    elif isinstance(value, SQLSequence) and own:
        collected.sequences.add(value)
        if value.metadata is not None:
            collected.metadata.setdefault(value.metadata)
    elif isinstance(value, MetaData) and own:
        collected.metadata.setdefault(value)


def _mappers(class_: type, collected: _Collected) -> Iterator[Mapper[object]]:
    """Yield the mappers in the registry of *class_*, a mapped class or a base, only once."""
    mapper: Any = inspect(class_, raiseerr=False)
    registry: Any = mapper.registry if isinstance(mapper, Mapper) else None
    for attribute in ("registry", "_sa_registry"):
        registry = registry if registry is not None else getattr(class_, attribute, None)
    if hasattr(registry, "mappers") and id(registry) not in collected.registries:
        collected.registries.add(id(registry))
        yield from registry.mappers


def _collect_mapper(mapper: Mapper[object], collected: _Collected) -> None:
    inherited = mapper.inherits.tables if mapper.inherits is not None else ()
    module = mapper.class_.__module__
    for table in mapper.tables:
        if isinstance(table, Table) and table not in inherited:
            collected.claim(table, module)
            collected.classes.setdefault(table, mapper.class_)
    for relationship in mapper.relationships:
        link = relationship.secondary
        # The first class that uses an association table without a module gets it.
        homeless = link not in collected.tables and link not in collected.homes
        if isinstance(link, Table) and homeless:
            collected.claim(link, module)


def _homes() -> dict[Table, str]:
    """Return the first module that assigns each table at its top level."""
    homes: dict[Table, str] = {}
    for name, module in list(sys.modules.items()):
        values = dict(getattr(module, "__dict__", None) or {})
        tables = [(key, value) for key, value in values.items() if isinstance(value, Table)]
        assigned = names_assigned(module) if tables else None
        for key, table in tables:
            if assigned is None or key in assigned:
                homes.setdefault(table, name)
    return homes


def _owned(collected: _Collected) -> Iterator[OwnedMetadata]:
    for metadata in collected.metadata:
        mine = [table for table in metadata.tables.values() if table in collected.tables]
        others = [table for table in metadata.tables.values() if table in collected.others]
        homeless = [it for it in metadata.tables.values() if not collected.has_module(it)]
        if homeless and others:
            raise ConfigurationError(
                f"table {homeless[0].fullname} is in a MetaData that several modules share, but no "
                "module names it, so its database is unknown",
                next_step="Assign it to a name at the top of its module.",
            )
        mine += homeless
        if not mine and others:
            continue
        columns = [column for table in mine for column in table.columns]
        types = [getattr(column.type, "item_type", column.type) for column in columns]
        defaults = [it for column in columns for it in (column.default, column.server_default)]
        yield OwnedMetadata(
            metadata=metadata,
            tables=mine,
            shared=bool(others),
            types={*collected.types, *(it for it in types if isinstance(it, SchemaType))},
            sequences={
                *collected.sequences,
                *(it for it in defaults if isinstance(it, SQLSequence)),
            },
            homes={table.fullname: home for table in mine if (home := _home(table, collected))},
        )


def _home(table: Table, collected: _Collected) -> Home | None:
    class_ = collected.classes.get(table)
    if class_ is not None:
        return Home(class_.__module__, class_.__name__)
    return Home(collected.tables[table]) if table in collected.tables else None


def _unclaimed(
    metadata: MetaData, collected: _Collected, claimed: set[str], setup: SetUp | None
) -> dict[str, str]:
    others = ((it.fullname, collected.others.get(it)) for it in metadata.tables.values())
    return {
        name: module
        for name, module in others
        if module is not None and module not in claimed and not _is_in_setup(setup, name)
    }


def _refuse_nothing(
    config: DatabaseConfig, modules: Sequence[ModuleType], collected: _Collected
) -> None:
    """Raise an error for *modules* without models, unless their last table was deleted."""
    values = [value for module in modules for value in vars(module).values()]
    imported = {collected.homes.get(value) for value in values if isinstance(value, Table)}
    imported |= {
        value.__module__
        for value in values
        if isinstance(value, type) and isinstance(inspect(value, raiseerr=False), Mapper)
    }
    homes = sorted(home for home in imported if home is not None)
    bases = any(isinstance(getattr(value, "metadata", None), MetaData) for value in values)
    if (collected.metadata or bases) and not homes:
        return
    advice = "Name the modules in which the models are defined in model_paths."
    if homes:
        advice = f"They import models from {', '.join(homes)}: name those in model_paths."
    raise ConfigurationError(
        f"model_paths ({', '.join(config.model_paths)}) define no model", next_step=advice
    )


# -- checks -----------------------------------------------------------------------------------


def _without_overlap(
    config: DatabaseConfig, siblings: Sequence[DatabaseConfig], collected: _Collected
) -> None:
    if config.overlap_models:
        return
    for other in siblings:
        if other.overlap_models or other.database_name == config.database_name:
            continue
        theirs = {source.name for source in _sources(other)}
        for table, module in collected.tables.items():
            if module in theirs:
                raise ConfigurationError(
                    f"table {table.fullname} of {module} is claimed by two databases: "
                    f"{config.database_name} and {other.database_name}",
                    next_step="Give each its own modules in model_paths. If "
                    f"{other.database_name} is a read replica of {config.database_name}, or the "
                    "reverse, give the replica replica_of= in place of its model_paths. If both "
                    "really have the table, set overlap_models=True.",
                )


def _sources(config: DatabaseConfig) -> tuple[ModuleSource, ...]:
    try:
        return find_modules(config)
    except ConfigurationError:  # reported by the commands for that database
        return ()


def _check_foreign_keys(
    owned: Sequence[OwnedMetadata], collected: _Collected, setup: SetUp | None
) -> None:
    """Refuse foreign keys that lead out of the database."""
    mine = {table.fullname for item in owned for table in item.tables}
    leaving = [
        (f"{table.fullname}.{key.parent.name}", name, item.metadata)
        for item in owned
        for table in item.tables
        for key in table.foreign_keys
        if (name := target_of(key, item.metadata)) not in mine and not _is_in_setup(setup, name)
    ]
    if not leaving:
        return
    column, target, metadata = leaving[0]
    words = f"the foreign key of {column} leads to {target}"
    if target not in metadata.tables:
        raise ConfigurationError(
            f"{words}, which no module in model_paths defines",
            next_step="Correct the name, or add the module that defines it to model_paths. If the "
            "table exists outside dbwarden, like Supabase's auth.users, create it in a file for "
            "scratch_setup.",
        )
    targets = (metadata.tables.get(name) for _, name, metadata in leaving)
    homes = {collected.others.get(table) for table in targets if table is not None}
    raise ConfigurationError(
        f"{words}, which is not a table of this database: a foreign key cannot leave it",
        next_step=f"Add {', '.join(sorted(filter(None, homes)))} to model_paths, or keep the value "
        "in a plain column.",
    )


def _is_in_setup(setup: SetUp | None, name: str) -> bool:
    """Return whether ``scratch_setup`` creates the table called *name*."""
    namespace, _, table = name.rpartition(".")
    return setup is not None and setup.table(namespace or None, table) is not None


def target_of(key: ForeignKey, metadata: MetaData) -> str:
    """Return the full name of the target table of *key*, even if it does not exist."""
    column = key._colspec
    if isinstance(column, Column) and isinstance(column.table, Table):
        return column.table.fullname
    namespace, table, _ = key._column_tokens
    # As SQLAlchemy resolves it: a name alone is in the namespace of the MetaData.
    namespace = namespace or metadata.schema
    return f"{namespace}.{table}" if namespace else str(table)
