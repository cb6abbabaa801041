"""Find the namespaces of other configured databases in the same PostgreSQL database. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from dbwarden.config.libpq import namespace_of
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.project import Declared, Project
from dbwarden.config.tenants import SAMPLE, TenantFamily
from dbwarden.config.urls import DatabaseURL
from dbwarden.errors import ConfigurationError


def neighbours(config: DatabaseConfig, project: Project) -> Iterator[re.Pattern[str]]:
    """Yield a pattern for the namespaces of each other database of *project*."""
    own = config.url
    if own is None or own.target is None:
        return
    mine = namespace_of(own)
    for item, url in _by_target(project, dev=config.dev).get(own.target, ()):
        theirs = re.escape(namespace_of(url))
        if isinstance(item, TenantFamily):
            theirs = theirs.replace(SAMPLE, f"(?:{item.pattern.ids.pattern})")
        elif namespace_of(url) == mine:
            continue
        yield re.compile(f"(?!{re.escape(mine)}$)(?:{theirs})")


def _by_target(
    project: Project, *, dev: bool
) -> Mapping[str, Sequence[tuple[Declared, DatabaseURL]]]:
    """Return what *project* declares, by physical database. Cached in *project*."""
    if (known := project.by_target.get(dev)) is not None:
        return known
    found: dict[str, list[tuple[Declared, DatabaseURL]]] = {}
    for item in project.declared:
        config = item.template if isinstance(item, TenantFamily) else item
        try:
            url = (config.for_dev() if dev else config).url
        except ConfigurationError:  # no development database of this kind
            continue
        if url is not None and (target := url.target) is not None:
            found.setdefault(target, []).append((item, url))
    project.by_target[dev] = found
    return found
