"""A folder of files becomes an ordered history, or one error with all that is wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import MigrationFileError, UsageError
from dbwarden.files.checksum import checksum
from dbwarden.files.folder import next_version, read_folder, slug, write_migration
from dbwarden.files.migration import Migration, Section
from dbwarden.files.naming import parse_name, parse_version
from dbwarden.files.order import cycle_of, format_cycle, sort_migrations
from dbwarden.files.spelling import closest, distance
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Version

PRIMARY = DatabaseName("primary")

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
        read_folder(folder, PRIMARY)
    for problem in caught.value.problems:
        assert problem.database == PRIMARY
        assert problem.next_step
    return [
        (str(problem.location).removeprefix(f"{folder}{os.sep}"), problem.message)
        for problem in caught.value.problems
    ]


def advice(folder: Path) -> str:
    with pytest.raises(MigrationFileError) as caught:
        read_folder(folder, PRIMARY)
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
    found = read_folder(folder, PRIMARY)
    assert [item.key for item in found] == [
        "0001", "0002", "9999", "10000", "20261122093000", "a_view", "grants",
    ]  # fmt: skip
    assert [item.kind for item in found[-2:]] == [HistoryKind.ON_CHANGE, HistoryKind.ALWAYS]
    assert [item.always for item in found[-2:]] == [False, True]
    assert found[0].path == folder / "primary__00001_first.sql"
    assert next_version(found) == 20261122093001


def test_a_database_name_may_hold_underscores(tmp_path: Path) -> None:
    (tmp_path / "my__db__0001_a.sql").write_text("-- upgrade\nSELECT 1;")
    (found,) = read_folder(tmp_path, DatabaseName("my__db"))
    assert (found.version, found.name) == (1, "a")


def test_other_files_are_none_of_ours(folder: Path, write: Write) -> None:
    for name in ("README.md", ".gitkeep", ".primary__0001_a.sql.x.draft", ".hidden.sql", "a.sql~"):
        write(name, b"\xff")
    (folder / "old.sql").mkdir()
    assert read_folder(folder, PRIMARY) == ()
    assert next_version(()) == 1


def test_a_folder_that_does_not_exist_has_no_migrations(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "nowhere", PRIMARY) == ()


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(MigrationFileError, match="folder cannot be read: Not a directory"):
        read_folder(path, PRIMARY)


def test_a_file_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "primary__0001_a.sql").symlink_to(folder / "gone")
    assert problems(folder) == [
        ("primary__0001_a.sql", "the file cannot be read: No such file or directory")
    ]


def test_every_problem_of_a_folder_is_said_at_once(folder: Path, write: Write) -> None:
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
        read_folder(folder, PRIMARY)
    assert caught.value.message == f"the folder {folder} has problems (7)"


def test_a_circle_of_dependencies_is_named_in_full(folder: Path, write: Write) -> None:
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


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Create users", "create_users"),
        ("  add   e-mail: unique!  ", "add_e_mail_unique"),
        ("Größe ändern", "große_andern"),
        ("__x__", "x"),
        ("добавить пользователей", "добавить_пользователеи"),
        ("word " * 30, "word_word_word_word_word_word_word_word_word_word_word_word"),
        ("w" * 100, "w" * 60),
    ],
)
def test_a_message_becomes_a_name(message: str, expected: str) -> None:
    assert slug(message) == expected


@pytest.mark.parametrize("message", ["", " ", "!?", "__"])
def test_a_message_without_a_word_is_refused(message: str) -> None:
    with pytest.raises(UsageError) as caught:
        slug(message)
    assert caught.value.next_step


@given(st.text(max_size=200))
def test_a_name_made_from_a_message_parses(message: str) -> None:
    try:
        name = slug(message)
    except UsageError:
        return
    path = Path(f"primary__0001_{name}.sql")
    assert parse_name(path, PRIMARY).name == name
    assert slug(name) == name


@pytest.mark.parametrize(("text", "version"), [("7", 7), ("0007", 7), ("0", 0)])
def test_a_version_is_read_as_people_write_it(text: str, version: int) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "٣", "0007_users"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--to '"):
        parse_version(text, "--to")


# -- writing ------------------------------------------------------------------------------------


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


def test_where_links_are_not_possible_nothing_is_overwritten_either(
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


# -- order --------------------------------------------------------------------------------------


def migration(version: int, *needs: int) -> Migration:
    return Migration(
        database=PRIMARY,
        kind=HistoryKind.VERSIONED,
        version=Version(version),
        name="x",
        path=Path(f"primary__{version:04d}_x.sql"),
        upgrade=Section(text="SELECT 1", line=1, checksum=checksum("SELECT 1")),
        rollback=None,
        depends_on=tuple(Version(need) for need in needs),
    )


def test_a_migration_may_depend_on_a_later_one_and_then_runs_behind_it() -> None:
    files = [
        migration(3, 5),
        migration(1),
        migration(5),
        migration(2),
        migration(4),
        migration(6, 3),
    ]
    assert [item.version for item in sort_migrations(files)] == [1, 2, 4, 5, 3, 6]
    assert cycle_of(files) == ()


def test_a_dependency_outside_of_what_is_ordered_is_taken_to_be_there() -> None:
    assert [item.version for item in sort_migrations([migration(2, 9), migration(1)])] == [1, 2]


GRAPHS = st.dictionaries(st.integers(1, 9), st.sets(st.integers(1, 9), max_size=3), max_size=9)


@given(GRAPHS)
def test_the_order_heeds_every_dependency_or_there_is_a_cycle(graph: dict[int, set[int]]) -> None:
    files = [migration(version, *needs) for version, needs in graph.items()]
    ordered = [item.version or 0 for item in sort_migrations(files)]
    cycle = cycle_of(files)
    assert sorted(set(ordered)) == sorted(ordered)
    assert (len(ordered) == len(files)) == (not cycle)
    for place, version in enumerate(ordered):
        needs = {need for need in graph[version] if need in graph}
        assert needs <= set(ordered[:place])
    for item, following in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert following.version in item.depends_on
    if cycle:
        assert format_cycle(cycle).endswith(f" -> {cycle[0].key}")


@given(st.sets(st.integers(1, 99)))
def test_without_dependencies_the_order_is_that_of_the_numbers(versions: set[int]) -> None:
    ordered = sort_migrations([migration(version) for version in versions])
    assert [item.version for item in ordered] == sorted(versions)


# -- spelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("upgrade", "upgrade", 0),
        ("upgarde", "upgrade", 1),
        ("upgade", "upgrade", 1),
        ("uprade", "upgrade", 1),
        ("updates", "upgrade", 3),
        ("x", "upgrade", 3),
        ("ugprdae", "upgrade", 2),
    ],
)
def test_the_distance_counts_letters_up_to_three(one: str, other: str, expected: int) -> None:
    assert distance(one, other) == distance(other, one) == expected


def test_the_closest_known_word_is_suggested_if_it_is_close() -> None:
    assert closest("Depend_on", ["requires", "depends_on"]) == "depends_on"
    assert closest("author", ["requires", "depends_on"]) is None
    assert closest("x", []) is None


def test_of_two_files_with_one_number_the_command_that_parts_them_is_named(
    folder: Path, write: Write
) -> None:
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
def test_what_is_no_regular_file_holds_up_nobody(
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
    assert [migration.version for migration in read_folder(folder, PRIMARY)] == [1]
