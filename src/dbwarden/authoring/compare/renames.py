"""Find drops and adds that are one rename: declared by the author, or to be asked. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import TypeVar

from dbwarden.authoring.collect.hints import Hints
from dbwarden.authoring.labels import columns_by_label, objects_by_label
from dbwarden.config.names import did_you_mean
from dbwarden.config.urls import url_class
from dbwarden.diff.changes import Rename, RenameValue, Renaming
from dbwarden.errors import UsageError
from dbwarden.schema import Column, Enum, ObjectKind, QualifiedName, Ref, Schema, Table, ref_of
from dbwarden.schema.kind_traits import traits_of

ALIKE = 0.6
"""The minimum share of equal columns at which two tables may be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A dropped and an added object, and the reasons why they may be the same."""

    renaming: Renaming
    old: str
    new: str
    reasons: tuple[str, ...]

    @property
    def flags(self) -> tuple[str, str]:
        """The flag that confirms the rename, and the flag that denies it."""
        return f"--rename {quote(f'{self.old}:{self.new}')}", f"--allow-drop {quote(self.old)}"


def ordered(renames: Iterable[Renaming]) -> tuple[Renaming, ...]:
    """Sort renames of parts before those of their tables and enums, without duplicates."""
    unique = list(dict.fromkeys(renames))
    return tuple(sorted(unique, key=lambda item: not _is_part(item)))


def _is_part(item: Renaming) -> bool:
    return isinstance(item, RenameValue) or item.before.kind is ObjectKind.COLUMN


def parse_rename(text: str, current: Schema, desired: Schema) -> Renaming:
    """Parse a rename: ``users.nick:nickname``, ``users:people`` or ``status.old:new``.

    A new name without a namespace is in the namespace of the old one, or in the default namespace
    if the models have it only there.

    Raises:
        UsageError: It has another form, or the old name does not exist.
    """
    old, colon, new = text.rpartition(":")
    if not colon or not old or not new:
        raise UsageError(
            f"--rename {text!r} has no old or no new name",
            option="--rename",
            next_step="Write it as --rename users.nick:nickname or --rename users:people.",
        )
    columns, objects = columns_by_label(current), objects_by_label(current)
    values = {
        type_.name.label(current.default_namespace, word): (type_.name, word)
        for type_ in current.of(Enum)
        for word in type_.values
    }
    if old in columns:
        return Rename(before=columns[old], after=replace(columns[old], part=new.rpartition(".")[2]))
    if old in objects:
        return Rename(before=objects[old], after=_target(objects[old], new, desired))
    if old in values:
        enum, value = values[old]
        return RenameValue(enum=enum, before=value, after=new)
    raise UsageError(
        f"--rename {text!r}: there is no {old} in the migrations so far"
        + did_you_mean(old, (*columns, *objects, *values)),
        option="--rename",
        next_step="Name an existing table, column (users.nick) or enum value (status.old); the "
        "new name follows the colon.",
    )


def _target(obj: Ref, new: str, desired: Schema) -> Ref:
    namespace, dot, name = new.rpartition(".")
    same = replace(obj, namespace=namespace if dot else obj.namespace, name=name)
    default = replace(same, namespace=desired.default_namespace)
    desired_refs = set(objects_by_label(desired).values())
    fits = dot or same in desired_refs - {obj}
    return default if not fits and default in desired_refs else same


def refuse_unknown_renames(
    texts: Sequence[str],
    requested: Sequence[Renaming],
    renames: Sequence[Renaming],
    desired: Schema,
) -> None:
    """Raise if the new name of a requested rename does not exist.

    Args:
        texts: The requested renames as text.
        requested: The requested renames, parsed.
        renames: All renames, including those of the tables and enums in *requested*.
        desired: The schema of the models.

    Raises:
        UsageError: Names the rename.
    """
    moved = whole_moves(renames)
    for text, item in zip(texts, requested, strict=True):
        if not _ends_in(item, moved, desired):
            new = text.rpartition(":")[2]
            called = _other_capitals(new, desired)
            raise UsageError(
                f"--rename {text!r}: there is no {new} in the models",
                option="--rename",
                next_step="Correct the new name in the flag or in the models."
                if called is None
                else f"To {url_class(desired.dialect).title} {new} and {called}, which is there "
                "now, are the same name, so its case stays as it is.",
            )


def _other_capitals(name: str, desired: Schema) -> str | None:
    """Return the name in *desired* that is *name* to a kind that ignores case."""
    if not traits_of(desired.dialect).names_ignore_case:
        return None
    names = {table.name.name for table in desired.tables}
    names |= {column.name for table in desired.tables for column in table.columns}
    same = (other for other in sorted(names) if other.casefold() == name.casefold())
    return next(same, None)


def _ends_in(item: Renaming, moved: Mapping[QualifiedName, QualifiedName], desired: Schema) -> bool:
    match item:
        case RenameValue(enum=name, after=value):
            enums = {enum.name: enum for enum in desired.of(Enum)}
            enum = enums.get(moved.get(name, name))
            return enum is not None and value in enum.values
        case Rename(after=Ref(kind=ObjectKind.COLUMN, part=column) as ref):
            table = desired.table(moved.get(ref.table, ref.table))
            return table is not None and table.column(column or "") is not None
        case Rename(after=ref) if ref.kind is ObjectKind.TABLE:
            return desired.table(ref.table) is not None
        case Rename(after=ref):
            return any(obj.ref == ref for obj in desired.objects)


def hinted_renames(hints: Hints, current: Schema, desired: Schema) -> Iterator[Renaming]:
    """Yield the pending renames of the models' ``info={"renamed_from": ...}``."""
    default = current.default_namespace
    old_names: dict[QualifiedName, QualifiedName] = {}
    for new_name, old in hints.renamed_tables.items():
        target = _qualify(new_name, default)
        namespace, dot, name = old.rpartition(".")
        source = QualifiedName(namespace if dot else target.namespace, name)
        old_names[target] = source
        if current.table(source) and not current.table(target) and not desired.table(source):
            before, after = (ref_of(ObjectKind.TABLE, name) for name in (source, target))
            yield Rename(before=before, after=after)
    for (new_table, column), old in hints.renamed_columns.items():
        target = _qualify(new_table, default)
        table = current.table(target) or current.table(old_names.get(target, target))
        if table is not None and table.column(old) and not table.column(column):
            before = ref_of(ObjectKind.COLUMN, table.name, old)
            yield Rename(before=before, after=replace(before, part=column))


