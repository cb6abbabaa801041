"""What happens seldom: two parents, users of things that nobody knows, circles, and inverses."""

from dataclasses import replace

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.alterable import constraint_alters
from dbwarden.diff.changes import (
    AlterColumn,
    Drop,
    Rename,
    RenameValue,
    Renaming,
    invert,
)
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    Domain,
    Enum,
    Exclusion,
    ObjectKind,
    QualifiedName,
    Ref,
    Routine,
    Schema,
    Table,
    Unique,
    View,
    ref_of,
)

T = QualifiedName("public", "t")
A = Column(name="a", type="integer")


def test_a_child_takes_each_column_from_the_parent_that_has_it() -> None:
    def schema(type_: str) -> Schema:
        one = Table(name=QualifiedName("public", "one"), columns=(replace(A, type=type_),))
        two = Table(name=QualifiedName("public", "two"), columns=(replace(A, name="b"),))
        columns = (replace(A, type=type_, inherited=True, default="7"), replace(A, name="b"))
        child = Table(
            name=T,
            inherits=(one.name, two.name),
            columns=tuple(replace(column, inherited=True) for column in columns),
        )
        return Schema(tables=(one, child, two))

    made = render(diff(Schema(), schema("integer")), current=Schema(), desired=schema("integer"))
    texts = [item.text for item in made]
    assert texts[-1] == "ALTER TABLE t\n    ALTER COLUMN a SET DEFAULT 7"
    assert texts[-2] == "CREATE TABLE t ()\nINHERITS (one, two)"
    (change,) = diff(schema("integer"), schema("bigint"))
    assert isinstance(change, AlterColumn)
    assert change.table.name == "one"  # it reaches the child by itself


@pytest.mark.parametrize(
    "kind",
    [
        ObjectKind.CONSTRAINT,
        ObjectKind.INDEX,
        ObjectKind.VIEW,
        ObjectKind.DEFAULT,
        ObjectKind.COLUMN,
    ],
)
def test_a_user_that_the_schema_does_not_know_is_left_alone(kind: ObjectKind) -> None:
    part = None if kind in (ObjectKind.INDEX, ObjectKind.VIEW) else "unknown"
    routine = Routine(
        name=QualifiedName("public", "f"),
        identity="",
        returns="integer",
        arguments="",
        definition="SELECT 1",
    )
    user = ref_of(kind, QualifiedName("public", "unknown"), part)
    current = Schema(routines=(routine,), dependencies=((user, routine.ref),))

    assert diff(current, Schema()) == (Drop(obj=routine),)


def test_a_column_leaves_the_domain_that_goes() -> None:
    domain = Domain(name=QualifiedName("public", "age"), type="integer")
    used = Table(name=T, columns=(replace(A, type="age"),))
    needs = ((used.column_ref("a"), domain.ref),)
    current = Schema(domains=(domain,), tables=(used,), dependencies=needs)
    desired = Schema(tables=(Table(name=T, columns=(A,)),))

    assert [type(change) for change in diff(current, desired)] == [AlterColumn, Drop]


def test_a_type_that_becomes_one_of_another_kind_while_a_column_uses_it_is_an_error() -> None:
    name = QualifiedName("public", "age")
    used = Table(name=T, columns=(replace(A, type="age"),))

    def schema(**types: tuple[Enum, ...] | tuple[Domain, ...]) -> Schema:
        ((type_,),) = types.values()
        return replace(
            Schema(tables=(used,), dependencies=((used.column_ref("a"), type_.ref),)),
            **types,  # type: ignore[arg-type]  # fields of Schema
        )

    current = schema(enums=(Enum(name=name, values=("1",)),))
    with pytest.raises(UnsupportedChange, match=r"enum public\.age .* column public\.t\.a"):
        diff(current, schema(domains=(Domain(name=name, type="integer"),)))


def test_things_that_need_one_another_are_an_error_that_names_them() -> None:
    views = [View(name=QualifiedName("public", name), definition="SELECT 1") for name in "vw"]
    one, other = views[0].ref, views[1].ref
    desired = Schema(views=tuple(views), dependencies=((one, other), (other, one)))

    with pytest.raises(UnsupportedChange, match=r"in a cycle: view public\.v, view public\.w"):
        diff(Schema(), desired)


@pytest.mark.parametrize(
    "rename",
    [
        Rename(
            before=Ref(ObjectKind.TABLE, "public", "t"), after=Ref(ObjectKind.TABLE, "public", "s")
        ),
        RenameValue(enum=T, before="a", after="b"),
    ],
)
def test_an_inverse_swaps_before_and_after(rename: Renaming) -> None:
    (back,) = invert([rename])

    assert type(back) is type(rename)
    assert (back.before, back.after) == (rename.after, rename.before)
    assert invert([back]) == (rename,)


def test_an_exclusion_changes_in_place_in_its_comments_only() -> None:
    key = Exclusion(name="x", definition="EXCLUDE USING gist (r WITH &&)")

    assert constraint_alters(key, replace(key, comment="said", index_comment="more"))
    assert not constraint_alters(key, replace(key, deferrable="deferred"))
    assert not constraint_alters(key, Unique(name="u", columns=("a",)))
