"""Turn declarations into configurations, or report all of their problems together. Pure."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbwarden.config.checks import Problem
from dbwarden.config.model import DatabaseConfig, contradicting_time
from dbwarden.config.names import did_you_mean, suggest_keywords
from dbwarden.config.options import EMBEDDED, OPTIONS
from dbwarden.config.project import Declared
from dbwarden.config.registry import TENANT_OPTIONS, Declaration, TenantDeclaration
from dbwarden.config.tenants import FIELD, SAMPLE, Pattern, TenantFamily
from dbwarden.config.urls import EMBEDDED_KIND, DatabaseURL, read_url, url_class
from dbwarden.migration_history import DEFAULT_TABLE
from dbwarden.types import Location

if TYPE_CHECKING:
    from dbwarden.config.patterns import PatternDraft

_CONNECT_TIMEOUT = next(
    field.default for field in fields(DatabaseConfig) if field.name == "connect_timeout"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One declaration with its valid values and its problems.

    ``values`` has the valid values of options; ``problems`` are ``(option, problem)``. ``url`` and
    ``dev_url`` are ``None`` if they are unknown or invalid. A tenant family is one draft, that of a
    sample tenant; ``tenants`` has the options that only ``tenant_databases`` has.
    """

    label: str
    location: Location
    values: dict[str, Any] = field(repr=False)
    problems: tuple[tuple[str, str], ...]
    url: DatabaseURL | None
    dev_url: DatabaseURL | None
    tenants: "PatternDraft | None" = None

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
        return self.values.get("database_type") or (self.url.dialect if self.url else None)


Finding = tuple[Draft, str, str]
"""The declaration, the option and the problem."""


