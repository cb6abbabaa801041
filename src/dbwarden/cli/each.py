"""Commands that work on one database after the other: one that fails keeps none from its turn."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dbwarden.cli import output
from dbwarden.cli.documents import Json, error_document, plain
from dbwarden.cli.exits import Exit
from dbwarden.cli.progress import doing
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What the databases returned that had something to return, and what stopped the others."""

    results: tuple[T, ...]
    errors: tuple[DBWardenError, ...] = ()

    @property
    def code(self) -> Exit:
        """1 or 2 when something failed, 3 when something was found, 0 when all is well."""
        if self.errors:
            usage = all(isinstance(error, UsageError) for error in self.errors)
            return Exit.USAGE if usage else Exit.FAILED
        clean = all(getattr(result, "clean", True) for result in self.results)
        return Exit.DONE if clean else Exit.FOUND


async def on_each(
    operation: Callable[[DatabaseConfig], Awaitable[T]],
    databases: Sequence[DatabaseConfig],
    *,
    json: bool,
) -> Done[T]:
    """Run *operation* on all of *databases*, one after the other.

    Raises:
        DBWardenError: The one database that was asked for failed.
    """
    results: list[T] = []
    errors: list[DBWardenError] = []
    for config in databases:
        try:
            with doing(enabled=not json):
                results.append(await operation(config))
        except DBWardenError as error:
            if len(databases) == 1:
                raise
            error.database = error.database or config.database_name
            errors.append(error)
    done: Done[T] = Done(tuple(results), tuple(errors))
    return done


def say_done(command: str, done: Done[Any], code: int | None = None) -> None:
    """One JSON document of all results, and of all errors where there are some."""
    code = int(done.code if code is None else code)
    failed: Json = {}
    if done.errors:
        documents = [error_document(error) for error in done.errors]
        failed = {"error": documents[0], "errors": documents}
    databases = [_document(result) for result in done.results]
    output.say_json({"command": command, "exit_code": code, **failed, "databases": databases})
    output.note_errors(done.errors)


def _document(result: object) -> object:
    document = plain(result)
    if isinstance(document, dict) and hasattr(result, "clean"):
        document["clean"] = result.clean
    return document
