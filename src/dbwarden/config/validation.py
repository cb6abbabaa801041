"""Turn declarations into configurations, or report all of their problems together. Pure."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbwarden.config.checks import ValueProblem
from dbwarden.config.database_options import OPTIONS, URL_KINDS, DatabaseConfig, contradicting_time
from dbwarden.config.libpq import namespace_of
from dbwarden.config.names import did_you_mean, suggest_keywords
from dbwarden.config.option import EMBEDDED
from dbwarden.config.project import Declared
from dbwarden.config.registry import TENANT_OPTIONS, DatabaseDeclaration, TenantDeclaration
from dbwarden.config.tenants import FIELD, SAMPLE, Pattern, TenantFamily
from dbwarden.config.urls import EMBEDDED_KIND, DatabaseURL, read_url, url_class
from dbwarden.migration_history import DEFAULT_TABLE
from dbwarden.types import Location

if TYPE_CHECKING:
    from dbwarden.config.tenant_validation import PatternDraft

_URL, _DEV_URL = "database_url", "dev_database_url"
_CONNECT_TIMEOUT = next(
    field.default for field in fields(DatabaseConfig) if field.name == "connect_timeout"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDraft:
    """One declaration with its valid values and its problems.

    ``values`` has the valid values of options; ``problems`` are ``(option, problem)``. ``urls`` has
    the valid URLs that no function returns. A tenant family is one draft, that of a sample tenant;
    ``tenants`` has the options that only ``tenant_databases`` has.
    """

    label: str
    location: Location
    values: dict[str, Any] = field(repr=False)
    problems: tuple[tuple[str, str], ...]
    urls: Mapping[str, DatabaseURL]
    tenants: "PatternDraft | None" = None

    @property
    def name(self) -> str | None:
        """The name of the database; ``None`` if it is missing or invalid."""
        return self.values.get("database_name")

    @property
    def pattern(self) -> Pattern | None:
        """The pattern of a tenant family; ``None`` for a single database."""
        return self.tenants.pattern if self.tenants else None

    @property
    def is_replica(self) -> bool:
        """Whether this database is a replica."""
        return "replica_of" in self.values

    @property
    def kind(self) -> str | None:
        """The kind of database, from the type or the URL."""
        return self.values.get("database_type")


DraftProblem = tuple[ConfigDraft, str, str]
"""The declaration, the option and the problem."""


def validate(
    declarations: Sequence[DatabaseDeclaration], root: Path
) -> tuple[tuple[Declared, ...], tuple[str, ...]]:
    """Validate *declarations* separately and in combination.

    Args:
        declarations: The declarations in configured order.
        root: The folder against which relative paths are resolved.

    Returns:
        The configurations and tenant families, and the problems, each a line with database, option
        and location. If there are problems, there are no configurations.
    """
    drafts = [_draft(declaration, root) for declaration in declarations]
    problems = [(draft, *problem) for draft in drafts for problem in draft.problems]
    problems += [*_check_names(drafts), *_check_defaults(drafts), *_check_replicas(drafts)]
    problems += [*_check_targets(drafts), *_check_folders(drafts, root), *_check_tenants(drafts)]
    if problems:
        problems.sort(key=lambda problem: drafts.index(problem[0]))
        return (), tuple(_format_problem(problem, root) for problem in problems)
    return _build_configs(drafts, root), ()


def _format_problem(problem: DraftProblem, root: Path) -> str:
    draft, name, words = problem
    if draft.tenants:
        name = draft.tenants.declared_option(name)
    location = draft.location
    if location.path.is_relative_to(root):
        location = replace(location, path=location.path.relative_to(root))
    return f"{draft.label}.{name}: {words} ({location})".replace(SAMPLE, FIELD)


# -- one declaration --------------------------------------------------------------------------


def _draft(declaration: DatabaseDeclaration, root: Path) -> ConfigDraft:
    if isinstance(declaration, TenantDeclaration):
        return _draft_of_tenants(declaration, root)
    values: dict[str, Any] = {}
    problems = [*_check_options(declaration), *_read_values(declaration, root, values)]
    urls = _read_urls(values, root, problems)
    problems += _check_combinations(values)
    name = declaration.options.get("database_name") or None
    return ConfigDraft(
        label=name if isinstance(name, str) and "://" not in name else "database_config",
        location=declaration.location,
        values=values,
        problems=tuple(problems),
        urls=urls,
    )


def _draft_of_tenants(declaration: TenantDeclaration, root: Path) -> ConfigDraft:
    from dbwarden.config.tenant_validation import read_pattern  # most projects have no tenants

    tenants = read_pattern(declaration, root)
    sample = _draft(
        DatabaseDeclaration(options=tenants.options, location=declaration.location), root
    )
    # read_pattern has reported missing options under their tenant_databases names.
    others = [(name, words) for name, words in sample.problems if words != "is missing"]
    problems = (*tenants.problems, *others, *_check_sample(sample))
    return replace(sample, label=tenants.label, tenants=tenants, problems=problems)


def _check_sample(sample: ConfigDraft) -> Iterator[tuple[str, str]]:
    """Report URLs that are one database for all tenants, with the field in user or password."""
    for name in (_URL, _DEV_URL):
        url = sample.urls.get(name)
        if url and url.target and SAMPLE not in url.target + _namespace(sample, url):
            words = f"leads all tenants to one database; {FIELD} belongs into its name"
            yield name, words


def _check_options(declaration: DatabaseDeclaration) -> Iterator[tuple[str, str]]:
    for name in declaration.options:
        if name not in OPTIONS:
            is_tenants = name in TENANT_OPTIONS
            hint = " of database_config" if is_tenants else did_you_mean(name, OPTIONS)
            yield name, f"there is no such option{hint}"
    for name, option in OPTIONS.items():
        if option.required and name not in declaration.options:
            yield name, "is missing"


def _read_values(
    declaration: DatabaseDeclaration, root: Path, values: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Fill *values* with the valid values, and yield the problems of the others."""
    for name, given in declaration.options.items():
        option = OPTIONS.get(name)
        if option is None or option.is_unset(given):
            continue
        try:
            value = option.check(given, root)
        except ValueProblem as problem:
            yield name, str(problem)
        else:
            values[name] = value


