"""Render storage parameters and statistics targets. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.clauses import clause
from dbwarden.dialects.postgresql.sql.quoting import text_literal
from dbwarden.schema import (
    Parameters,
)


def parameters(items: Parameters) -> str:
    """Return ``(fillfactor = 70, ...)``; nothing if there are none."""
    return clause("({})", ", ".join(f"{name} = {_value(value)}" for name, value in items))


def _value(value: str) -> str:
    plain = value.replace(".", "").replace("_", "").replace("-", "").isalnum()
    return value if plain else text_literal(value)


def set_parameters(alter: str, before: Parameters, after: Parameters) -> Iterator[str]:
    """Yield *alter* with ``SET (...)``, and with ``RESET (...)``."""
    new = tuple(item for item in after if item not in before)
    gone = [key for key, _ in before if key not in dict(after)]
    if new:
        yield f"{alter} SET {parameters(new)}"
    if gone:
        yield f"{alter} RESET ({', '.join(gone)})"


def statistics_target(target: int | None) -> str:
    """Return ``SET STATISTICS ...``."""
    return f"SET STATISTICS {-1 if target is None else target}"
