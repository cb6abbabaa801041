"""Declarations -> configurations, or every problem they have, all at once. Pure."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dbwarden.config.checks import CHECKS, Problem, left_out
from dbwarden.config.model import EMBEDDED, DatabaseConfig, contradicting_time
from dbwarden.config.names import did_you_mean
from dbwarden.config.registry import Declaration
from dbwarden.config.urls import DatabaseURL, read_url, redact
from dbwarden.ledger import DEFAULT_TABLE
from dbwarden.types import Location

_CONNECT_TIMEOUT = next(
    field.default for field in fields(DatabaseConfig) if field.name == "connect_timeout"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One declaration with what could be settled of it.

    ``values`` holds the good values of options; ``problems`` what is wrong with the others, as
    ``(field, words)``. ``url`` and ``dev_url`` are ``None`` where they are unknown or unusable.
    """

    label: str
    location: Location
    values: dict[str, Any] = field(repr=False)
    problems: tuple[tuple[str, str], ...]
    url: DatabaseURL | None
    dev_url: DatabaseURL | None

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
) -> tuple[tuple[DatabaseConfig, ...], tuple[str, ...]]:
    """Check *declarations* one by one and together.

    Args:
        declarations: In configured order.
        root: The folder from which relative paths count.

    Returns:
        The configurations, and the problems, each a line that names database, field and place.
        Where there are problems, there are no configurations.
    """
    drafts = [_draft(declaration, root) for declaration in declarations]
    findings = [(draft, *problem) for draft in drafts for problem in draft.problems]
    findings += [*_names(drafts), *_defaults(drafts), *_replicas(drafts)]
    findings += [*_targets(drafts), *_folders(drafts, root)]
    if findings:
        findings.sort(key=lambda finding: drafts.index(finding[0]))
        return (), tuple(_line(finding, root) for finding in findings)
    return _configs(drafts, root), ()


def _line(finding: Finding, root: Path) -> str:
    draft, name, words = finding
    return redact(f"{draft.label}.{name}: {words} ({_place(draft.location, root)})")


def _place(location: Location, root: Path) -> str:
    inside = location.path.is_relative_to(root)
    return str(replace(location, path=location.path.relative_to(root)) if inside else location)


# -- one declaration --------------------------------------------------------------------------


def _draft(declaration: Declaration, root: Path) -> Draft:
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


def _unknown(declaration: Declaration) -> Iterator[tuple[str, str]]:
    for name in declaration.options:
        if name not in CHECKS:
            yield name, f"there is no such option{did_you_mean(name, CHECKS)}"
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
            problems.append((name, parsed))
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
            yield (
                draft,
                name,
                f"is the same database as {other.label!r} ({url.display}); if that is meant, give "
                "one of them its own ledger_table or ledger_schema",
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


# -- what they become -------------------------------------------------------------------------


def _configs(drafts: Sequence[Draft], root: Path) -> tuple[DatabaseConfig, ...]:
    named = {draft.values["database_name"]: draft for draft in drafts}
    writers = [draft for draft in drafts if not draft.replica]
    return tuple(
        _config(draft, named.get(draft.values.get("replica_of")), root, only=writers == [draft])
        for draft in drafts
    )


def _config(draft: Draft, primary: Draft | None, root: Path, *, only: bool) -> DatabaseConfig:
    """*only* makes it the default; a replica has what its *primary* has."""
    shared = primary.values if primary else {}
    values = {name: shared[name] for name in _SHARED if name in shared} | draft.values
    owner = primary or draft
    values.setdefault("migrations_dir", _default_folder(owner.values["database_name"], root))
    values["default"] = values.get("default", False) or only
    return DatabaseConfig(root=root, **values)


_SHARED = (
    *("migrations_dir", "ledger_table", "ledger_schema"),
    *("dev_database_url", "dev_database_type"),
)
"""What a replica has of its primary unless it says otherwise."""
