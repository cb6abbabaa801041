"""Write the next migration from the models, after proving it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import anyio.to_thread

from dbwarden.authoring.compare.comparison import compare_with_models
from dbwarden.authoring.compare.left_out import unclaimed
from dbwarden.authoring.compare.user_choices import Answers, Asker
from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.files.folder import read_names
from dbwarden.files.template import empty_migration
from dbwarden.operations.made_files import MadeFile, Naming
from dbwarden.operations.migrations_folder import refuse_replica
from dbwarden.operations.operation import migration_files, operation
from dbwarden.operations.writing import MakeMigrationsResult as MakeMigrationsResult
from dbwarden.operations.writing import MakeOptions, finish, write_between


@operation("make_migrations")
async def make_migrations(
    config: DatabaseConfig,
    *,
    message: str,
    name: str | None = None,
    empty: bool = False,
    sql: bool = False,
    renames: Sequence[str] = (),
    allow_drop: Sequence[str] = (),
    fills: Mapping[str, str] | None = None,
    using: Mapping[str, str] | None = None,
    rollback_using: Mapping[str, str] | None = None,
    online: bool = False,
    allow_rewrite: Sequence[str] = (),
    allow_rename: Sequence[str] = (),
    unproven: bool = False,
    allow_failing_on_rows: bool = False,
    from_live: bool = False,
    keep_going: bool = False,
    asker: Asker | None = None,
) -> MakeMigrationsResult:
    """Compare the models with the migration files and write the migration between them.

    Args:
        config: The database, its name, or ``None`` for the default one.
        message: What the migration does; becomes the file's name.
        name: Another name for the file.
        empty: Write a file without SQL.
        sql: Return the text and write nothing.
        renames: ``users.nick:nickname``, ``users:people``, ``status.old:new``.
        allow_drop: Objects that may lose data, by exact name: ``users.email``.
        fills: Expressions for existing rows without a value, by column.
        using: Expressions that convert old values, by column.
        rollback_using: Expressions that convert new values back in the rollback, by column.
        online: Use forms that do not block reads and writes; that may be several files.
        allow_rewrite: Columns whose change may rewrite their table anyway: ``users.age``.
        allow_rename: Tables and columns that ``online`` renames in place: ``users.nick``.
        unproven: Write the migration even if it could not be proven.
        allow_failing_on_rows: Write it even if a column has no value for existing rows.
        from_live: Compare with the live database instead of the files.
        keep_going: Leave out models that the server refuses, and write the rest.
        asker: Asks the user, if possible.

    Raises:
        UsageError: A replica; nothing to compare; an undecided rename, drop or fill.
        ConfigurationError: The models cannot be read.
        UnsupportedChange: A difference that cannot be expressed.
        NotProven, ScratchRefused: The proof failed; nothing was written.
    """
    refuse_replica(config, f"Run it for {config.replica_of}.")
    answers = Answers(renames=renames, allow_drop=allow_drop, online=online, asker=asker)
    answers = replace(answers, allow_failing_on_rows=allow_failing_on_rows, fills=fills or {})
    answers = replace(answers, using=using or {}, rollback_using=rollback_using or {})
    answers = replace(answers, allow_rewrite=allow_rewrite, allow_rename=allow_rename)
    how = {"unproven": unproven, "from_live": from_live, "keep_going": keep_going}
    options = MakeOptions(message=message, name=name, answers=answers, write=not sql, **how)
    return await (_empty(config, options) if empty else _compare(config, options))


async def _empty(config: DatabaseConfig, options: MakeOptions) -> MakeMigrationsResult:
    names = await anyio.to_thread.run_sync(read_names, config.migrations_dir, config.files_of)
    naming = Naming(config=config, files=names, message=options.message, name=options.name)
    made = MadeFile(
        name=naming.file_name(),
        version=naming.version(),
        text=empty_migration(options.message),
        verdict="",
        proven=False,
    )
    result = MakeMigrationsResult(database=config.database_name)
    return await finish(naming, result, [made], write=options.write)


async def _compare(config: DatabaseConfig, options: MakeOptions) -> MakeMigrationsResult:
    files = await migration_files(config)
    try:
        async with open_scratch_session(config) as session:
            if not session.authoring_dialect.online_forms:
                plain = replace(options.answers, online=False, allow_rewrite=(), allow_rename=())
                options = replace(options, answers=plain)
            comparison = await compare_with_models(
                session, files, from_live=options.from_live, keep_going=options.keep_going
            )
            left_out = (*unclaimed(comparison.hints.unclaimed), *comparison.left_out)
            comparison = replace(comparison, left_out=left_out)
            return await write_between(session, files, options, comparison)
    except UsageError as error:  # name the database, as there may be several
        error.database = error.database or config.database_name
        raise
