from pathlib import Path

from dbwarden.files.checksum import NOTHING
from dbwarden.files.migration import Migration, Origin, Section
from dbwarden.migration_history import HistoryKind
from dbwarden.planning.foreign import foreign_state, foreign_table
from dbwarden.types import DatabaseName, Version


def file(number: int, id: str, *after: str, tool: str = "alembic", table: str = "") -> Migration:
    return Migration(
        database=DatabaseName("primary"),
        kind=HistoryKind.VERSIONED,
        version=Version(number),
        name=id,
        path=Path(f"primary__{number:04d}_{id}.sql"),
        upgrade=Section(text="SELECT 1;", line=1, checksum=NOTHING),
        rollback=None,
        origin=Origin(tool=tool, id=id, after=after, table=table or None),
    )


FILES = (
    file(1, "base"),
    file(2, "1a"),
    file(3, "2b", "1a"),
    file(4, "3c", "1a", table="app.versions"),
    file(5, "4d", "2b", "3c"),
    file(6, "1.0", tool="flyway"),
)


def keys(*ids: str) -> list[str]:
    return [each.key for each in foreign_state(FILES, "alembic", ids).applied]


def test_a_revision_stands_for_all_that_it_follows() -> None:
    assert keys("4d") == ["0001", "0002", "0003", "0004", "0005"]
    assert keys("3c") == ["0001", "0002", "0004"]
    assert keys("2b", "3c") == ["0001", "0002", "0003", "0004"]
    assert keys() == []


def test_a_baseline_stands_for_what_has_no_file() -> None:
    files = (file(1, "4d"), file(2, "5e", "4d"), file(3, "side", "1a"))
    state = foreign_state(files, "alembic", ["5e", "side"])
    assert [each.key for each in state.applied] == ["0001", "0002", "0003"]
    assert state.unknown == ()


def test_what_has_no_file_is_named() -> None:
    assert foreign_state(FILES, "alembic", ["9z", "1a"]).unknown == ("9z",)
    assert foreign_state(FILES, "flyway", ["1.0", "2.0"]).unknown == ("2.0",)


def test_the_newest_file_names_the_table() -> None:
    assert foreign_table(FILES[:4], "alembic") == "app.versions"
    assert foreign_table(FILES, "flyway") is None
