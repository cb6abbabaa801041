"""Find the writes of an application that a set of files lost. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbwarden.authoring.prove.quiet_run import ExpectedRows, RowsByKey
from dbwarden.authoring.prove.row_writes import Kind, Release, Slot, keys_after
from dbwarden.dialects.scratch_clients import RowKey, RowTexts, WriteRefused
from dbwarden.errors import NotProven, ScratchRefused
from dbwarden.files.migration import Migration

_MISSING = "23502"
SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A write: its release, its SQL, and the file and line that it followed."""

    table: ExpectedRows
    slot: Slot
    release: Release
    text: str
    migration: Migration
    line: int


def check(done: Sequence[Done], release: Release, actual: RowsByKey, after: Migration) -> None:
    """Compare the rows that *release* reads in one table with those that the writes lead to.

    Args:
        done: The writes, and one for each row that no write changed.
        release: The release that reads.
        actual: The rows that it reads.
        after: The last file that ran.

    Raises:
        NotProven: A write was lost.
    """
    if not done:
        return
    table = done[0].table
    columns = _columns(table, release)
    volatile = {
        name
        for item in done
        if item.slot.kind is Kind.KEEP
        for key, row in _rows(item, actual)
        for name in columns
        if row is not None
        and row[name] is not None
        and row[name] not in _values(item, release, key, name)
    }
    for item in done:
        for key, row in _rows(item, actual):
            expected = [rows.get(key) for rows in _accepted(item, release)]
            if row is None and all(expected):
                raise _lost(item, after, key, "is missing")
            if row is None or not any(expected):
                if row is not None:
                    raise _lost(item, after, key, "is still there")
                continue
            for name in columns:
                values = _values(item, release, key, name)
                if name in volatile:
                    right = (row[name] is None) in {value is None for value in values}
                else:
                    right = row[name] in values
                if not right:
                    wanted = " or ".join(_shown(value) for value in sorted(values, key=str))
                    raise _lost(item, after, key, f"has {name} {_shown(row[name])}, not {wanted}")


def _columns(table: ExpectedRows, release: Release) -> tuple[str, ...]:
    """Return the columns whose values are known."""
    names = tuple(column.name for column in table.table.shape(release).table.columns)
    if release is Release.NEW:
        return names
    # A column that the new release does not have is empty, or has the same value everywhere,
    # after a rollback that cannot bring back its values.
    lasting = {column.name for column in table.table.new.table.columns}
    rows = table.back.get(Release.NEW, {}).values()
    return tuple(name for name in names if name in lasting or len({row[name] for row in rows}) > 1)


def _rows(item: Done, actual: RowsByKey) -> Iterator[tuple[RowKey, RowTexts | None]]:
    shape, contents = item.table.table.shape(item.release), item.table.contents[item.release]
    for key in keys_after(shape, item.slot, contents):
        yield key, actual.get(key)


def _accepted(item: Done, release: Release) -> Sequence[RowsByKey]:
    """Return the rows to which a write may lead."""
    table, writer = item.table, item.release
    if release is Release.OLD:
        # A value that the new type cannot hold exactly is as it was written, or as it comes back.
        both = [table.back[writer], table.back.get(Release.NEW, table.back[writer])]
        return both if writer is Release.OLD else both[:1]
    if item.slot.kind in (Kind.CLEAR, Kind.TOUCH):  # the other release may have inserted the row
        return list(table.there.values())
    return [table.there[writer]]


def _values(item: Done, release: Release, key: RowKey, name: str) -> set[str | None]:
    """Return the values that a column may have."""
    found = {row[name] for rows in _accepted(item, release) if (row := rows.get(key)) is not None}
    table = item.table
    if release is Release.OLD and item.release is Release.OLD:  # a fill of NULL remains
        there = table.there[Release.OLD].get(key, {})
        found |= {there[name]} if name in there else set()
    filled = name in table.table.only_new and not table.table.only_old
    if filled and release is Release.NEW and item.release is Release.OLD:
        # From the row as it was before or after the write. If the old release has a column that
        # the new one lacks, the new one may have its values, and must have the last one.
        contents, names = table.contents[Release.OLD], table.table.old.key
        for number in (item.slot.row, item.slot.image):
            around = tuple(contents[number][name] for name in names)
            found |= {row[name] for it in (key, around) if (row := table.plain.get(it))}
    return found


def _shown(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


# -- errors ----------------------------------------------------------------------------------------


def is_excused(refused: WriteRefused, table: ExpectedRows, release: Release) -> bool:
    """Return whether the change itself, and not its files, makes the server refuse a write."""
    old, new = table.table.old.table, table.table.new.table
    if release is Release.NEW and refused.sqlstate == _MISSING:
        # A column that the new release does not know requires a value until it is dropped.
        return refused.column is not None and new.column(refused.column) is None
    names = [{it.name for it in (*each.constraints, *each.indexes)} for each in (old, new)]
    return refused.constraint in names[1] - names[0]


def refusal(done: Done, refused: WriteRefused) -> NotProven:
    """Return the error of a write that the server refuses while the files run."""
    return _unproven(
        done,
        f"the {done.release.value} release cannot write {done.table.table.name} any more: the "
        f"server refused {_sql(done)}: {refused.reason}",
    )


def _lost(done: Done, after: Migration, key: RowKey, what: str) -> NotProven:
    names = done.table.table.old.key
    row = ", ".join(f"{name} {text}" for name, text in zip(names, key, strict=True))
    return _unproven(
        done,
        f"a write is lost: after {after.path.name}, the row of {done.table.table.name} with {row} "
        f"{what}. After the line named here, the {done.release.value} release ran {_sql(done)}",
    )


def _unproven(done: Done, message: str) -> NotProven:
    name = done.table.table.name
    return NotProven(
        message,
        database=done.migration.database,
        location=done.migration.at(done.line),
        next_step=f"Correct the triggers on {name}, and the order in which these files create "
        "them, fill the rows and exchange the columns. Or delete the files and make them again "
        "with make-migrations --online.",
    )


def failure(done: Done | None, error: ScratchRefused) -> NotProven | ScratchRefused:
    """Return the *error* of a file that fails because of a write."""
    if done is None:
        return error
    where = error.location
    file = f"{where.path.name}:{where.line}" if where is not None else "a file"
    return _unproven(
        done,
        f"{file} fails after a write: {error.reason}. After the line named here, the "
        f"{done.release.value} release ran {_sql(done)}",
    )


def _sql(done: Done) -> str:
    text = " ".join(done.text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
