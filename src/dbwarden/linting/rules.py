"""The table of rules. Pure."""

from collections.abc import Mapping

from dbwarden.linting import contents, locking, structure
from dbwarden.linting.rule import Rule
from dbwarden.linting.structure import find_types

UNUSED_ALLOW = "unused-allow"
"""The rule about allowances, which needs the findings of the others."""

RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            name="rewrite",
            sentence="A statement rewrites an existing table.",
            severity="error",
            find=locking.find_rewrites,
            scale="size",
        ),
        Rule(
            name="scan-under-lock",
            sentence="A statement reads a whole table while writes wait.",
            severity="error",
            find=locking.find_scans,
            scale="size",
        ),
        Rule(
            name="blocking-index",
            sentence="An index is built or dropped while writes wait.",
            severity="error",
            find=locking.find_blocking_indexes,
            scale="size",
        ),
        Rule(
            name="constraint-not-valid",
            sentence="A foreign key or check reads all existing rows while writes wait.",
            severity="error",
            find=locking.find_validated_constraints,
            scale="size",
        ),
        Rule(
            name="not-null-scan",
            sentence="A column becomes NOT NULL by reading all rows while reads and writes wait.",
            severity="error",
            find=locking.find_not_null_scans,
            scale="size",
        ),
        Rule(
            name="type-change",
            sentence="A column gets a type that needs other rows, or a check of all rows.",
            find=structure.find_type_changes,
        ),
        Rule(
            name="rename",
            sentence="A table or column that applications use gets another name.",
            find=structure.find_renames,
        ),
        Rule(
            name="drop-column",
            sentence="A column that applications may use is dropped.",
            find=structure.find_dropped_columns,
        ),
        Rule(
            name="drop-table",
            sentence="A table that applications may use is dropped.",
            find=structure.find_dropped_tables,
        ),
        Rule(
            name="backfill-in-transaction",
            sentence="One transaction changes the rows of a whole table.",
            find=locking.find_backfills,
            scale="size",
        ),
        Rule(
            name="lock-then-wait",
            sentence="A transaction waits for a second lock, or changes rows, under a strong lock.",
            find=locking.find_waits_under_lock,
        ),
        Rule(
            name="volatile-default",
            sentence="The value of a new column is computed for every row.",
            find=locking.find_volatile_defaults,
            scale="size",
        ),
        Rule(
            name="enum-value-used-in-same-transaction",
            sentence="A transaction uses an enum value that it added itself.",
            severity="error",
            find=structure.find_unsafe_values,
        ),
        Rule(
            name="missing-fk-index",
            sentence="No index supports a new foreign key.",
            severity="info",
            find=structure.find_unindexed_keys,
        ),
        Rule(
            name="int-primary-key",
            sentence="A new primary key can run out of numbers.",
            severity="info",
            find=structure.find_narrow_keys,
        ),
        Rule(
            name="json-not-jsonb",
            sentence="A new column is of type json instead of jsonb.",
            severity="info",
            find=find_types(
                "json without index support",
                "which has no equality and no index",
                "Use jsonb, unless the exact text matters.",
            ),
        ),
        Rule(
            name="timestamp-without-zone",
            sentence="A new column stores times without saying of which time zone.",
            severity="info",
            find=find_types(
                "no time zone",
                "whose values mean other moments in each session's time zone",
                "Use timestamp with time zone (timestamptz).",
            ),
        ),
        Rule(
            name="identifier-too-long",
            sentence="The server shortens a name.",
            find=structure.find_long_names,
        ),
        Rule(
            name="no-rollback",
            sentence="A file has no rollback and is not declared irreversible.",
            find=contents.find_missing_rollback,
        ),
        Rule(
            name="undeclared-loss",
            sentence="A rollback cannot restore values, and the header does not say so.",
            find=contents.find_undeclared_losses,
        ),
        Rule(
            name="data-and-ddl-mixed",
            sentence="One transaction changes rows and the structure of existing tables.",
            find=locking.find_mixed_transactions,
        ),
        Rule(
            name="requires-missing",
            sentence="A file requires a migration that the project does not have.",
            severity="error",
            find=contents.find_unmet_requirements,
        ),
        Rule(
            name="naming",
            sentence="A new name does not match the configured pattern.",
            find=structure.find_unusual_names,
        ),
        Rule(
            name="foreign-keys",
            sentence="SQLite accepts a foreign key, or a PRAGMA about them, that cannot work.",
            severity="error",
            find=structure.find_unenforceable_keys,
        ),
        Rule(
            name=UNUSED_ALLOW,
            sentence="A file allows a finding that it does not have.",
            find=lambda file: iter(()),
        ),
    )
}
