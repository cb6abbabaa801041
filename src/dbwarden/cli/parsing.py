"""Parse the command line, and describe its errors."""

from collections.abc import Callable, Sequence
from inspect import BoundArguments
from typing import Any

from cyclopts import App, CycloptsError

from dbwarden.config.names import did_you_mean
from dbwarden.errors import UsageError

COUNTERPARTS = {
    "apply": "migrate",
    "create": "new",
    "current": "status",
    "down": "rollback",
    "downgrade": "rollback",
    "heads": "status",
    "info": "status",
    "inspectdb": "generate-models",
    "revision": "make-migrations",
    "showmigrations": "status",
    "sqlmigrate": "migrate --dry-run",
    "stamp": "baseline",
    "undo": "rollback",
    "up": "migrate",
    "upgrade": "migrate",
    "validate": "check",
}
"""Commands of other tools and their counterparts here."""


IMPLIED = {"--check-drift": "--check-drift=fail"}
"""Options with a value that may be left out, and what they mean without it."""


def parse(app: App, arguments: Sequence[str]) -> tuple[Callable[..., Any], BoundArguments]:
    """Return the command that *arguments* name, and its bound arguments.

    Raises:
        UsageError: An unknown command, option or value.
    """
    words = [IMPLIED.get(word, word) for word in arguments]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        command, bound, _ = app.parse_args(
            words, print_error=False, exit_on_error=False, verbose=False
        )
    except CycloptsError as error:
        raise _usage_error(app, words, error) from None
    return command, bound


def _usage_error(app: App, words: Sequence[str], error: CycloptsError) -> UsageError:
    if not error.command_chain:
        return unknown_command(words[0] if words else "", [name for name in app if name[0] != "-"])
    command = " ".join(error.command_chain)
    next_step = f"Its options: dbwarden {command} --help"
    if type(error).__name__ == "UnusedCliTokensError":
        extra = (error.unused_tokens or [""])[0]
        return UsageError(f"{command} does not accept {extra!r}", next_step=next_step)
    text = str(error).strip().rstrip(".").removeprefix(f'Command "{command}" parameter ')
    first = text.split(" ")[0]
    message = text if first.isupper() else text[:1].lower() + text[1:]  # ACTION stays as it is
    return UsageError(message, next_step=next_step)


def unknown_command(word: str, known: Sequence[str]) -> UsageError:
    """Return the error for a command that is not *known*, with the closest one."""
    next_step = "All commands: dbwarden --help"
    if word.startswith("-"):
        return UsageError(
            f"the option {word} comes before the command",
            next_step="Put options after the command, as in dbwarden status --all.",
        )
    if (here := COUNTERPARTS.get(word)) is not None:
        return UsageError(f"there is no command {word!r}; use {here!r}", next_step=next_step)
    meant = did_you_mean(word, known)
    return UsageError(f"there is no command {word!r}{meant}", next_step=next_step)
