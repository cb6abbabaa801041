"""Define what is known about an option of ``database_config``. Pure.

The options are the fields of ``DatabaseConfig``. ``registry.DatabaseOptions`` has their types for
callers, and docs/configuration.md describes them. Tests compare all three.
"""

from dataclasses import dataclass

from dbwarden.config.checks import OptionCheck

EMBEDDED = "embedded"
"""The keyword that selects the project's embedded PostgreSQL server instead of a URL."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of ``database_config``.

    Attributes:
        check: Returns the value for ``DatabaseConfig``.
        required: Whether it must be given.
        optional: Whether ``None`` means that it is omitted, as does an empty URL. Both come from
            environment variables that are not set.
        kind: If it takes a URL, the option that names the kind of its database.
        keywords: The words that it takes instead of a URL.
        inherited: Whether a replica inherits it from its primary.
        tenants: Whether ``tenant_databases`` has it too.
    """

    check: OptionCheck
    required: bool = False
    optional: bool = False
    kind: str | None = None
    keywords: tuple[str, ...] = ()
    inherited: bool = False
    tenants: bool = True

    def is_unset(self, value: object) -> bool:
        """Return whether *value* means that the option is omitted."""
        return self.optional and (value is None or (self.kind is not None and value == ""))
