"""Exit codes, and the exit code of a run. Pure."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome


class Exit(IntEnum):
    """The exit codes. 130 and 143 follow the convention of 128 + signal number."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    FOUND = 3
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(outcomes: Sequence[Outcome[Any]]) -> Exit:
    """Return 0 if all succeeded and are clean, 3 if there are findings, 2 or 1 for failures."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if errors:
        return Exit.USAGE if all(isinstance(e, UsageError) for e in errors) else Exit.FAILED
    if any(not outcome.succeeded for outcome in outcomes):
        return Exit.FAILED
    unclean = any(not getattr(outcome.result, "clean", True) for outcome in outcomes)
    return Exit.FOUND if unclean else Exit.DONE
