"""What ``tenant_databases`` was told, checked. Pure.

A declaration by pattern is checked as the database of one sample tenant; what is special about
patterns is looked at here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbwarden.config.checks import Check, Problem, is_url, seconds, shown, text
from dbwarden.config.names import LONGEST, problem_of_name
from dbwarden.config.registry import TenantDeclaration, TenantSource
from dbwarden.config.tenants import DEFAULT_IDS, FIELD, SAMPLE, Pattern
from dbwarden.config.urls import DatabaseURL, read_url

OWN = ("name", "tenants", "id_pattern", "refresh_after")
REQUIRED = ("name", "database_url", "tenants")
REFRESH_AFTER = 60.0
_URLS = ("database_url", "migration_url", "dev_database_url")
_WITHOUT: Mapping[str, str] = {
    "database_name": "stands for database_name here; leave that out",
    "default": "a tenant cannot be the default database",
    "replica_of": "tenants cannot be declared as replicas",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternDraft:
    """What could be settled of the parts that only ``tenant_databases`` has.

    ``options`` are those of the sample's database; ``problems`` are ``(field, words)``.
    """

    label: str
    options: Mapping[str, object] = field(repr=False)
    pattern: Pattern | None
    source: TenantSource
    refresh_after: float | None
    problems: tuple[tuple[str, str], ...]

    def blamed(self, option: str) -> str:
        """What the user calls the option that the sample's database calls *option*."""
        return "name" if option == "database_name" else option


def read_pattern(declaration: TenantDeclaration, root: Path) -> PatternDraft:
    """Take apart what *declaration* says."""
    given = dict(declaration.options)
    problems = [(name, words) for name, words in _WITHOUT.items() if name in given]
    problems += [(name, "is missing") for name in REQUIRED if name not in given]
    own = {name: given.pop(name) for name in OWN if name in given}
    label = own.get("name")
    urls = dict(_url_patterns(given, problems))
    family = _family(label, problems)
    ids = _ids(own.get("id_pattern", DEFAULT_IDS), problems)
    pattern = None
    if family is not None and ids is not None:
        longest = _longest(str(label), urls, root)
        pattern = Pattern(name=str(label), ids=ids, urls=urls, longest=longest)
    sample = {name: value for name, value in given.items() if name not in _WITHOUT}
    sample |= {name: url.replace(FIELD, SAMPLE) for name, url in urls.items()}
    return PatternDraft(
        label=label if isinstance(label, str) and "://" not in label else "tenant_databases",
        options=sample if family is None else {**sample, "database_name": family},
        pattern=pattern,
        source=_source(own.get("tenants", ()), pattern, problems),
        refresh_after=_checked(
            "refresh_after", own.get("refresh_after", REFRESH_AFTER), _SECONDS, root, problems
        ),
        problems=tuple(problems),
    )


def _longest(name: str, urls: Mapping[str, str], root: Path) -> int:
    """How many characters of an id have room in every name that holds it."""
    rooms = [LONGEST - len(name) + len(FIELD)]
    for url in urls.values():
        parsed = read_url(url.replace(FIELD, SAMPLE), root)
        if isinstance(parsed, DatabaseURL) and parsed.dialect == "postgresql":
            times = parsed.database.count(SAMPLE)
            rest = len(parsed.database.encode()) - times * len(SAMPLE)
            rooms += [(LONGEST - rest) // times] if times else []
    return max(0, min(rooms))


_SECONDS = seconds(optional=True)
Problems = list[tuple[str, str]]


def _checked(name: str, value: object, check: Check, root: Path, problems: Problems) -> Any:
    try:
        return check(value, root)
    except Problem as problem:
        problems.append((name, str(problem)))
        return None


def _url_patterns(given: dict[str, object], problems: Problems) -> Iterator[tuple[str, str]]:
    """The URLs with the field; what stays in *given* of the others is the same for all."""
    for name in _URLS:
        url = given.get(name)
        if url in (None, "") or (name == "dev_database_url" and url == "embedded"):
            continue
        if not isinstance(url, str):
            problems.append((name, f"must be text with {FIELD} in it, not {shown(url)}"))
        elif FIELD not in url:
            problems.append((name, f"has no {FIELD}, so that all tenants would share a database"))
        else:
            yield name, url
            continue
        del given[name]


def _family(name: object, problems: Problems) -> str | None:
    """What names of files and folder begin with: the name without the field."""
    if name is None:
        return None
    try:
        written = text(name, Path())
    except Problem as problem:
        problems.append(("name", str(problem)))
        return None
    if is_url(written):
        problems.append(("name", "is a URL, not a name"))
        return None
    if written.count(FIELD) != 1:
        problems.append(("name", f"must have {FIELD} in it once, as in 'tenant_{FIELD}'"))
        return None
    before, _, after = written.partition(FIELD)
    family = "_".join(part for part in (before.strip("_"), after.strip("_")) if part)
    words = problem_of_name(family) if family else f"must have a word beside {FIELD}"
    words = words or problem_of_name(written.replace(FIELD, "0" if before else "a"))
    if words:
        problems.append(("name", words))
    return None if words else family


def _ids(given: object, problems: Problems) -> re.Pattern[str] | None:
    if not isinstance(given, str) or not given or is_url(given):
        problems.append(("id_pattern", f"must be a regular expression, not {shown(given)}"))
        return None
    try:
        return re.compile(given)
    except re.error as error:
        problems.append(("id_pattern", f"is no regular expression: {error}"))
        return None


def _source(given: Any, pattern: Pattern | None, problems: Problems) -> TenantSource:
    """The function as it is; a fixed list read once, so that its mistakes are told at once."""
    if callable(given):
        return given  # type: ignore[no-any-return]  # what it returns is looked at when it does
    if isinstance(given, Iterator):
        given = list(given)
    if pattern is None:
        return ()
    try:
        return pattern.read(given)
    except ValueError as error:
        problems.append(("tenants", str(error)))
        return ()


# -- patterns and other databases -----------------------------------------------------------------


def overlap(first: Pattern, second: Pattern) -> bool:
    """Whether one name may belong to both."""
    before, _, after = first.name.partition(FIELD)
    other_before, _, other_after = second.name.partition(FIELD)
    return (before.startswith(other_before) or other_before.startswith(before)) and (
        after.endswith(other_after) or other_after.endswith(after)
    )


def tenant_at(pattern: Pattern, sample_target: str, target: str) -> str | None:
    """The tenant whose database would be at *target*, where the sample's is at *sample_target*."""
    one, *others = [re.escape(part) for part in sample_target.split(SAMPLE)]
    if not others:
        return None
    found = re.fullmatch(f"{one}(.+?)" + r"\1".join(others), target)
    return found[1] if found and pattern.problem_of(found[1]) is None else None
