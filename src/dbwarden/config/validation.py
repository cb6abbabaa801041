"""Declarations -> configurations, or every problem they have, all at once. Pure."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dbwarden.config.checks import CHECKS, Problem, left_out
from dbwarden.config.model import EMBEDDED, DatabaseConfig, contradicting_time
from dbwarden.config.names import did_you_mean, word_meant
from dbwarden.config.patterns import (
    OWN,
    PatternDraft,
    overlap,
    read_pattern,
    tenant_at,
)
from dbwarden.config.project import Declared
from dbwarden.config.registry import Declaration, TenantDeclaration
from dbwarden.config.tenants import FIELD, SAMPLE, Pattern, TenantFamily
from dbwarden.config.urls import DatabaseURL, read_url
from dbwarden.history import DEFAULT_TABLE
from dbwarden.types import Location

_CONNECT_TIMEOUT = next(
    field.default for field in fields(DatabaseConfig) if field.name == "connect_timeout"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One declaration with what could be settled of it.

    ``values`` holds the good values of options; ``problems`` what is wrong with the others, as
    ``(field, words)``. ``url`` and ``dev_url`` are ``None`` where they are unknown or unusable.
    Tenants are one draft, that of a sample; ``tenants`` is what else their declaration says.
    """

    label: str
    location: Location
    values: dict[str, Any] = field(repr=False)
    problems: tuple[tuple[str, str], ...]
    url: DatabaseURL | None
    dev_url: DatabaseURL | None
    tenants: PatternDraft | None = None

    @property
    def pattern(self) -> Pattern | None:
        """How the names of tenants are made; ``None`` for a database declared by hand."""
        return self.tenants.pattern if self.tenants else None

    @property
    def replica(self) -> bool:
        """Whether this one replays another database."""
        return "replica_of" in self.values

    @property
    def kind(self) -> str | None:
        """The kind of database, from the type or the URL."""
        return self.values.get("database_type") or (self.url.dialect if self.url else None)


Finding = tuple[Draft, str, str]
"""On which declaration, in which field, in what words."""


def validate(
    declarations: Sequence[Declaration], root: Path
) -> tuple[tuple[Declared, ...], tuple[str, ...]]:
    """Check *declarations* one by one and together.

    Args:
        declarations: In configured order.
        root: The folder from which relative paths count.

    Returns:
        The configurations and families of tenants, and the problems, each a line that names
        database, field and place. Where there are problems, there are no configurations.
    """
    drafts = [_draft(declaration, root) for declaration in declarations]
    findings = [(draft, *problem) for draft in drafts for problem in draft.problems]
    findings += [*_names(drafts), *_defaults(drafts), *_replicas(drafts)]
    findings += [*_targets(drafts), *_folders(drafts, root), *_tenants(drafts)]
    if findings:
        findings.sort(key=lambda finding: drafts.index(finding[0]))
        return (), tuple(_line(finding, root) for finding in findings)
    return _configs(drafts, root), ()


def _line(finding: Finding, root: Path) -> str:
    draft, name, words = finding
    if draft.tenants:
        name = draft.tenants.blamed(name)
    line = f"{draft.label}.{name}: {words} ({_place(draft.location, root)})"
    return line.replace(SAMPLE, FIELD)


def _place(location: Location, root: Path) -> str:
    inside = location.path.is_relative_to(root)
    return str(replace(location, path=location.path.relative_to(root)) if inside else location)


# -- one declaration --------------------------------------------------------------------------


def _draft(declaration: Declaration, root: Path) -> Draft:
    if isinstance(declaration, TenantDeclaration):
        return _draft_of_tenants(declaration, root)
    values: dict[str, Any] = {}
    problems = [*_unknown(declaration), *_settle(declaration, root, values)]
    url, dev_url = _urls(values, root, problems)
    problems += _together(values)
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
    told = read_pattern(declaration, root)
    sample = _draft(Declaration(options=told.options, location=declaration.location), root)
    # What is missing was told already, by the names that these options have here.
    found = [(name, words) for name, words in sample.problems if words != "is missing"]
    problems = (*told.problems, *found, *_problem_of_sample(sample))
    return replace(sample, label=told.label, tenants=told, problems=problems)


def _problem_of_sample(sample: Draft) -> Iterator[tuple[str, str]]:
    """A URL that leads all tenants to one place, because the field is in its user or password."""
    for name, url in ((_URL, sample.url), ("dev_database_url", sample.dev_url)):
        if url and url.target and SAMPLE not in url.target + _namespace(sample, url):
            words = f"leads all tenants to one database; {FIELD} belongs into its name"
            yield name, words


