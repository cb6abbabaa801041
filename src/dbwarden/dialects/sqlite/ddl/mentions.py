"""Find names in a text. Pure."""

from collections.abc import Collection

from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens


def words(text: str) -> frozenset[str]:
    """Return every word and quoted name in *text*, as SQLite compares names."""
    try:
        found = tokens(text)
    except Unreadable:
        return frozenset(part.casefold() for part in text.split())
    kinds = ("word", "name", "string")  # SQLite takes 'name' for a name where it must be one
    return frozenset(token.name.casefold() for token in found if token.kind in kinds)


def mentions(text: str, names: Collection[str]) -> bool:
    """Return whether *text* contains one of *names* in any role."""
    return not words(text).isdisjoint(name.casefold() for name in names)
