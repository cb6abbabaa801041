"""Take objects out of a comparison by pattern. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from dbwarden.authoring.compare.comparison import SchemaComparison
from dbwarden.authoring.compare.left_out import with_dependents
from dbwarden.authoring.labels import display_name
from dbwarden.diff import diff


def without_ignored(comparison: SchemaComparison, patterns: Sequence[str]) -> SchemaComparison:
    """Return *comparison* without the differing objects that *patterns* name.

    A pattern is a kind and a name, as ``diff`` prints them, or a name alone.
    """
    if not patterns:
        return comparison
    current, desired = comparison.current, comparison.desired
    default = desired.default_namespace
    refs = frozenset(
        change.ref
        for change in diff(current, desired)
        if is_ignored(display_name(change.ref, default), patterns)
    )
    if not refs:
        return comparison
    return comparison.without(with_dependents(current, refs) | with_dependents(desired, refs))


def is_ignored(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a pattern matches *name*: ``table users``, ``column users.email``."""
    _, _, alone = name.rpartition(" ")
    return any(fnmatchcase(name, each) or fnmatchcase(alone, each) for each in patterns)
