"""The parts of a table."""

from typing import Any

from dbwarden.schema import Check, Column, Index, PrimaryKey, QualifiedName, Table, Unique

KEY = PrimaryKey(name="k", columns=("a",))
UNIQUE = Unique(name="u", columns=("a",))
CHECK = Check(name="c", expression="a > 0")
TABLE = Table(
    name=QualifiedName("public", "t"),
    columns=(Column(name="a", type="int"),),
    primary_key=KEY,
    uniques=(UNIQUE,),
    checks=(CHECK,),
    indexes=(Index(name="i", columns=()),),
)


def test_parts_are_replaced_and_removed() -> None:
    def change(part: Any) -> Any:
        return None if part in (KEY, CHECK) else part

    made = TABLE.map_parts(change)
    assert [part.key for part in TABLE.parts] == ["a", "k", "u", "c", "i"]
    assert [part.key for part in made.parts] == ["a", "u", "i"]
    assert TABLE.map_parts(lambda part: part) == TABLE
