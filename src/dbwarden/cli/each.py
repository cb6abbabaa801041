"""Run an operation on one database after the other; a failure does not stop the others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dbwarden.cli import output
from dbwarden.cli.documents import Json, error_document, plain
from dbwarden.cli.exits import Exit
from dbwarden.cli.progress import show_activity
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Results(Generic[T]):
    """The results of the databases that succeeded, and the errors of the others."""

    results: tuple[T, ...]
    errors: tuple[DBWardenError, ...] = ()

    @property
    def code(self) -> Exit:
        """The exit code: 1 or 2 after a failure, 3 with findings, else 0."""
        if self.errors:
            usage = all(isinstance(error, UsageError) for error in self.errors)
            return Exit.USAGE if usage else Exit.FAILED
        clean = all(getattr(result, "clean", True) for result in self.results)
        return Exit.DONE if clean else Exit.FOUND


async def run_each(
    operation: Callable[[DatabaseConfig], Awaitable[T]],
    databases: Sequence[DatabaseConfig],
    *,
    json: bool,
) -> Results[T]:
    """Run *operation* on all of *databases*, one after the other.

    Raises:
        DBWardenError: The only database failed.
    """
    results: list[T] = []
    errors: list[DBWardenError] = []
    for config in databases:
        try:
            with show_activity(enabled=not json):
                results.append(await operation(config))
        except DBWardenError as error:
            if len(databases) == 1:
                raise
            error.database = error.database or config.database_name
            errors.append(error)
    done: Results[T] = Results(tuple(results), tuple(errors))
    return done


def report_each(command: str, done: Results[Any], code: int | None = None) -> None:
    """Print one JSON document of all results and errors."""
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
