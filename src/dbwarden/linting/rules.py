"""The table of rules. Pure."""

from collections.abc import Mapping

from dbwarden.linting import contents, locking, structure
from dbwarden.linting.rule import LintRule
from dbwarden.linting.structure import find_types

UNUSED_ALLOW = "unused-allow"
"""The rule about allowances, which needs the findings of the others."""

_RELEASE_FIRST = "Release an application that does not use it first. Then allow this with a reason."

RULES: Mapping[str, LintRule] = {
    rule.name: rule
    for rule in (
        LintRule(
            name="rewrite",
            sentence="A statement rewrites an existing table.",
            next_step="Find a form that keeps the rows where they are: a new column that is filled "
            "in batches instead of a new type, a constant default.",
            severity="error",
            find=locking.find_rewrites,
            scale="size",
        ),
        LintRule(
            name="scan-under-lock",
            sentence="A statement reads a whole table while writes wait.",
            next_step="Read the table in a transaction that holds no lock against writes: put "
            "-- @dbwarden:autocommit before the statement, and take strong locks elsewhere.",
            severity="error",
            find=locking.find_scans,
            scale="size",
        ),
        LintRule(
            name="blocking-index",
            sentence="An index is built or dropped while writes wait.",
            severity="error",
            find=locking.find_blocking_indexes,
            scale="size",
        ),
        LintRule(
            name="constraint-not-valid",
            sentence="A foreign key or check reads all existing rows while writes wait.",
            next_step="Add it NOT VALID, and VALIDATE CONSTRAINT in a transaction of its own "
            "(-- @dbwarden:autocommit), which blocks no writes.",
            severity="error",
            find=locking.find_validated_constraints,
            scale="size",
        ),
        LintRule(
            name="not-null-scan",
            sentence="A column becomes NOT NULL by reading all rows while reads and writes wait.",
            severity="error",
            find=locking.find_not_null_scans,
            scale="size",
        ),
        LintRule(
            name="type-change",
            sentence="A column gets a type that needs other rows, or a check of all rows.",
            next_step="Add a column of the new type, write both, fill it in batches, read it, and "
            "drop the old one in a later release.",
            find=structure.find_type_changes,
        ),
        LintRule(
            name="rename",
            sentence="A table or column that applications use gets another name.",
            next_step="Add the new one next to the old one, move readers and writers, and drop the "
            "old one in a later release. Or keep the name in the database.",
            find=structure.find_renames,
        ),
        LintRule(
            name="drop-column",
            sentence="A column that applications may use is dropped.",
            next_step=_RELEASE_FIRST,
            find=structure.find_dropped_columns,
        ),
        LintRule(
            name="drop-table",
            sentence="A table that applications may use is dropped.",
            next_step=_RELEASE_FIRST,
            find=structure.find_dropped_tables,
        ),
        LintRule(
            name="backfill-in-transaction",
            sentence="One transaction changes the rows of a whole table.",
            next_step="Change them in batches, each in a transaction of its own: with "
            "-- dbwarden: backfill.",
            find=locking.find_backfills,
            scale="size",
        ),
        LintRule(
            name="lock-then-wait",
            sentence="A transaction waits for a second lock, or changes rows, under a strong lock.",
            find=locking.find_waits_under_lock,
        ),
        LintRule(
            name="volatile-default",
            sentence="The value of a new column is computed for every row.",
            next_step="Add the column without it, ALTER COLUMN ... SET DEFAULT for new rows, and "
            "fill the existing rows in batches.",
            find=locking.find_volatile_defaults,
            scale="size",
        ),
        LintRule(
            name="enum-value-used-in-same-transaction",
            sentence="A transaction uses an enum value that it added itself.",
            next_step="Put -- @dbwarden:autocommit before ALTER TYPE ... ADD VALUE, or add the "
            "value in an earlier migration.",
            severity="error",
            find=structure.find_unsafe_values,
        ),
        LintRule(
            name="missing-fk-index",
            sentence="No index supports a new foreign key.",
            severity="info",
            find=structure.find_unindexed_keys,
        ),
        LintRule(
            name="int-primary-key",
            sentence="A new primary key can run out of numbers.",
            next_step="Use bigint.",
            severity="info",
            find=structure.find_narrow_keys,
        ),
        LintRule(
            name="json-not-jsonb",
            sentence="A new column is of type json instead of jsonb.",
            next_step="Use jsonb, unless the exact text matters.",
            severity="info",
            find=find_types("json without index support", "which has no equality and no index"),
        ),
        LintRule(
            name="timestamp-without-zone",
            sentence="A new column stores times without saying of which time zone.",
            next_step="Use timestamp with time zone (timestamptz).",
            severity="info",
            find=find_types(
                "no time zone",
                "whose values mean other moments in each session's time zone",
            ),
        ),
        LintRule(
            name="identifier-too-long",
            sentence="The server shortens a name.",
            next_step="Give it a shorter name, so that the files say what the database has.",
            find=structure.find_long_names,
        ),
        LintRule(
            name="no-rollback",
            sentence="A file has no rollback and is not declared irreversible.",
            next_step="Write one below -- rollback, or put -- dbwarden: irreversible above "
            "-- upgrade.",
            find=contents.find_missing_rollback,
        ),
        LintRule(
            name="undeclared-loss",
            sentence="A rollback cannot restore values, and the header does not say so.",
            find=contents.find_undeclared_losses,
        ),
        LintRule(
            name="data-and-ddl-mixed",
            sentence="One transaction changes rows and the structure of existing tables.",
            next_step="Put the rows into a migration of their own.",
            find=locking.find_mixed_transactions,
        ),
        LintRule(
            name="requires-missing",
            sentence="A file requires a migration that the project does not have.",
            next_step="Correct the -- requires: header, or add the missing migration.",
            severity="error",
            find=contents.find_unmet_requirements,
        ),
        LintRule(
            name="naming",
            sentence="A new name does not match the configured pattern.",
            next_step="Change the name, or naming= in database_config.",
            find=structure.find_unusual_names,
        ),
        LintRule(
            name="foreign-keys",
            sentence="SQLite accepts a foreign key, or a PRAGMA about them, that cannot work.",
            severity="error",
            find=structure.find_unenforceable_keys,
        ),
        LintRule(
            name=UNUSED_ALLOW,
            sentence="A file allows a finding that it does not have.",
            next_step="Remove the comment, or put it into the header or directly before its "
            "statement.",
            find=lambda file: iter(()),
        ),
    )
}
