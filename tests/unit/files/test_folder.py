"""A folder of files becomes an ordered history or one error with all problems."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dbwarden.errors import MigrationFileError
from dbwarden.files.folder import next_version, read_folder, write_migration
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName
from tests.unit.files.migrations import PRIMARY

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "primary"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a file of that name; a small migration unless told otherwise."""

    def write_file(name: str, text: str | bytes = "-- upgrade\nSELECT 1;\n") -> Path:
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def problems(folder: Path) -> list[tuple[str, str]]:
    """File (and line and column) and message of every problem."""
    with pytest.raises(MigrationFileError) as caught:
        read_folder(folder, PRIMARY, "postgresql")
    for problem in caught.value.problems:
        assert problem.database == PRIMARY
        assert problem.next_step
    return [
        (str(problem.location).removeprefix(f"{folder}{os.sep}"), problem.message)
        for problem in caught.value.problems
    ]


def advice(folder: Path) -> str:
    with pytest.raises(MigrationFileError) as caught:
        read_folder(folder, PRIMARY, "postgresql")
    return caught.value.next_step or ""


def test_versions_are_compared_as_numbers_and_repeatables_come_last(
    folder: Path, write: Write
) -> None:
    for name in (
        "primary__10000_five_digits.sql",
        "primary__0002_b.sql",
        "primary__00001_first.sql",
        "primary__20261122093000_by_date.sql",
        "primary__ROC__a_view.sql",
        "primary__RA__grants.sql",
        "primary__9999_d.sql",
    ):
        write(name)
    found = read_folder(folder, PRIMARY, "postgresql")
    assert [item.key for item in found] == [
        "0001", "0002", "9999", "10000", "20261122093000", "a_view", "grants",
    ]  # fmt: skip
    assert [item.kind for item in found[-2:]] == [HistoryKind.ON_CHANGE, HistoryKind.ALWAYS]
    assert [item.always for item in found[-2:]] == [False, True]
    assert found[0].path == folder / "primary__00001_first.sql"
    assert next_version(found) == 20261122093001


def test_a_database_name_may_hold_underscores(tmp_path: Path) -> None:
    (tmp_path / "my__db__0001_a.sql").write_text("-- upgrade\nSELECT 1;")
    (found,) = read_folder(tmp_path, DatabaseName("my__db"), "postgresql")
    assert (found.version, found.name) == (1, "a")


def test_other_files_are_ignored(folder: Path, write: Write) -> None:
    for name in ("README.md", ".gitkeep", ".primary__0001_a.sql.x.draft", ".hidden.sql", "a.sql~"):
        write(name, b"\xff")
    (folder / "old.sql").mkdir()
    assert read_folder(folder, PRIMARY, "postgresql") == ()
    assert next_version(()) == 1


def test_a_folder_that_does_not_exist_has_no_migrations(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "nowhere", PRIMARY, "postgresql") == ()


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(MigrationFileError, match="folder cannot be read: Not a directory"):
        read_folder(path, PRIMARY, "postgresql")


def test_a_file_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "primary__0001_a.sql").symlink_to(folder / "gone")
    assert problems(folder) == [
        ("primary__0001_a.sql", "the file cannot be read: No such file or directory")
    ]


def test_all_problems_of_a_folder_are_reported_together(folder: Path, write: Write) -> None:
    write("primary__0001_a.sql", "-- upgrade\n")
    write("primary__0002_b.sql", b"-- upgrade\nSELECT '\xe9';")
    write("primary__0002_c.sql", '\n-- depends_on: ["0009"]\n-- upgrade\nSELECT 1;')
    write("primary__0003_d.sql", '-- depends_on: ["0001", "0002", "0003"]\n-- upgrade\nSELECT 1;')
    write("primary__RA__v.sql")
    write("primary__ROC__v.sql")
    write("notes.sql")
    assert problems(folder) == [
        ("notes.sql", "the name notes.sql is not that of a migration of primary"),
        ("primary__0001_a.sql:1:1", "its upgrade has no statement"),
        ("primary__0002_b.sql:2:9", "byte 0xe9 is not UTF-8"),
        ("primary__0002_c.sql", "version 0002 exists twice: also primary__0002_b.sql"),
        ("primary__ROC__v.sql", "the repeatable v exists twice: also as primary__RA__v.sql"),
        ("primary__0002_c.sql:2", "it depends on 0009, which does not exist"),
        ("primary__0003_d.sql:1", "it depends on itself"),
    ]
    with pytest.raises(MigrationFileError) as caught:
        read_folder(folder, PRIMARY, "postgresql")
    assert caught.value.message == f"the folder {folder} has problems (7)"


