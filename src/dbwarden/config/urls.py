"""Database URLs, parsed without SQLAlchemy. (helper A writes this)"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseURL:
    """Placeholder."""


def parse_url(url: object) -> DatabaseURL:
    """Placeholder."""
    raise ValueError(url)
