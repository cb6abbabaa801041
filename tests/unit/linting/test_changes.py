"""Tables before and after a statement are compared by the identities of their parts."""

from dataclasses import replace

from dbwarden.linting.changes import (
    Added,
    Dropped,
    IndexRewritten,
    NotNullSet,
    Renamed,
    Retyped,
    changes_between,
)
from dbwarden.linting.tables import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts

ID = ColumnFacts(key=1, name="id", type="bigint", not_null=True)
NAME = ColumnFacts(key=2, name="name", type="text")
KEY = ConstraintFacts(key=10, name="pk", kind="primary key", columns=("id",), index=20)
PK = IndexFacts(key=20, name="pk", columns=("id",), file=1)
BY_NAME = IndexFacts(key=21, name="ix", columns=("name",), file=2)
USERS = TableFacts(
    key=1, name="users", file=5, columns=(ID, NAME), constraints=(KEY,), indexes=(PK, BY_NAME)
)


def kinds(before: TableFacts | None, after: TableFacts | None) -> list[type | tuple[type, type]]:
    """Return the kind of each change, with that of the part that it is about."""
    found: list[type | tuple[type, type]] = []
    for change in changes_between(before, after):
        match change:
            case Added(_, part) | Dropped(_, part) | Renamed(_, part):
                found.append((type(change), type(part)))
            case _:
                found.append(type(change))
    return found


def test_equal_tables_have_no_changes() -> None:
    assert kinds(USERS, USERS) == []
    assert kinds(None, None) == []


def test_a_new_table_has_changes_for_its_parts() -> None:
    assert kinds(None, USERS) == [
        (Added, TableFacts),
        *2 * [(Added, ColumnFacts)],
        (Added, ConstraintFacts),
        (Added, IndexFacts),
    ]
    assert kinds(USERS, None) == [(Dropped, TableFacts)]


def test_a_new_name_is_no_new_part() -> None:
    renamed = replace(NAME, name="title")
    assert kinds(USERS, replace(USERS, name="people")) == [(Renamed, TableFacts)]
    assert kinds(USERS, replace(USERS, columns=(ID, renamed))) == [(Renamed, ColumnFacts)]
    assert kinds(USERS, replace(USERS, indexes=(PK, replace(BY_NAME, name="iy")))) == []


def test_types_and_nullability_are_compared() -> None:
    retyped = replace(NAME, type="varchar", not_null=True)
    assert kinds(USERS, replace(USERS, columns=(ID, retyped))) == [Retyped, NotNullSet]
    assert kinds(USERS, replace(USERS, columns=(ID,))) == [(Dropped, ColumnFacts)]


def test_a_constraint_builds_its_index_unless_the_index_was_there() -> None:
    unique = ConstraintFacts(key=11, name="uq", kind="unique", columns=("name",), index=21)
    taken_over = replace(USERS, constraints=(KEY, unique))
    (change,) = changes_between(USERS, taken_over)
    assert change == Added(taken_over, unique, builds_index=False)

    built = replace(taken_over, constraints=(KEY, replace(unique, index=22)))
    built = replace(built, indexes=(PK, BY_NAME, IndexFacts(key=22, name="uq", file=3)))
    (change,) = changes_between(USERS, built)
    assert isinstance(change, Added) and change.builds_index


def test_an_index_with_the_file_of_an_old_one_is_the_old_one() -> None:
    again = replace(BY_NAME, key=30)
    assert kinds(USERS, replace(USERS, indexes=(PK, again))) == []
    assert kinds(USERS, replace(USERS, indexes=(PK, replace(again, file=9)))) == [
        *((Added, IndexFacts), (Dropped, IndexFacts)),
    ]
    assert kinds(USERS, replace(USERS, indexes=(PK, replace(BY_NAME, file=9)))) == [IndexRewritten]


def test_a_constraint_that_a_new_type_recreates_is_the_old_one() -> None:
    retyped = replace(USERS, columns=(replace(ID, type="integer"), NAME))
    again = replace(KEY, key=40, index=41)
    recreated = replace(retyped, constraints=(again,), indexes=(replace(PK, key=41), BY_NAME))
    assert kinds(USERS, recreated) == [Retyped]


def test_an_index_serves_a_foreign_key_if_it_begins_with_its_columns() -> None:
    both = IndexFacts(key=50, name="both", columns=("a", "b", "c"))
    table = TableFacts(key=1, name="t", indexes=(both,))
    assert table.is_indexed(("b", "a"))
    assert table.is_indexed(("a",))
    assert not table.is_indexed(("b",))
    assert not table.is_indexed(("a", "c"))
    assert not replace(table, indexes=(replace(both, partial=True),)).is_indexed(("a",))
