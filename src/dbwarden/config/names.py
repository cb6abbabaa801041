"""Names of databases, and what a mistyped name was meant to be. Pure."""

import re
from collections.abc import Iterable, Sequence

RESERVED = frozenset({"all", "liveness", "metrics", "readiness", "startup", "tenants", "ui"})
"""Words that stand beside database names in commands and in the paths of health endpoints."""

LONGEST = 63
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def problem_of_name(name: str) -> str | None:
    """What is wrong with *name* as the name of a database; ``None`` when nothing is."""
    if name in RESERVED:
        return f"{name!r} is reserved; take another name"
    if len(name) > LONGEST:
        return f"the name is longer than {LONGEST} characters"
    if _NAME.fullmatch(name):
        return None
    proposal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
    hint = f", such as {proposal!r}" if _NAME.fullmatch(proposal) else ""
    return f"{name!r}: a name has small letters, digits and single underscores between them{hint}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'primary'?"``, or nothing when no known word is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def word_meant(source: object, words: Sequence[str]) -> str:
    """Which *words* may stand in place of a URL, where *source* could have been meant as one."""
    if not words or not isinstance(source, str) or not source.isidentifier():
        return ""
    return f"; or say {' or '.join(map(repr, words))}{did_you_mean(source, words)}"
