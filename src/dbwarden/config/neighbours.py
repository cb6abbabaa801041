"""Find the namespaces of other configured databases in the same PostgreSQL database. Pure."""

import re
from collections.abc import Iterator

from dbwarden.config.libpq import namespace_of
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.project import Project
from dbwarden.config.tenants import SAMPLE, TenantFamily
from dbwarden.errors import ConfigurationError


def neighbours(config: DatabaseConfig, project: Project) -> Iterator[re.Pattern[str]]:
    """Yield a pattern for the namespaces of each other database of *project*."""
    own = config.url
    for item in project.declared if own is not None else ():
        other = item.template if isinstance(item, TenantFamily) else item
        try:
            url = (other.for_dev() if config.dev else other).url
        except ConfigurationError:  # no development database of this kind
            continue
        if own is None or url is None or url.target != own.target:
            continue
        name = re.escape(namespace_of(url))
        if isinstance(item, TenantFamily):
            name = name.replace(SAMPLE, f"(?:{item.pattern.ids.pattern})")
        yield re.compile(f"(?!{re.escape(namespace_of(own))}$)(?:{name})")