def _unknown(declaration: Declaration) -> Iterator[tuple[str, str]]:
    for name in declaration.options:
        if name not in CHECKS:
            hint = " of database_config" if name in OWN else did_you_mean(name, CHECKS)
            yield name, f"there is no such option{hint}"
    for name in ("database_name", "database_url"):
        if name not in declaration.options:
            yield name, "is missing"


def _settle(
    declaration: Declaration, root: Path, values: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Fill *values* with what passes its check, and yield what does not."""
    for name, given in declaration.options.items():
        if name not in CHECKS or left_out(name, given):
            continue
        try:
            value = CHECKS[name](given, root)
        except Problem as problem:
            yield name, str(problem)
        else:
            values[name] = value


def _urls(
    values: dict[str, Any], root: Path, problems: list[tuple[str, str]]
) -> tuple[DatabaseURL | None, DatabaseURL | None]:
    """Read the URLs that are known before connecting, and check the types against them."""

    def read(name: str, kind: str, *, settles: bool = False) -> DatabaseURL | None:
        source = values.get(name)
        if name not in values or callable(source) or (source in _WORDS and name != _URL):
            return None
        parsed = read_url(source, root)
        if not isinstance(parsed, DatabaseURL):
            problems.append((name, parsed + word_meant(source, _WORDS_OF.get(name, ()))))
            return None
        if settles:
            values.setdefault(kind, parsed.dialect)
        if values.get(kind, parsed.dialect) != parsed.dialect:
            words = f"is {values[kind]!r}, but {name} is of kind {parsed.dialect}"
            problems.append((kind if settles else name, words if settles else f"{kind} {words}"))
            return None
        return parsed

    url = read(_URL, "database_type", settles=True)
    if url is not None and url.connect_timeout is not None:
        values.setdefault("connect_timeout", url.connect_timeout)
    others = {name: read(name, "database_type") for name in ("migration_url", "scratch")}
    dev_url = read("dev_database_url", "dev_database_type", settles=True)
    timeout = values.get("connect_timeout", _CONNECT_TIMEOUT)
    for name, each in {_URL: url, **others, "dev_database_url": dev_url}.items():
        if each is not None and (words := contradicting_time(each, timeout)):
            problems.append((name, words))
    return url, dev_url


_URL = "database_url"
_WORDS = ("auto", EMBEDDED)
_WORDS_OF = {"scratch": _WORDS, "dev_database_url": (EMBEDDED,)}


def _together(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong only because of another option of the same database."""
    if callable(values.get(_URL)) and "database_type" not in values:
        yield "database_type", "is missing; it cannot be known from a function"
    if values.get("database_type") == "sqlite" and "ledger_schema" in values:
        yield "ledger_schema", "SQLite has no namespaces; leave it out"
    if values.get("dev_database_url") == EMBEDDED and values.get("database_type") == "sqlite":
        yield "dev_database_url", "the embedded server is for PostgreSQL; name a SQLite file"


# -- all of them together ---------------------------------------------------------------------


def _names(drafts: Sequence[Draft]) -> Iterator[Finding]:
    first: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.values.get("database_name")
        if name is not None and first.setdefault(name, draft) is not draft:
            yield draft, "database_name", f"{name!r} is configured already, {_at(first[name])}"


def _at(draft: Draft) -> str:
    return f"on line {draft.location.line}"


def _defaults(drafts: Sequence[Draft]) -> Iterator[Finding]:
    defaults = [draft for draft in drafts if draft.values.get("default")]
    for draft in defaults[1:]:
        yield draft, "default", f"{defaults[0].label!r} is the default already"


def _replicas(drafts: Sequence[Draft]) -> Iterator[Finding]:
    known = {draft.values.get("database_name"): draft for draft in drafts}
    for draft in drafts:
        if not draft.replica:
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
    if primary.replica:
        return f"{name!r} is itself a replica; name its primary"
    if draft.kind and primary.kind and draft.kind != primary.kind:
        return f"{name!r} is of kind {primary.kind}, this one is {draft.kind}"
    return None


def _targets(drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Two databases that are one target, unless their ledgers are apart; replicas have none."""
    writers = [draft for draft in drafts if not draft.replica]
    yield from _same(_URL, ((draft, draft.url) for draft in writers))
    yield from _same("dev_database_url", ((draft, draft.dev_url) for draft in writers))


def _same(name: str, urls: Iterable[tuple[Draft, DatabaseURL | None]]) -> Iterator[Finding]:
    first: dict[tuple[str, str, str], Draft] = {}
    for draft, url in urls:
        if url is None or url.target is None:
            continue
        ledger = draft.values.get("ledger_table", DEFAULT_TABLE)
        key = (url.target, _namespace(draft, url), ledger)
        other = first.setdefault(key, draft)
        if other is not draft:
            replica = name == _URL and not draft.tenants and not other.tenants
            yield (
                draft,
                name,
                f"is the same database as {other.label!r} ({url.display}); "
                + (f"if it only reads there, say replica_of={other.label!r}; " if replica else "")
                + "if both have migrations, give one of them its own ledger_table or ledger_schema",
            )


def _namespace(draft: Draft, url: DatabaseURL) -> str:
    """Where the ledger lies; without ``ledger_schema`` the first entry of ``search_path``."""
    path = (url.search_path or "public").split(",")[0].strip().strip('"')
    return str(draft.values.get("ledger_schema") or path)


def _folders(drafts: Sequence[Draft], root: Path) -> Iterator[Finding]:
    first: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.values.get("database_name")
        if name is None or draft.replica:
            continue
        folder = draft.values.get("migrations_dir", _default_folder(name, root))
        other = first.setdefault(os.path.realpath(folder), draft)
        if other.values["database_name"] != name:
            yield draft, "migrations_dir", f"is the folder of {other.label!r} already: {folder}"


def _default_folder(name: str, root: Path) -> Path:
    return root / "migrations" / name


def _tenants(drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Names that could be a database's and a tenant's, or the tenants' of two families."""
    families = [(draft, draft.pattern) for draft in drafts if draft.pattern]
    for place, (draft, pattern) in enumerate(families):
        for other, others in families[:place]:
            if overlap(pattern, others) and pattern.name != others.name:
                yield draft, "database_name", f"its names may be those of {other.label!r} too"
        yield from _lost(draft, pattern, drafts)
        for other in drafts:
            name = other.values.get("database_name")
            if other.tenants is None and name and pattern.id_of(name) is not None:
                words = f"{name!r} could be a tenant of {draft.label!r}; take another name"
                yield other, "database_name", words


# -- what they become -------------------------------------------------------------------------


def _lost(draft: Draft, pattern: Pattern, drafts: Sequence[Draft]) -> Iterator[Finding]:
    """Tenants of a fixed list whose database is somebody else's."""
    taken = _taken(draft, pattern, drafts)
    source = draft.tenants.source if draft.tenants else ()
    for tenant_id in () if callable(source) else source:
        if (label := taken.get(str(tenant_id))) is not None:
            yield draft, "tenants", f"{tenant_id!r}: its database is that of {label!r} already"


def _configs(drafts: Sequence[Draft], root: Path) -> tuple[Declared, ...]:
    named = {draft.values["database_name"]: draft for draft in drafts}
    writers = [draft for draft in drafts if not draft.replica]
    return tuple(
        _family(draft, draft.tenants, drafts, root)
        if draft.tenants is not None
        else _config(
            draft, named.get(draft.values.get("replica_of")), root, only=writers == [draft]
        )
        for draft in drafts
    )


def _family(draft: Draft, told: PatternDraft, drafts: Sequence[Draft], root: Path) -> TenantFamily:
    assert told.pattern is not None
    template = _config(draft, None, root, only=False)
    return TenantFamily(
        pattern=told.pattern,
        template=replace(template, migrations_name=template.database_name),
        source=told.source,
        refresh_after=told.refresh_after,
        taken=_taken(draft, told.pattern, drafts),
    )


def _taken(draft: Draft, pattern: Pattern, drafts: Sequence[Draft]) -> dict[str, str]:
    """Ids whose database would be that of a database declared by hand."""
    sample = _target(draft)
    targets = ((other.label, _target(other)) for other in drafts if not other.tenants)
    found = (
        (tenant_at(pattern, sample, target) if sample and target else None, label)
        for label, target in targets
    )
    return {tenant_id: label for tenant_id, label in found if tenant_id is not None}


def _target(draft: Draft) -> str | None:
    """Where the ledger is, as text; ``None`` where that cannot be known."""
    if draft.replica or draft.url is None or draft.url.target is None:
        return None
    ledger = draft.values.get("ledger_table", DEFAULT_TABLE)
    return "\n".join((draft.url.target, _namespace(draft, draft.url), ledger))


def _config(draft: Draft, primary: Draft | None, root: Path, *, only: bool) -> DatabaseConfig:
    """*only* makes it the default; a replica has what its *primary* has."""
    shared = primary.values if primary else {}
    values = {name: shared[name] for name in _SHARED if name in shared} | draft.values
    owner = primary or draft
    values.setdefault("migrations_dir", _default_folder(owner.values["database_name"], root))
    values["default"] = values.get("default", False) or only
    if primary is not None:
        values["primary"] = _config(primary, None, root, only=only)
    return DatabaseConfig(root=root, **values)


_SHARED = (
    *("migrations_dir", "ledger_table", "ledger_schema"),
    *("dev_database_url", "dev_database_type"),
)
"""What a replica has of its primary unless it says otherwise."""
