"""Quote names and values as SQL text."""

import re

NAME_LIMIT = 63
"""The maximum length of an application name in bytes."""

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def identifier(name: str) -> str:
    """Return *name* as a quoted identifier."""
    if "\0" in name:
        raise ValueError("an identifier cannot hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | float | bool | None) -> str:
    """Return *value* as a literal, valid for any ``standard_conforming_strings``."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text value cannot hold a NUL character")
        quoted = value.replace("'", "''")
        if "\\" in quoted:
            return "E'" + quoted.replace("\\", "\\\\") + "'"
        return f"'{quoted}'"
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def plain_name(text: str, limit: int) -> str:
    """Return *text* as an application name: printable ASCII, at most *limit* bytes."""
    return _NOT_PLAIN.sub("?", text)[:limit]
