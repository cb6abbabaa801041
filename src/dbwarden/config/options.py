"""The table of the options of ``database_config``. Pure.

``registry.DatabaseOptions`` has their types, ``DatabaseConfig`` their defaults, and
docs/configuration.md describes them. Tests compare all three with this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dbwarden.config import checks
from dbwarden.config.checks import Check

EMBEDDED = "embedded"
"""The keyword that selects the project's embedded PostgreSQL server instead of a URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of ``database_config``.

    Attributes:
        name: The argument.
        check: Returns the value for ``DatabaseConfig``.
        required: Whether it must be given.
        optional: Whether ``None`` means that it is omitted, as does an empty URL. Both come from
            environment variables that are not set.
        url: Whether it takes a URL.
        keywords: The words that it takes instead of a URL.
        inherited: Whether a replica inherits it from its primary.
        tenants: Whether ``tenant_databases`` has it too.
    """

    name: str
    check: Check
    required: bool = False
    optional: bool = False
    url: bool = False
    keywords: tuple[str, ...] = ()
    inherited: bool = False
    tenants: bool = True

    def is_unset(self, value: object) -> bool:
        """Return whether *value* means that the option is omitted."""
        return self.optional and (value is None or (self.url and value == ""))


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option(name="database_name", check=checks.name, required=True, tenants=False),
        Option(
            name="database_url",
            check=checks.source,
            required=True,
            url=True,
            keywords=(EMBEDDED,),
        ),
        Option(name="database_type", check=checks.kind, optional=True),
        Option(name="default", check=checks.flag, tenants=False),
        Option(name="model_paths", check=checks.model_paths),
        Option(name="schema_paths", check=checks.paths),
        Option(name="migrations_dir", check=checks.path, optional=True, inherited=True),
        Option(name="migration_url", check=checks.source, optional=True, url=True),
        Option(name="dev_database_type", check=checks.kind, optional=True, inherited=True),
        Option(
            name="dev_database_url",
            check=checks.source,
            optional=True,
            url=True,
            keywords=(EMBEDDED,),
            inherited=True,
        ),
        Option(name="overlap_models", check=checks.flag),
        Option(name="compare_privileges", check=checks.flag),
        Option(name="partitions", check=checks.partitions),
        Option(name="ignore_drift", check=checks.patterns),
        Option(name="naming", check=checks.naming, inherited=True),
        Option(name="replica_of", check=checks.reference, optional=True, tenants=False),
        Option(name="timeout", check=checks.seconds(optional=True)),
        Option(name="connect_timeout", check=checks.seconds()),
        Option(name="lock_timeout", check=checks.seconds(optional=True)),
        Option(name="lock_retries", check=checks.count(0)),
        Option(name="statement_timeout", check=checks.seconds(optional=True)),
        Option(name="migration_lock_timeout", check=checks.seconds()),
        Option(name="pool_size", check=checks.count(1)),
        Option(name="max_overflow", check=checks.count(0)),
        Option(name="pool_timeout", check=checks.seconds()),
        Option(name="pool_recycle", check=checks.seconds(also=-1)),
        Option(name="pool_pre_ping", check=checks.flag),
        Option(name="engine_options", check=checks.engine_options),
        Option(name="ledger_table", check=checks.identifier, inherited=True),
        Option(name="ledger_schema", check=checks.identifier, optional=True, inherited=True),
        Option(name="scratch", check=checks.text, url=True, keywords=("auto", EMBEDDED)),
        Option(name="scratch_setup", check=checks.path, optional=True),
    )
}