def _read_urls(
    values: dict[str, Any], root: Path, problems: list[tuple[str, str]]
) -> dict[str, DatabaseURL]:
    """Read the URLs that no function returns, and compare their kinds with the type options."""
    if values.get(_URL) == EMBEDDED:
        values.setdefault("database_type", EMBEDDED_KIND)
    urls: dict[str, DatabaseURL] = {}
    for name, kind in URL_KINDS.items():
        source, keywords = values.get(name), OPTIONS[name].keywords
        if name not in values or callable(source) or source in keywords:
            continue
        url = read_url(source, root)
        if not isinstance(url, DatabaseURL):
            problems.append((name, url + suggest_keywords(source, keywords)))
            continue
        infers = name in (_URL, _DEV_URL)
        if infers:
            values.setdefault(kind, url.dialect)
        if values.get(kind, url.dialect) != url.dialect:
            words = f"is {values[kind]!r}, but {name} is of kind {url.dialect}"
            problems.append((kind, words) if infers else (name, f"{kind} {words}"))
            continue
        urls[name] = url
    if _URL in urls and urls[_URL].connect_timeout is not None:
        values.setdefault("connect_timeout", urls[_URL].connect_timeout)
    timeout = values.get("connect_timeout", _CONNECT_TIMEOUT)
    for name, url in urls.items():
        if contradiction := contradicting_time(url, timeout):
            problems.append((name, contradiction))
    return urls


