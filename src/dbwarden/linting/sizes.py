"""Scale severities by the size and traffic of live tables. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from dbwarden.linting.findings import SEVERITIES, LintSeverity

SMALL_ROWS, SMALL_BYTES, SMALL_WRITES = 10_000, 10 * 1024**2, 1.0
"""A table below all of these is small: reading or rewriting it takes milliseconds."""

LARGE_ROWS, LARGE_BYTES, LARGE_WRITES = 1_000_000, 1024**3, 100.0
"""A table at or above one of these is large."""

LONG_TRANSACTION = 10.0
"""Seconds after which an open transaction is long: a strong lock may have to wait for it."""

Scale = Literal["size", "traffic"]
"""What makes a finding worse: the rows that are read under a lock, or those who wait for it."""

STATS_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """The size of one live table; ``writes_per_second`` is ``None`` if it is not counted."""

    rows: int
    bytes: int | None = None
    writes_per_second: float | None = None

    def __str__(self) -> str:
        """Return the sizes for a person: ``41 M rows, 12 GB, 900 writes/s``."""
        parts = [f"{_scaled(self.rows, _COUNTS)} row{'s' * (self.rows != 1)}"]
        if self.bytes is not None:
            parts.append(_scaled(self.bytes, _BYTES))
        if self.writes_per_second is not None:
            parts.append(f"{self.writes_per_second:.0f} writes/s")
        return ", ".join(parts)

    @property
    def is_small(self) -> bool:
        """True if reading or rewriting the table takes milliseconds, and few wait for it."""
        few = self.rows < SMALL_ROWS and (self.bytes or 0) < SMALL_BYTES
        return few and (self.writes_per_second or 0) < SMALL_WRITES

    def is_large(self, scale: Scale) -> bool:
        """Return whether the table is large or, for ``traffic``, busy."""
        if (self.writes_per_second or 0) >= LARGE_WRITES:
            return True
        return scale == "size" and (
            self.rows >= LARGE_ROWS or (self.bytes is not None and self.bytes >= LARGE_BYTES)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStats:
    """The sizes of a live database. It holds no row data.

    ``oldest_transaction`` is the age of the oldest open transaction in seconds.
    """

    server: str
    taken_at: str
    oldest_transaction: float | None = None
    tables: Mapping[str, TableSize] = field(default_factory=dict)

    def describe(self, table: str) -> str:
        """Return *table* with its size: ``orders (41 M rows, 12 GB, 900 writes/s)``."""
        size = self.tables.get(table)
        return f"{table} ({size if size is not None else 'not in the live database yet'})"

    @property
    def waits(self) -> str:
        """A sentence about a long transaction, which a strong lock waits for; else empty."""
        age = self.oldest_transaction or 0
        if age < LONG_TRANSACTION:
            return ""
        return (
            f"; the oldest open transaction is {age:.0f} s old, and if it uses the table, the lock "
            "waits for it, and everything else for the lock"
        )


def scale_severity(base: LintSeverity, scale: Scale, table: str, stats: LiveStats) -> LintSeverity:
    """Return the severity of a finding about *table*, whose *base* is without any sizes."""
    size = stats.tables.get(table)
    if size is None or size.is_small:
        level: LintSeverity = "info"
    elif size.is_large(scale):
        level = "error"
    else:
        level = "warning" if scale == "size" else base
    if level != "info" and stats.waits:
        return SEVERITIES[min(SEVERITIES.index(level) + 1, len(SEVERITIES) - 1)]
    return level


_COUNTS = ((10**9, " G"), (10**6, " M"), (10**3, " k"), (1, ""))
_BYTES = ((1024**4, " TB"), (1024**3, " GB"), (1024**2, " MB"), (1024, " kB"), (1, " B"))


def _scaled(number: int, units: Sequence[tuple[int, str]]) -> str:
    """Return *number* in the largest of *units* that it reaches."""
    size, unit = next((it for it in units if number >= it[0]), units[-1])
    scaled = number / size
    return (f"{scaled:.0f}" if scaled >= 10 else f"{scaled:.1f}".removesuffix(".0")) + unit


# -- the file of `lint --save-stats` -------------------------------------------------------------


def dump_stats(stats: Mapping[str, LiveStats]) -> str:
    """Return the text of a file with the sizes of several databases."""
    databases = {name: asdict(one) for name, one in stats.items()}
    return json.dumps({"dbwarden_stats": STATS_VERSION, "databases": databases}, indent=2) + "\n"


def parse_stats(text: str) -> dict[str, LiveStats]:
    """Return the sizes in a file of ``lint --save-stats``, by database.

    Raises:
        ValueError: It is no such file; says what is wrong.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("dbwarden_stats") != STATS_VERSION:
        raise ValueError(f'it does not say "dbwarden_stats": {STATS_VERSION}')
    try:
        return {name: _parse_one(one) for name, one in document["databases"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a part of it is missing or has another form ({error})") from error


def _parse_one(document: Any) -> LiveStats:
    age = document["oldest_transaction"]
    return LiveStats(
        server=str(document["server"]),
        taken_at=str(document["taken_at"]),
        oldest_transaction=None if age is None else float(age),
        tables={name: _parse_size(size) for name, size in document["tables"].items()},
    )


def _parse_size(document: Any) -> TableSize:
    size, writes = document["bytes"], document["writes_per_second"]
    return TableSize(
        rows=int(document["rows"]),
        bytes=None if size is None else int(size),
        writes_per_second=None if writes is None else float(writes),
    )