def test_a_cycle_of_dependencies_is_named_in_full(folder: Path, write: Write) -> None:
    for version, needs in ((1, ""), (2, '"0004"'), (3, '"0002"'), (4, '"0001", "0003"')):
        write(f"primary__000{version}_x.sql", f"-- depends_on: [{needs}]\n-- upgrade\nSELECT 1;")
    assert problems(folder) == [
        (
            "primary__0002_x.sql:1",
            "migrations form a dependency cycle: 0002 -> 0004 -> 0003 -> 0002",
        )
    ]
    assert "0002, 0004, 0003" in advice(folder)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("0001_create_users.sql", "Rename it to primary__0001_create_users.sql."),
        ("primary_0001_a.sql", "Name it like primary__0001_create_users.sql or"),
        ("primary__1_a.sql", "Rename it to primary__0001_a.sql."),
        ("primary__001-a.sql", "Rename it to primary__0001_a.sql."),
        ("primary__0001__a.sql", "Rename it to primary__0001_a.sql."),
        ("primary__0001_a b.sql", "Rename it to primary__0001_a_b.sql."),
        ("primary__V0001_a.sql", "Rename it to primary__0001_a.sql."),
        ("primary__0001_a.SQL", "Rename it to primary__0001_a.sql."),
        ("primray__0001_a.sql", "Rename it to primary__0001_a.sql."),
        ("primary__0001.sql", "Add a name in words"),
        ("primary__0001_.sql", "Add a name in words"),
        ("primary__0000_a.sql", "Versions begin with 0001"),
        ("primary__ra__v.sql", "Rename it to primary__RA__v.sql."),
        ("primary__R__v.sql", "Rename it to primary__ROC__v.sql."),
        ("primary__ROC_v.sql", "Rename it to primary__ROC__v.sql."),
        ("primary__RA__0007.sql", "Add a name in words"),
        ("primary__RA__!.sql", "Rename it to primary__RA__name.sql."),
        ("analytics__0001_a.sql", "Move it to the folder of analytics, or rename it"),
        ("primary__create_users.sql", "Name it like primary__0001_create_users.sql or"),
    ],
)
def test_a_name_that_does_not_parse_is_an_error_with_a_better_name(
    folder: Path, write: Write, name: str, meant: str
) -> None:
    write(name)
    assert meant in advice(folder)


def test_a_migration_is_written_with_its_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "primary"
    path = write_migration(folder, "primary__0001_a.sql", "-- é\r\n")
    assert path.read_bytes() == b"-- \xc3\xa9\r\n"
    assert list(folder.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_migration_never_overwrites_another(tmp_path: Path) -> None:
    path = write_migration(tmp_path, "primary__0001_a.sql", "first")
    with pytest.raises(MigrationFileError, match="such a file already"):
        write_migration(tmp_path, "primary__0001_a.sql", "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_without_hard_links_nothing_is_overwritten_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = write_migration(tmp_path, "primary__0001_a.sql", "first")
    assert path.read_text() == "first"
    with pytest.raises(MigrationFileError, match="such a file already"):
        write_migration(tmp_path, "primary__0001_a.sql", "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["file", "file/primary"])
def test_a_folder_that_takes_no_files_is_an_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MigrationFileError, match="cannot be written") as caught:
        write_migration(tmp_path / folder, "primary__0001_a.sql", "x")
    assert caught.value.next_step


def test_two_files_with_one_number_suggest_renumber(folder: Path, write: Write) -> None:
    write("primary__0001_a.sql")
    write("primary__0001_b.sql")
    assert advice(folder).endswith("this one with: dbwarden renumber -d primary --move 0001_b")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (os.mkfifo, "a named pipe"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
    ],
)
def test_a_named_pipe_does_not_block_the_reader(
    folder: Path, make: Callable[[Path], object], what: str
) -> None:
    make(folder / "primary__0001_a.sql")
    words = f"the file cannot be read: it is {what}, not a regular file"
    assert problems(folder) == [("primary__0001_a.sql", words)]


def test_a_file_that_is_too_large_is_refused_with_the_limit(folder: Path) -> None:
    with (folder / "primary__0001_a.sql").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    words = "it is larger than 64 MiB, the limit for a file of SQL"
    assert problems(folder) == [("primary__0001_a.sql", f"the file cannot be read: {words}")]


def test_a_link_to_a_migration_is_one(folder: Path, write: Write, tmp_path: Path) -> None:
    write("primary__0001_a.sql").rename(tmp_path / "elsewhere")
    (folder / "primary__0001_a.sql").symlink_to(tmp_path / "elsewhere")
    assert [migration.version for migration in read_folder(folder, PRIMARY, "postgresql")] == [1]
