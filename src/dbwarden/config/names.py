"""Validate names of databases and suggest corrections. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from dbwarden.types import LONGEST_NAME

RESERVED = frozenset({"all", "liveness", "metrics", "readiness", "startup", "tenants", "ui"})
"""Words that commands and paths of health endpoints accept in place of a database name."""

"""Characters: a database of that name can be called so on every kind."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def problem_of_name(name: str) -> str | None:
    """Return the problem with *name* as the name of a database; ``None`` if it is valid."""
    if name in RESERVED:
        return f"{name!r} is reserved; take another name"
    if len(name) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} characters"
    if _NAME.fullmatch(name):
        return None
    proposal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
    hint = f", such as {proposal!r}" if _NAME.fullmatch(proposal) else ""
    return f"{name!r}: a name has small letters, digits and single underscores between them{hint}"


@lru_cache(maxsize=1024)
def closest(word: str, known: tuple[str, ...], cutoff: float = 0.85) -> str | None:
    """Return the known word that *word* probably misspells, or ``None``.

    Of five letters, one differs with a *cutoff* of 0.8, as in ``tabel`` or ``phaze``.
    """
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), known, n=1, cutoff=cutoff)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'primary'?"``, or ``""`` if no known word is close."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def suggest_keywords(source: object, words: Sequence[str]) -> str:
    """Return a hint at the keywords accepted instead of a URL if *source* looks like a keyword."""
    if not words or not isinstance(source, str) or not source.isidentifier():
        return ""
    return f"; or say {' or '.join(map(repr, words))}{did_you_mean(source, words)}"
