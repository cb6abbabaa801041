"""Validate the options that only ``tenant_databases`` has. Pure.

The other options are validated as those of one sample tenant's database.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbwarden.config.checks import OptionCheck, ValueProblem, is_url, reference, seconds, shown
from dbwarden.config.database_options import OPTIONS
from dbwarden.config.names import problem_of_name
from dbwarden.config.registry import TENANT_OPTIONS, IdSource, TenantDeclaration
from dbwarden.config.tenants import DEFAULT_IDS, FIELD, SAMPLE, Pattern
from dbwarden.config.urls import DatabaseURL, read_url
from dbwarden.types import LONGEST_NAME

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
    """The valid parts of one ``tenant_databases`` declaration.

    ``options`` are those of the sample tenant's database; ``problems`` are ``(option, problem)``.
    """

    label: str
    options: Mapping[str, object] = field(repr=False)
    pattern: Pattern | None
    source: IdSource
    refresh_after: float | None
    problems: tuple[tuple[str, str], ...]

    def declared_option(self, option: str) -> str:
        """Return the ``tenant_databases`` option that became *option* of the sample's database."""
        return "name" if option == "database_name" else option


def read_pattern(declaration: TenantDeclaration, root: Path) -> PatternDraft:
    """Split *declaration* into its pattern, its source of ids and a sample database."""
    given = dict(declaration.options)
    problems = [(name, words) for name, words in _WITHOUT.items() if name in given]
    problems += [(name, "is missing") for name in REQUIRED if name not in given]
    special = {name: given.pop(name) for name in TENANT_OPTIONS if name in given}
    label = special.get("name")
    urls = dict(_url_patterns(given, problems))

    def checked(name: str, value: object, check: OptionCheck) -> Any:
        try:
            return check(value, root)
        except ValueProblem as problem:
            problems.append((name, str(problem)))
            return None

    family = None if label is None else checked("name", label, _check_family_name)
    ids = checked("id_pattern", special.get("id_pattern", DEFAULT_IDS), _check_id_pattern)
    pattern = None
    if family is not None and ids is not None:
        longest = _longest_id(str(label), urls, root)
        pattern = Pattern(name=str(label), ids=ids, urls=urls, longest=longest)
    sample = {name: value for name, value in given.items() if name not in _WITHOUT}
    sample |= {name: url.replace(FIELD, SAMPLE) for name, url in urls.items()}
    return PatternDraft(
        label=label if isinstance(label, str) and "://" not in label else "tenant_databases",
        options=sample if family is None else {**sample, "database_name": family},
        pattern=pattern,
        source=_read_source(special.get("tenants", ()), pattern, problems),
        refresh_after=checked(
            "refresh_after", special.get("refresh_after", REFRESH_AFTER), seconds(optional=True)
        ),
        problems=tuple(problems),
    )


def _longest_id(name: str, urls: Mapping[str, str], root: Path) -> int:
    """Return the maximum length of an id for which every name with it is short enough."""
    limits = [LONGEST_NAME - len(name) + len(FIELD)]
    for url in urls.values():
        parsed = read_url(url.replace(FIELD, SAMPLE), root)
        longest = parsed.longest_name if isinstance(parsed, DatabaseURL) else None
        if isinstance(parsed, DatabaseURL) and longest is not None:
            times = parsed.database.count(SAMPLE)
            rest = len(parsed.database.encode()) - times * len(SAMPLE)
            limits += [(longest - rest) // times] if times else []
    return max(0, min(limits))


Problems = list[tuple[str, str]]


def _url_patterns(given: dict[str, object], problems: Problems) -> Iterator[tuple[str, str]]:
    """Take the URLs with the field out of *given*, and yield them."""
    for name in _URLS:
        url = given.get(name)
        if url in (None, "") or (url in OPTIONS[name].keywords):
            continue
        if not isinstance(url, str):
            problems.append((name, f"must be text with {FIELD} in it, not {shown(url)}"))
        elif FIELD not in url:
            problems.append((name, f"has no {FIELD}, so that all tenants would share a database"))
        else:
            yield name, url
            continue
        del given[name]


def _check_family_name(name: Any, root: Path) -> str:
    """Return the name without the field: the prefix of the files and the folder's name."""
    written = reference(name, root)
    if written.count(FIELD) != 1:
        raise ValueProblem(f"must have {FIELD} in it once, as in 'tenant_{FIELD}'")
    before, _, after = written.partition(FIELD)
    family = "_".join(part for part in (before.strip("_"), after.strip("_")) if part)
    words = problem_of_name(family) if family else f"must have a word beside {FIELD}"
    words = words or problem_of_name(written.replace(FIELD, "0" if before else "a"))
    if words:
        raise ValueProblem(words)
    return family


def _check_id_pattern(given: Any, root: Path) -> re.Pattern[str]:
    del root
    if not isinstance(given, str) or not given or is_url(given):
        raise ValueProblem(f"must be a regular expression, not {shown(given)}")
    try:
        return re.compile(given)
    except re.error as error:
        raise ValueProblem(f"is no regular expression: {error}") from None


def _read_source(given: Any, pattern: Pattern | None, problems: Problems) -> IdSource:
    """Return a function unchanged; read a fixed list now to report its problems."""
    if callable(given):
        return given  # type: ignore[no-any-return]  # its result is checked after each call
    if isinstance(given, Iterator):
        given = list(given)
    if pattern is None:
        return ()
    try:
        return pattern.read(given)
    except ValueError as error:
        problems.append(("tenants", str(error)))
        return ()
