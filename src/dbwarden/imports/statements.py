"""Decide which recorded statements belong into a migration file, and what needs a review. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from dbwarden.dialects.authoring import Repeated
from dbwarden.files.lexing import Lexis, skip_gap
from dbwarden.imports.loops import Sent, find_loops
from dbwarden.imports.rendering import Literal, NoLiteral, Now, Recorded
from dbwarden.printable import shorten

_WORD = re.compile(r"[A-Za-z]+")
_TRANSACTION = {"begin", "commit", "end", "rollback", "abort", "savepoint", "release", "start"}
_QUERIES = {"select", "values", "show", "explain", "table", "with", "pragma"}
_WRITES = re.compile(r"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\b", re.IGNORECASE)
_EFFECTS = re.compile(r"\b(?:setval|nextval|set_config|lo_\w+|create_\w+|add_\w+)\s*\(", re.I)
_TABLE = re.compile(r"\b(?:from|join)\s+(?:only\s+|lateral\s+)*([\w.\"$]+)(?!\s*\(|[\w.\"$])", re.I)
_CATALOG = re.compile(r"(?:main\.)?(?:pg_\w+|information_schema|sqlite_\w+)\b", re.IGNORECASE)
_CREATED = re.compile(r"\s*create\s+(?:unlogged\s+)?table\s+(?!if\b)([\w.\"$]+)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\b(?:select|from|using|copy|rename|drop\s+table)\b", re.IGNORECASE)
_HARMLESS = {
    "version", "current_schema", "current_schemas", "current_database", "current_setting", "now",
    "to_regclass", "to_regtype", "pg_backend_pid", "exists", "coalesce", "cast", "count", "max",
    "min", "has_table_privilege", "has_schema_privilege", "format_type", "sqlite_version",
    "pg_try_advisory_lock", "pg_advisory_lock", "pg_advisory_unlock", "pg_advisory_xact_lock",
    "pg_is_in_recovery",
}  # fmt: skip
_CALL = re.compile(r"\b([A-Za-z_][\w.]*)\s*\(")
SHOWN = 60
"""The number of characters of a statement that a review quotes."""


@dataclass(frozen=True, slots=True)
class Text:
    """The SQL of one statement, and whether it must run outside of a transaction."""

    sql: str
    autocommit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The statements of one direction of a revision, and the reasons to review them."""

    texts: tuple[Text, ...] = ()
    reviews: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How statements of one database are read.

    ``ignored`` is the table of the other tool. ``today`` are the dates of the import. ``repeat``
    writes a loop; see ``AuthoringDialect.repeat``.
    """

    lexis: Lexis
    literal: Literal
    now: Now
    repeat: Callable[[Repeated, bool], str | None]
    ignored: str
    today: frozenset[date] = frozenset()


def script_of(
    recorded: Sequence[Recorded],
    rules: Rules,
    again: Sequence[Recorded] | None = None,
    tries: Mapping[int, Sequence[Recorded]] = MappingProxyType({}),
) -> Script:
    """Return the script of *recorded*; *again* is the recording of a second run, if there was one.

    What differs between the two was made at that moment. *tries* are the runs with other counts of
    rows, by the count; see ``find_loops``.
    """
    loops: Mapping[int, Repeated | None] = {}
    if any(item.counted for item in recorded):
        loops = _explain_counts(recorded, rules, tries)
    texts, reviews = _texts(recorded, rules, loops)
    if again is not None:
        plain, _ = _texts(recorded, rules)
        repeated, _ = _texts(again, rules)
        reviews += _made_at_that_moment(plain, repeated, rules)
    return Script(texts=tuple(texts), reviews=tuple(dict.fromkeys(reviews)))


def _explain_counts(
    recorded: Sequence[Recorded], rules: Rules, tries: Mapping[int, Sequence[Recorded]]
) -> Mapping[int, Repeated | None]:
    """Return the loop of each statement whose count decides at most how often it is sent."""
    try:
        loops = find_loops(
            list(_sent(recorded, rules)),
            {count: list(_sent(one, rules)) for count, one in tries.items()},
            rules.lexis,
        )
    except (LookupError, NoLiteral):
        return {}
    return {place: loops.get(place) for place, item in enumerate(recorded) if item.counted}


def _sent(recorded: Sequence[Recorded], rules: Rules) -> Iterator[Sent]:
    for place, item in enumerate(recorded):
        if _first_word(item.sql, rules.lexis) not in _TRANSACTION:
            rendered = item.render(rules.lexis, rules.literal, rules.now)
            yield Sent(place, "\n".join("\n".join(_parts(sql)) for sql in rendered))


def _texts(
    recorded: Sequence[Recorded], rules: Rules, loops: Mapping[int, Repeated | None] | None = None
) -> tuple[list[Text], list[str]]:
    texts: list[Text] = []
    reviews: list[str] = []
    read: dict[str, None] = {}
    own: set[str] = set()
    after_commit = False
    ignored = re.compile(rf"(?<![\w.]){re.escape(rules.ignored)}(?!\w)")
    for place, item in enumerate(recorded):
        word = _first_word(item.sql, rules.lexis)
        if word in _TRANSACTION:
            after_commit = word in ("commit", "end")
            continue
        if ignored.search(item.sql.replace('"', "")):
            continue
        if _is_query(word, item.sql):
            tables = _tables_read(item.sql) if item.returns_rows else ()
            read |= dict.fromkeys(table for table in tables if table not in own)
            continue
        try:
            rendered = item.render(rules.lexis, rules.literal, rules.now)
        except NoLiteral as error:
            reviews.append(f"{error}: {_quote(item.sql)} is missing")
            continue
        own = _own_tables(own, item.sql)
        outside = item.autocommit or after_commit
        if item.returns_rows or (item.counted and place not in (loops or {})):
            what = "returns" if item.returns_rows else "counts"
            reviews.append(f"it reads what {_quote(item.sql)} {what}; what follows is missing")
        elif loops and (loop := loops.get(place)) is not None:
            repeated = rules.repeat(loop, outside)
            if repeated is None:
                reviews.append(f"it repeats {_quote(item.sql)}; the file has it once")
            rendered = rendered if repeated is None else (repeated,)
        texts += [Text(sql, outside) for sql in rendered]
        after_commit = False
    if read:
        reviews.insert(
            0, f"it reads rows of {shorten(list(read))}; what follows from them is missing"
        )
    return texts, reviews


def _first_word(sql: str, lexis: Lexis) -> str:
    start = skip_gap(lexis, sql)
    while sql[start : start + 1] in ("(", ";"):
        start = skip_gap(lexis, sql, start + 1)
    match = _WORD.match(sql, start)
    return match[0].lower() if match else ""


def _is_query(word: str, sql: str) -> bool:
    """Return whether *sql* only reads."""
    match word:
        case "pragma":
            return "=" not in sql or "foreign_keys" in sql.lower()
        case "with" | "explain":
            return not _WRITES.search(sql)
        case "select":
            calls = {name.lower().rpartition(".")[2] for name in _CALL.findall(sql)}
            if _EFFECTS.search(sql):
                return False
            # A call on its own is made for its effect, unless it is known to have none.
            return bool(re.search(r"\bfrom\b", sql, re.I)) or calls <= _HARMLESS
        case _:
            return word in _QUERIES


def _tables_read(sql: str) -> tuple[str, ...]:
    """Return the tables whose rows *sql* reads, without those of the catalog."""
    names = dict.fromkeys(name.replace('"', "") for name in _TABLE.findall(sql))
    return tuple(name for name in names if name and not _CATALOG.match(name))


def _own_tables(own: set[str], sql: str) -> set[str]:
    """Return the tables whose rows the revision has written itself, after *sql*.

    They are those of *own* that it created, as long as it takes no rows from elsewhere.
    """
    if (created := _CREATED.match(sql)) and not _ELSEWHERE.search(sql):
        return own | {created[1].replace('"', "")}
    return set() if _ELSEWHERE.search(sql) else own


def _made_at_that_moment(
    texts: Sequence[Text], repeated: Sequence[Text], rules: Rules
) -> Iterable[str]:
    if len(texts) != len(repeated):
        yield "a second run sent other statements"
        return
    days = [day.isoformat() for day in rules.today]
    same = Counter(_parts(text.sql) for text in repeated)  # at most in another order
    for text in texts:
        parts = _parts(text.sql)
        same[parts] -= 1
        if same[parts] < 0 or any(day in text.sql for day in days):
            yield f"it writes a value made when it was recorded: {_quote(text.sql)}"


def _parts(sql: str) -> tuple[str, ...]:
    """Return the lines of *sql*; those of a new table have no order, as reflected constraints."""
    lines = [line.strip().rstrip(",") for line in sql.strip().splitlines()]
    return tuple(sorted(lines)) if sql.lstrip()[:12].lower() == "create table" else (sql,)


def _quote(sql: str) -> str:
    words = " ".join(sql.split())
    return words if len(words) <= SHOWN else words[: SHOWN - 3] + "..."