def validate(
    declarations: Sequence[Declaration], root: Path
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
    findings = [(draft, *problem) for draft in drafts for problem in draft.problems]
    findings += [*_check_names(drafts), *_check_defaults(drafts), *_check_replicas(drafts)]
    findings += [*_check_targets(drafts), *_check_folders(drafts, root), *_check_tenants(drafts)]
    if findings:
        findings.sort(key=lambda finding: drafts.index(finding[0]))
        return (), tuple(_format_finding(finding, root) for finding in findings)
    return _build_configs(drafts, root), ()


def _format_finding(finding: Finding, root: Path) -> str:
    draft, name, words = finding
    if draft.tenants:
        name = draft.tenants.declared_option(name)
    line = f"{draft.label}.{name}: {words} ({_format_location(draft.location, root)})"
    return line.replace(SAMPLE, FIELD)


def _format_location(location: Location, root: Path) -> str:
    inside = location.path.is_relative_to(root)
    return str(replace(location, path=location.path.relative_to(root)) if inside else location)


# -- one declaration --------------------------------------------------------------------------


def _draft(declaration: Declaration, root: Path) -> Draft:
    if isinstance(declaration, TenantDeclaration):
        return _draft_of_tenants(declaration, root)
    values: dict[str, Any] = {}
    problems = [*_check_options(declaration), *_read_values(declaration, root, values)]
    url, dev_url = _read_urls(values, root, problems)
    problems += _check_combinations(values)
    name = declaration.options.get("database_name") or None
    return Draft(
        label=name if isinstance(name, str) and "://" not in name else "database_config",
        location=declaration.location,
        values=values,
        problems=tuple(problems),
        url=url,
        dev_url=dev_url,
    )


def _draft_of_tenants(declaration: TenantDeclaration, root: Path) -> Draft:
    from dbwarden.config.patterns import read_pattern  # most projects have no tenants

    tenants = read_pattern(declaration, root)
    sample = _draft(Declaration(options=tenants.options, location=declaration.location), root)
    # read_pattern has reported missing options under their tenant_databases names.
    others = [(name, words) for name, words in sample.problems if words != "is missing"]
    problems = (*tenants.problems, *others, *_check_sample(sample))
    return replace(sample, label=tenants.label, tenants=tenants, problems=problems)


def _check_sample(sample: Draft) -> Iterator[tuple[str, str]]:
    """Report URLs that are one database for all tenants, with the field in user or password."""
    for name, url in ((_URL, sample.url), ("dev_database_url", sample.dev_url)):
        if url and url.target and SAMPLE not in url.target + _namespace(sample, url):
            words = f"leads all tenants to one database; {FIELD} belongs into its name"
            yield name, words


def _check_options(declaration: Declaration) -> Iterator[tuple[str, str]]:
    for name in declaration.options:
        if name not in OPTIONS:
            is_tenants = name in TENANT_OPTIONS
            hint = " of database_config" if is_tenants else did_you_mean(name, OPTIONS)
            yield name, f"there is no such option{hint}"
    for option in OPTIONS.values():
        if option.required and option.name not in declaration.options:
            yield option.name, "is missing"


def _read_values(
    declaration: Declaration, root: Path, values: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Fill *values* with the valid values, and yield the problems of the others."""
    for name, given in declaration.options.items():
        option = OPTIONS.get(name)
        if option is None or option.is_unset(given):
            continue
        try:
            value = option.check(given, root)
        except Problem as problem:
            yield name, str(problem)
        else:
            values[name] = value


def _read_urls(
    values: dict[str, Any], root: Path, problems: list[tuple[str, str]]
) -> tuple[DatabaseURL | None, DatabaseURL | None]:
    """Read the URLs that no function returns, and compare their kinds with the type options."""

    def read(name: str, kind: str, *, infers: bool = False) -> DatabaseURL | None:
        source = values.get(name)
        if name not in values or callable(source) or source in OPTIONS[name].keywords:
            return None
        parsed = read_url(source, root)
        if not isinstance(parsed, DatabaseURL):
            hint = suggest_keywords(source, OPTIONS[name].keywords)
            problems.append((name, parsed + hint))
            return None
        if infers:
            values.setdefault(kind, parsed.dialect)
        if values.get(kind, parsed.dialect) != parsed.dialect:
            words = f"is {values[kind]!r}, but {name} is of kind {parsed.dialect}"
            problems.append((kind if infers else name, words if infers else f"{kind} {words}"))
            return None
        return parsed

    if values.get(_URL) == EMBEDDED:
        values.setdefault("database_type", EMBEDDED_KIND)
    url = read(_URL, "database_type", infers=True)
    if url is not None and url.connect_timeout is not None:
        values.setdefault("connect_timeout", url.connect_timeout)
    others = {name: read(name, "database_type") for name in ("migration_url", "scratch")}
    dev_url = read("dev_database_url", "dev_database_type", infers=True)
    timeout = values.get("connect_timeout", _CONNECT_TIMEOUT)
    for name, each in {_URL: url, **others, "dev_database_url": dev_url}.items():
        if each is not None and (words := contradicting_time(each, timeout)):
            problems.append((name, words))
    return url, dev_url


_URL = "database_url"


def _check_combinations(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Report options that are invalid only in combination with another option."""
    if callable(values.get(_URL)) and "database_type" not in values:
        yield "database_type", "is missing; it cannot be known from a function"
    kind = url_class(values["database_type"]) if values.get("database_type") else None
    if kind is not None and not kind.has_namespaces and "ledger_schema" in values:
        yield "ledger_schema", f"{kind.title} has no namespaces; leave it out"
    for name in (_URL, "dev_database_url"):
        if kind is not None and not kind.has_embedded and values.get(name) == EMBEDDED:
            own = f"name another {kind.title} database"
            yield name, f"the embedded server is for PostgreSQL; {own}"


# -- all declarations in combination ----------------------------------------------------------


def _check_names(drafts: Sequence[Draft]) -> Iterator[Finding]:
    first: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.values.get("database_name")
        if name is not None and first.setdefault(name, draft) is not draft:
            line = first[name].location.line
            yield draft, "database_name", f"{name!r} is configured already, on line {line}"


def _check_defaults(drafts: Sequence[Draft]) -> Iterator[Finding]:
    defaults = [draft for draft in drafts if draft.values.get("default")]
    for draft in defaults[1:]:
        yield draft, "default", f"{defaults[0].label!r} is the default already"


def _check_replicas(drafts: Sequence[Draft]) -> Iterator[Finding]:
    known = {draft.values.get("database_name"): draft for draft in drafts}
    for draft in drafts:
        if not draft.is_replica:
            continue
        name = draft.values["replica_of"]
        if words := _problem_of_replica(draft, name, known.get(name)):
            hint = did_you_mean(name, filter(None, known)) if name not in known else ""
            yield draft, "replica_of", words + hint
        if draft.values.get("default"):
            yield draft, "default", "a replica takes no migrations, so it cannot be the default"


def _problem_of_replica(draft: Draft, name: str, primary: Draft | None) -> str | None:
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


def _check_targets(drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Report URLs of one database that share a ledger; replicas have none."""
    writers = [draft for draft in drafts if not draft.is_replica]
    yield from _duplicates(_URL, ((draft, draft.url) for draft in writers))
    yield from _duplicates("dev_database_url", ((draft, draft.dev_url) for draft in writers))


def _duplicates(name: str, urls: Iterable[tuple[Draft, DatabaseURL | None]]) -> Iterator[Finding]:
    first: dict[str, Draft] = {}
    for draft, url in urls:
        target = _ledger_target(draft, url)
        if url is None or target is None:
            continue
        other = first.setdefault(target, draft)
        if other is not draft:
            single = name == _URL and not draft.tenants and not other.tenants
            yield (
                draft,
                name,
                f"is the same database as {other.label!r} ({url.display}); "
                + (f"if it only reads there, say replica_of={other.label!r}; " if single else "")
                + "if both have migrations, give one of them its own ledger_table or ledger_schema",
            )


def _namespace(draft: Draft, url: DatabaseURL) -> str:
    """Return the ledger's namespace: ``ledger_schema``, or the first one of ``search_path``."""
    path = (url.search_path or "public").split(",")[0].strip().strip('"')
    return str(draft.values.get("ledger_schema") or path)


def _check_folders(drafts: Sequence[Draft], root: Path) -> Iterator[Finding]:
    first: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.values.get("database_name")
        if name is None or draft.is_replica:
            continue
        folder = draft.values.get("migrations_dir", _default_folder(name, root))
        other = first.setdefault(os.path.realpath(folder), draft)
        if other.values["database_name"] != name:
            yield draft, "migrations_dir", f"is the folder of {other.label!r} already: {folder}"


def _default_folder(name: str, root: Path) -> Path:
    return root / "migrations" / name


def _check_tenants(drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Report names that match a family and also another database or family."""
    families = [(draft, draft.pattern) for draft in drafts if draft.pattern]
    for index, (draft, pattern) in enumerate(families):
        for other, other_pattern in families[:index]:
            if pattern.overlaps(other_pattern) and pattern.name != other_pattern.name:
                yield draft, "database_name", f"its names may be those of {other.label!r} too"
        yield from _check_fixed_list(draft, pattern, drafts)
        for other in drafts:
            name = other.values.get("database_name")
            if other.tenants is None and name and pattern.id_of(name) is not None:
                words = f"{name!r} could be a tenant of {draft.label!r}; take another name"
                yield other, "database_name", words


def _check_fixed_list(draft: Draft, pattern: Pattern, drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Report tenants of a fixed list whose database another declaration has."""
    taken = _taken_ids(draft, pattern, drafts)
    source = draft.tenants.source if draft.tenants else ()
    for tenant_id in () if callable(source) else source:
        if (label := taken.get(str(tenant_id))) is not None:
            yield draft, "tenants", f"{tenant_id!r}: its database is that of {label!r} already"


# -- building the configurations --------------------------------------------------------------


def _build_configs(drafts: Sequence[Draft], root: Path) -> tuple[Declared, ...]:
    by_name = {draft.values["database_name"]: draft for draft in drafts}
    writers = [draft for draft in drafts if not draft.is_replica]
    return tuple(
        _build_family(draft, draft.tenants, drafts, root)
        if draft.tenants is not None
        else _build_config(
            draft, by_name.get(draft.values.get("replica_of")), root, only=writers == [draft]
        )
        for draft in drafts
    )


def _build_family(
    draft: Draft, tenants: "PatternDraft", drafts: Sequence[Draft], root: Path
) -> TenantFamily:
    assert tenants.pattern is not None
    template = _build_config(draft, None, root, only=False)
    return TenantFamily(
        pattern=tenants.pattern,
        template=replace(template, migrations_name=template.database_name),
        source=tenants.source,
        refresh_after=tenants.refresh_after,
        taken=_taken_ids(draft, tenants.pattern, drafts),
    )


def _taken_ids(draft: Draft, pattern: Pattern, drafts: Sequence[Draft]) -> dict[str, str]:
    """Return the ids whose database is declared as a single one, with that one's label."""
    sample = _ledger_target(draft, draft.url)
    others = (other for other in drafts if not other.tenants and not other.is_replica)
    targets = ((other.label, _ledger_target(other, other.url)) for other in others)
    candidates = (
        (pattern.tenant_at(sample, target) if sample and target else None, label)
        for label, target in targets
    )
    return {tenant_id: label for tenant_id, label in candidates if tenant_id is not None}


def _ledger_target(draft: Draft, url: DatabaseURL | None) -> str | None:
    """Return a key of the ledger's location at *url*; ``None`` if it is unknown."""
    if url is None or url.target is None:
        return None
    ledger = draft.values.get("ledger_table", DEFAULT_TABLE)
    return "\n".join((url.target, _namespace(draft, url), ledger))


def _build_config(draft: Draft, primary: Draft | None, root: Path, *, only: bool) -> DatabaseConfig:
    """Build a configuration; *only* makes it the default, and a replica inherits from *primary*."""
    shared = primary.values if primary else {}
    inherited = {name: value for name, value in shared.items() if OPTIONS[name].inherited}
    values = inherited | draft.values
    owner = primary or draft
    values.setdefault("migrations_dir", _default_folder(owner.values["database_name"], root))
    values["default"] = values.get("default", False) or only
    if primary is not None:
        values["primary"] = _build_config(primary, None, root, only=only)
    return DatabaseConfig(root=root, **values)
