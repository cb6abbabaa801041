"""The arguments of ``sqlite3.connect``, checked by SQLite."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbwarden.config.sqlite import sqlite_arguments
from dbwarden.config.urls import parse_url


def opened(text: str, root: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(**sqlite_arguments(parse_url(text, root=root)))
    return connection


def test_a_file_is_opened_in_the_projects_folder(tmp_path: Path) -> None:
    with closing(opened("sqlite:///a%20b.db", tmp_path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert (tmp_path / "a b.db").exists()


def test_a_file_uri_is_opened_with_its_parameters(tmp_path: Path) -> None:
    opened("sqlite:///a%20b%3F.db", tmp_path).close()
    with closing(opened("sqlite:///file:a%2520b%253F.db?mode=rw&uri=true", tmp_path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    read_only = opened("sqlite:///file:a%2520b%253F.db?mode=ro&uri=true", tmp_path)
    with closing(read_only), pytest.raises(sqlite3.OperationalError, match="readonly"):
        read_only.execute("CREATE TABLE u (x)")


def test_a_file_uri_without_parameters_is_opened(tmp_path: Path) -> None:
    assert sqlite_arguments(parse_url("sqlite:///file:a.db?uri=true", root=tmp_path)) == {
        "database": f"file:{tmp_path}/a.db",
        "uri": True,
    }


def test_memory_shared_by_name_is_shared(tmp_path: Path) -> None:
    text = "sqlite:///file:together?mode=memory&cache=shared&uri=true"
    with closing(opened(text, tmp_path)) as one, closing(opened(text, tmp_path)) as other:
        one.execute("CREATE TABLE t (x)")
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_the_timeout_is_in_seconds() -> None:
    url = parse_url("sqlite:///:memory:?timeout=2.5&check_same_thread=false")
    assert sqlite_arguments(url) == {"database": ":memory:", "uri": False, "timeout": 2.5}
