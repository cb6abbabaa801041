"""Load the coroutine of a backfill in Python, and locate its errors in the file."""

import inspect
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dbwarden.config.threads import in_own_thread
from dbwarden.dialects.backfill.work import Apply, BackfillWork, Batch
from dbwarden.dialects.base import Step
from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.files.migration import Migration
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import Location


async def work_of_steps(migration: Migration, steps: Sequence[Step]) -> BackfillWork:
    """Return the backfill *migration*, whose SQL has the *steps*, to be run.

    Raises:
        StatementFailed: The Python file cannot be run.
    """
    if migration.is_python:
        # In a thread, because it may import the application.
        apply = await in_own_thread(partial(load_upgrade, migration))
        return BackfillWork(migration=migration, apply=apply)
    statements = tuple(statement for step in steps for statement in step.statements)
    return BackfillWork(migration=migration, statements=statements)


def load_upgrade(migration: Migration) -> Apply:
    """Run the file of *migration* and return its ``upgrade``. Blocking.

    Raises:
        StatementFailed: The file cannot be run; has file and line.
    """
    blank = "\n" * (migration.upgrade.line - 1)  # so that tracebacks have the lines of the file
    path = str(migration.path)
    names: dict[str, Any] = {"__name__": migration.path.stem, "__file__": path}
    try:
        exec(compile(blank + migration.upgrade.text, path, "exec"), names)
    except Exception as error:
        failed, cause = _failed(migration, error), clean_cause(error)
    else:
        return _located(migration, names["upgrade"])
    raise failed from cause


def _located(migration: Migration, upgrade: Callable[[Batch], Any]) -> Apply:
    async def apply(batch: Batch) -> None:
        try:
            result = upgrade(batch)
            if inspect.isawaitable(result):  # a decorator may have changed the function
                await result
        except DBWardenError as error:
            error.location = error.location or _location(migration, error)
            raise
        except Exception as error:
            failed, cause = _failed(migration, error), clean_cause(error)
        else:
            return
        raise failed from cause

    return apply


def _failed(migration: Migration, error: Exception) -> StatementFailed:
    return StatementFailed(
        f"the code failed: {describe_error(error)}",
        database=migration.database,
        location=_location(migration, error),
        next_step="Correct the code or the rows, then run: dbwarden backfill resume "
        f"{migration.key} -d {migration.database} --accept",
    )


def _location(migration: Migration, error: BaseException) -> Location:
    """Return the innermost line of the file in the traceback of *error*."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(migration.path)]
    return migration.at(lines[-1] if lines else migration.upgrade.line)