def _qualify(name: QualifiedName, default: str | None) -> QualifiedName:
    return QualifiedName(default, name.name) if name.namespace is None else name


def candidates(current: Schema, desired: Schema) -> tuple[Candidate, ...]:
    """Return dropped and added objects that may be renames; each name is in at most one pair."""
    default = current.default_namespace
    desired_tables = {table.name: table for table in desired.tables}
    return (
        *_wholes(_pairs(current.tables, desired.tables, _table_reasons), default),
        *(
            candidate
            for table in current.tables
            if table.name in desired_tables
            for candidate in _columns(table, desired_tables[table.name], default)
        ),
        *_wholes(_enums(current, desired), default),
        *_values(current, desired),
    )


Named = TypeVar("Named", Table, Enum, Column)
Reasons = tuple[str, ...]
Rating = tuple[float, Reasons]
"""How alike two objects are, and why; 0 if they cannot be the same."""


def _pairs(
    before: Iterable[Named], after: Iterable[Named], rate: Callable[[Named, Named], Rating]
) -> Iterator[tuple[Named, Named, Reasons]]:
    """Yield the most alike pairs of dropped and added objects, each object once."""
    olds, news = ({item.name: item for item in items} for items in (before, after))
    rated = [
        (rate(old, new), old, new)
        for old in (olds[name] for name in olds.keys() - news.keys())
        for new in (news[name] for name in news.keys() - olds.keys())
    ]
    taken: set[tuple[str, object]] = set()
    for (score, reasons), old, new in sorted(
        rated, key=lambda item: (-item[0][0], str(item[1].name), str(item[2].name))
    ):
        ends = {("old", old.name), ("new", new.name)}
        if score and not ends & taken:
            taken |= ends
            yield old, new, reasons


def _wholes(
    pairs: Iterable[tuple[Table, Table, Reasons] | tuple[Enum, Enum, Reasons]], default: str | None
) -> Iterator[Candidate]:
    for old, new, reasons in pairs:
        yield Candidate(
            renaming=Rename(before=old.ref, after=new.ref),
            old=old.name.label(default),
            new=new.name.label(default),
            reasons=reasons,
        )


def _table_reasons(old: Table, new: Table) -> Rating:
    types = {column.name: column.type for column in new.columns}
    same = sum(types.get(column.name) == column.type for column in old.columns)
    share = same / max(len(old.columns), len(new.columns), 1)
    reasons = (f"{same} of {len(old.columns)} columns are the same",)
    return (share if share >= ALIKE else 0, reasons)


