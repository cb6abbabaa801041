"""Names that differ in capitals only."""

from dbwarden.dialects.sqlite.catalog.name_case import adopt_capitals
from dbwarden.schema import Check, Trigger, View
from tests.unit.dialects.sqlite.catalog.reading import read

CAPITALS = (
    'CREATE TABLE Users (Id INTEGER PRIMARY KEY, "Name" TEXT, Age INT, '
    "Twice INT AS (Age * 2), UNIQUE (Name COLLATE NOCASE), CONSTRAINT Ck CHECK (Age > 0))",
    "CREATE TABLE Posts (Id INTEGER, Author INT REFERENCES Users, Rest TEXT, "
    "CONSTRAINT Pk PRIMARY KEY (Id, Author), CONSTRAINT Uq UNIQUE (Rest), "
    "CONSTRAINT Fk FOREIGN KEY (Author) REFERENCES Users (Id))",
    "CREATE INDEX Ix ON Users (Name, lower(Name)) WHERE Age > 1",
    "CREATE VIEW V AS SELECT Id FROM Users",
    "CREATE TRIGGER G AFTER INSERT ON Users BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE Docs USING fts5(body)",
)


def test_names_that_differ_in_capitals_only_are_the_same_names() -> None:
    one = read(*CAPITALS)
    lower = [text.lower() for text in CAPITALS]
    lower[4] = "CREATE TRIGGER g AFTER INSERT ON Users BEGIN SELECT 1; END"
    other = read(*lower)
    assert one.tables != other.tables
    found = adopt_capitals(one, other)
    assert found.tables[1:] == one.tables[1:]
    assert [str(item.name) for item in found.tables] == ["Docs", "Posts", "Users"]
    assert [view.name for view in found.of(View)] == [view.name for view in one.of(View)]
    assert [(item.table, item.name) for item in found.of(Trigger)] == [
        (item.table, item.name) for item in one.of(Trigger)
    ]
    assert one.dependencies
    assert set(found.dependencies) == set(one.dependencies)


def test_an_exact_match_of_capitals_wins() -> None:
    here = read(
        "CREATE TABLE t (a INT CONSTRAINT x CHECK (a > 0), b INT CONSTRAINT X CHECK (b > 0))"
    )
    assert adopt_capitals(here, here) is here
    more = read("CREATE TABLE t (A INT CONSTRAINT X CHECK (a > 0), c INT)", "CREATE TABLE Q (z)")
    (added, made) = adopt_capitals(here, more).tables
    assert str(added.name) == "Q"
    assert [item.name for item in made.columns] == ["a", "c"]
    assert made.checks == (Check(name="X", expression="a > 0", columns=("a",)),)