def _check_combinations(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Report options that are invalid only in combination with another option."""
    if callable(values.get(_URL)) and "database_type" not in values:
        yield "database_type", "is missing; it cannot be known from a function"
    kind = url_class(values["database_type"]) if values.get("database_type") else None
    if kind is not None and not kind.has_namespaces and "ledger_schema" in values:
        yield "ledger_schema", f"{kind.title} has no namespaces; leave it out"
    for name in (_URL, _DEV_URL):
        if kind is not None and not kind.has_embedded and values.get(name) == EMBEDDED:
            own = f"name another {kind.title} database"
            yield name, f"the embedded server is for PostgreSQL; {own}"


# -- all declarations in combination ----------------------------------------------------------


def _repeats(
    keyed: Iterable[tuple[ConfigDraft, str | None]],
) -> Iterator[tuple[ConfigDraft, ConfigDraft]]:
    """Yield each draft whose key another draft had before, with that one."""
    first: dict[str, ConfigDraft] = {}
    for draft, key in keyed:
        if key is not None and (other := first.setdefault(key, draft)) is not draft:
            yield draft, other


def _check_names(drafts: Sequence[ConfigDraft]) -> Iterator[DraftProblem]:
    for draft, first in _repeats((draft, draft.name) for draft in drafts):
        where = f"on line {first.location.line}"
        yield draft, "database_name", f"{draft.name!r} is configured already, {where}"


def _check_defaults(drafts: Sequence[ConfigDraft]) -> Iterator[DraftProblem]:
    defaults = ((draft, "default") for draft in drafts if draft.values.get("default"))
    for draft, first in _repeats(defaults):
        yield draft, "default", f"{first.label!r} is the default already"


def _check_replicas(drafts: Sequence[ConfigDraft]) -> Iterator[DraftProblem]:
    known = {draft.name: draft for draft in drafts}
    for draft in drafts:
        if not draft.is_replica:
            continue
        name = draft.values["replica_of"]
        if words := _problem_of_replica(draft, name, known.get(name)):
            hint = did_you_mean(name, filter(None, known)) if name not in known else ""
            yield draft, "replica_of", words + hint
        if draft.values.get("default"):
            yield draft, "default", "a replica takes no migrations, so it cannot be the default"


def _problem_of_replica(draft: ConfigDraft, name: str, primary: ConfigDraft | None) -> str | None:
    if primary is None:
        return f"no database {name!r} is configured"
    if primary is draft:
        return "a database cannot be its own replica"
    if primary.tenants:
        return f"{name!r} are tenants, and a replica has one primary"
    if primary.is_replica:
        return f"{name!r} is itself a replica; name its primary"
    if draft.kind and primary.kind and draft.kind != primary.kind:
        return f"{name!r} is of kind {primary.kind}, this one is {draft.kind}"
    return None


def _check_targets(drafts: Sequence[ConfigDraft]) -> Iterator[DraftProblem]:
    """Report URLs of one database that share a ledger; replicas have none."""
    for name in (_URL, _DEV_URL):
        writers = [draft for draft in drafts if not draft.is_replica]
        for draft, other in _repeats((draft, _ledger_target(draft, name)) for draft in writers):
            single = name == _URL and not draft.tenants and not other.tenants
            words = (
                f"is the same database as {other.label!r} ({draft.urls[name].display}); "
                + (f"if it only reads there, say replica_of={other.label!r}; " if single else "")
                + "if both have migrations, give one of them its own ledger_table or ledger_schema"
            )
            yield draft, name, words


def _namespace(draft: ConfigDraft, url: DatabaseURL) -> str:
    """Return the ledger's namespace: ``ledger_schema``, or the default one of the URL."""
    return str(draft.values.get("ledger_schema") or namespace_of(url))


def _check_folders(drafts: Sequence[ConfigDraft], root: Path) -> Iterator[DraftProblem]:
    owners = [draft for draft in drafts if draft.name is not None and not draft.is_replica]
    folders = ((draft, os.path.realpath(_folder_of(draft, root))) for draft in owners)
    for draft, other in _repeats(folders):
        if other.name != draft.name:
            words = f"is the folder of {other.label!r} already: {_folder_of(draft, root)}"
            yield draft, "migrations_dir", words


def _folder_of(draft: ConfigDraft, root: Path) -> Path:
    return Path(draft.values.get("migrations_dir", root / "migrations" / str(draft.name)))


def _check_tenants(drafts: Sequence[ConfigDraft]) -> Iterator[DraftProblem]:
    """Report names that match a family and also another database or family."""
    families = [(draft, draft.pattern) for draft in drafts if draft.pattern]
    for index, (draft, pattern) in enumerate(families):
        for other, other_pattern in families[:index]:
            if pattern.overlaps(other_pattern) and pattern.name != other_pattern.name:
                yield draft, "database_name", f"its names may be those of {other.label!r} too"
        taken = _taken_ids(draft, pattern, drafts)
        source = draft.tenants.source if draft.tenants else ()
        for tenant_id in () if callable(source) else source:
            if (label := taken.get(str(tenant_id))) is not None:
                words = f"{tenant_id!r}: its database is that of {label!r} already"
                yield draft, "tenants", words
        for other in drafts:
            if other.tenants is None and other.name and pattern.id_of(other.name) is not None:
                words = f"{other.name!r} could be a tenant of {draft.label!r}; take another name"
                yield other, "database_name", words


# -- building the configurations --------------------------------------------------------------


def _build_configs(drafts: Sequence[ConfigDraft], root: Path) -> tuple[Declared, ...]:
    by_name = {draft.name: draft for draft in drafts}
    writers = [draft for draft in drafts if not draft.is_replica]
    declared: list[Declared] = []
    for draft in drafts:
        tenants, primary = draft.tenants, by_name.get(draft.values.get("replica_of"))
        only = writers == [draft] and tenants is None
        config = _build_config(draft, primary, root, only=only)
        if tenants is None:
            declared.append(config)
            continue
        assert tenants.pattern is not None
        declared.append(
            TenantFamily(
                pattern=tenants.pattern,
                template=replace(config, migrations_name=config.database_name),
                source=tenants.source,
                refresh_after=tenants.refresh_after,
                taken=_taken_ids(draft, tenants.pattern, drafts),
            )
        )
    return tuple(declared)


def _taken_ids(
    draft: ConfigDraft, pattern: Pattern, drafts: Sequence[ConfigDraft]
) -> dict[str, str]:
    """Return the ids whose database is declared as a single one, with that one's label."""
    sample = _ledger_target(draft, _URL)
    others = (other for other in drafts if not other.tenants and not other.is_replica)
    targets = ((other.label, _ledger_target(other, _URL)) for other in others)
    candidates = (
        (pattern.tenant_at(sample, target) if sample and target else None, label)
        for label, target in targets
    )
    return {tenant_id: label for tenant_id, label in candidates if tenant_id is not None}


def _ledger_target(draft: ConfigDraft, option: str) -> str | None:
    """Return a key of the ledger's location at the URL *option*; ``None`` if it is unknown."""
    url = draft.urls.get(option)
    if url is None or url.target is None:
        return None
    ledger = draft.values.get("ledger_table", DEFAULT_TABLE)
    return "\n".join((url.target, _namespace(draft, url), ledger))


def _build_config(
    draft: ConfigDraft, primary: ConfigDraft | None, root: Path, *, only: bool
) -> DatabaseConfig:
    """Build a configuration; *only* makes it the default, and a replica inherits from *primary*."""
    shared = primary.values if primary else {}
    inherited = {name: value for name, value in shared.items() if OPTIONS[name].inherited}
    values = inherited | draft.values
    values.setdefault("migrations_dir", _folder_of(primary or draft, root))
    values["default"] = values.get("default", False) or only
    if primary is not None:
        values["primary"] = _build_config(primary, None, root, only=only)
    return DatabaseConfig(root=root, **values)
