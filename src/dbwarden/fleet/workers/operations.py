"""Name an operation so that a worker can import it, and import it by that name."""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from dbwarden.errors import UsageError
from dbwarden.fleet.documents import plain
from dbwarden.fleet.running import Operation, Task
from dbwarden.fleet.workers.lots import LotWork
from dbwarden.fleet.workers.wire import reader, type_hints


def work_of(task: Task[object]) -> LotWork:
    """Return what *task* does, as data.

    Raises:
        UsageError: Its operation cannot be imported by name.
    """
    function: Any = task.operation
    options: dict[str, Any] = {}
    while isinstance(function, partial):
        _refuse(function.args, "it has positional arguments")
        options = {**function.keywords, **options}
        function = function.func
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    _refuse(not name or "<" in name or module == "__main__", "it cannot be imported by name")
    try:
        written = plain(options)
    except TypeError:
        written = None
    _refuse(written is None, "one of its options cannot be written as JSON")
    return LotWork(
        operation=f"{module}:{name}",
        options=written,
        requires=task.requires,
        repeatable=is_repeatable(f"{module}:{name}", options),
    )


_REPEATABLE = frozenset(
    f"dbwarden.operations.{name}"
    for name in (
        "baseline:baseline",
        "check:check",
        "diff:check_models",
        "diff:drift",
        "generate_models:generate_models",
        "health:health",
        "history:history",
        "lock:lock_status",
        "schema:schema_sql",
        "status:status",
        "verify:verify",
        "wait:wait",
    )
)


def is_repeatable(operation: str, options: Mapping[str, Any]) -> bool:
    """Return whether a second run of *operation* does nothing that the first one has not done."""
    match operation.removeprefix("dbwarden.operations."):
        case "migrate:migrate":
            return not options.get("count")
        case "rollback:rollback":
            return bool(options.get("dry_run")) or options.get("to") is not None
        case "lint:lint":
            return not options.get("fix")
        case "create_database:create_database":
            return bool(options.get("if_not_exists"))
        case "repair:repair":
            return bool(options.get("dry_run"))
    return operation in _REPEATABLE


def _refuse(wrong: object, why: str) -> None:
    if wrong:
        raise UsageError(
            f"workers cannot run this operation, because {why}",
            next_step="Use a function of a module, and give its options by name with "
            "functools.partial.",
        )


def find_operation(name: str) -> Callable[..., Awaitable[Any]]:
    """Return the operation of that name, as :func:`work_of` wrote it.

    Raises:
        UsageError: There is no such operation here.
    """
    module, _, path = name.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for part in path.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the operation {name} cannot be imported: {error}",
            next_step="Install the module that defines it where the workers run.",
        ) from error
    operation: Callable[..., Awaitable[Any]] = value
    return operation


def bind(work: LotWork) -> Operation[object]:
    """Return the operation of *work* with its options.

    Raises:
        UsageError: There is no such operation here.
    """
    operation = find_operation(work.operation)
    hints = type_hints(operation)
    options = {name: reader(hints.get(name))(value) for name, value in work.options.items()}
    return partial(operation, **options)