def _columns(before: Table, after: Table, default: str | None) -> Iterator[Candidate]:
    def rate(old: Column, new: Column) -> Rating:
        if old.type != new.type or old.inherited or new.inherited:
            return 0, ()
        reasons = [f"same type, {old.type}"]
        if before.columns.index(old) == after.columns.index(new):
            reasons.append(f"same place, column {before.columns.index(old) + 1}")
        if (old.not_null, old.default) == (new.not_null, new.default):
            reasons.append("same NOT NULL and default")
        if _keys(before, old.name) == _keys(after, new.name) != 0:
            reasons.append("same constraints and indexes")
        return len(reasons), tuple(reasons)

    for old, new, reasons in _pairs(before.columns, after.columns, rate):
        ref = before.column_ref(old.name)
        yield Candidate(
            renaming=Rename(before=ref, after=replace(ref, part=new.name)),
            old=before.name.label(default, old.name),
            new=new.name,
            reasons=reasons,
        )


def _keys(table: Table, column: str) -> int:
    constraints = sum(1 for item in table.constraints if column in getattr(item, "columns", ()))
    indexes = sum(
        1 for index in table.indexes if any(key.column == column for key in index.columns)
    )
    return constraints + 100 * indexes


def _enums(current: Schema, desired: Schema) -> Iterator[tuple[Enum, Enum, Reasons]]:
    """Yield dropped enums that similar enums replace in the same column."""
    dropped, added = current.of(Enum), desired.of(Enum)
    if {enum.name for enum in dropped} <= {enum.name for enum in added}:
        return
    before, after = current.needed_by(), desired.needed_by()

    def rate(old: Enum, new: Enum) -> Rating:
        same = len({*old.values} & {*new.values})
        if not {*before.get(old.ref, ())} & {*after.get(new.ref, ())}:
            return 0, ()
        alike = same >= ALIKE * max(len(old.values), len(new.values))
        return same * alike, (f"same column, {same} of {len(old.values)} values are the same",)

    yield from _pairs(dropped, added, rate)


def _values(current: Schema, desired: Schema) -> Iterator[Candidate]:
    desired_enums = {enum.name: enum for enum in desired.of(Enum)}
    for enum in current.of(Enum):
        new = desired_enums.get(enum.name)
        if new is None or len(new.values) != len(enum.values):
            continue
        for before, after in zip(enum.values, new.values, strict=True):
            if before not in new.values and after not in enum.values:
                yield Candidate(
                    renaming=RenameValue(enum=enum.name, before=before, after=after),
                    old=enum.name.label(current.default_namespace, before),
                    new=after,
                    reasons=("same place in the enum",),
                )


def whole_moves(renames: Iterable[Renaming]) -> dict[QualifiedName, QualifiedName]:
    """Return the new names of renamed tables and types, by their old ones."""
    return {
        item.before.table: item.after.table
        for item in renames
        if isinstance(item, Rename) and not _is_part(item)
    }


def new_labels(renames: Sequence[Renaming], default: str | None) -> dict[str, str]:
    """Return the new labels of renamed tables, types and columns, by their old ones."""
    moves = whole_moves(renames)
    labels = {old.label(default): new.label(default) for old, new in moves.items()}
    for item in renames:
        if isinstance(item, Rename) and item.before.kind is ObjectKind.COLUMN:
            table = item.before.table
            old_label = table.label(default, item.before.part)
            labels[old_label] = moves.get(table, table).label(default, item.after.part)
    return labels


def in_old_names(
    candidate: Candidate, olds: Mapping[QualifiedName, QualifiedName], default: str | None
) -> Candidate:
    """Return *candidate*, a part of a renamed object, under the object's old name, as in flags."""
    match candidate.renaming:
        case RenameValue(enum=name, before=value) as renaming if name in olds:
            old = olds[name].label(default, value)
            return replace(candidate, renaming=replace(renaming, enum=olds[name]), old=old)
        case Rename(before=ref, after=after) if ref.kind is ObjectKind.COLUMN and ref.table in olds:
            before = ref.within(olds[ref.table])
            moved = Rename(before=before, after=replace(before, part=after.part))
            old = olds[ref.table].label(default, ref.part)
            return replace(candidate, renaming=moved, old=old)
        case _:
            return candidate


def question(candidate: Candidate) -> str:
    """Return the question about a candidate."""
    return (
        f"Is {candidate.new} the new name of {candidate.old}, which keeps the data? "
        f"({'; '.join(candidate.reasons)})"
    )


def unanswered_error(unanswered: Sequence[Candidate]) -> UsageError:
    """Return the error for open questions without a prompt."""
    lines = [
        f"{candidate.old} is dropped and {candidate.new} is added ({'; '.join(candidate.reasons)})"
        for candidate in unanswered
    ]
    flags = " ".join(
        f"{rename} (it is the same) or {drop} (it is not)."
        for rename, drop in (candidate.flags for candidate in unanswered)
    )
    return UsageError(
        "this may be a rename, which keeps the data, or a drop, which does not: "
        + "; ".join(lines),
        next_step=f"Choose one: {flags}",
    )
