"""The namespaces of other databases of a project in the same PostgreSQL database."""

from pathlib import Path

from dbwarden.config.loading import load_project
from dbwarden.config.project import Project


def project(folder: Path, text: str) -> Project:
    path = folder / "dbwarden.py"
    path.write_text(f"from dbwarden import database_config, tenant_databases\n{text}")
    return load_project(path)


def patterns(project: Project, name: str) -> list[str]:
    """The namespaces of others, of those that are tried."""
    names = ("public", "a", "b", "t_1", "t_2", "t_x")
    found = list(project.foreign_namespaces(project.database(name)))
    return [word for word in names if any(pattern.fullmatch(word) for pattern in found)]


SINGLE = """
database_config(
    database_name="{0}", database_type="postgresql", default={1}, database_url="postgresql://h/{2}"
)
"""


def test_a_database_that_is_alone_has_none(tmp_path: Path) -> None:
    found = project(tmp_path, SINGLE.format("one", True, "x") + SINGLE.format("two", False, "y"))
    assert [list(found.foreign_namespaces(config)) for config in found.databases] == [[], []]


def test_a_replica_is_no_neighbour(tmp_path: Path) -> None:
    copy = SINGLE.format("copy", False, "x").replace("default=False", 'replica_of="one"')
    found = project(tmp_path, SINGLE.format("one", True, "x") + copy)
    assert [list(found.foreign_namespaces(config)) for config in found.databases] == [[], []]


def test_databases_with_namespaces_in_one_database(tmp_path: Path) -> None:
    a, b = "x?options=-csearch_path%3Da", "x?options=-csearch_path%3Db"
    text = SINGLE.format("one", True, a) + SINGLE.format("two", False, b)
    found = project(tmp_path, text + SINGLE.format("three", False, "x"))
    assert patterns(found, "one") == ["public", "b"]
    assert patterns(found, "two") == ["public", "a"]
    assert patterns(found, "three") == ["a", "b"]


def test_tenants_with_a_namespace_each(tmp_path: Path) -> None:
    url = "postgresql://h/x?options=-csearch_path%3Dt_{tenant_id}"
    text = SINGLE.format("one", True, "x") + (
        f"tenant_databases(name='t_{{tenant_id}}', tenants=['1', '2'], database_url={url!r},"
        " database_type='postgresql')\n"
    )
    found = project(tmp_path, text)
    assert patterns(found, "one") == ["t_1", "t_2", "t_x"]
    assert patterns(found, "t_1") == ["public", "t_2", "t_x"]
