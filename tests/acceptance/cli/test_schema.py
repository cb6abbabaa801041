"""schema prints SQL or a picture."""

from pathlib import Path

from tests.acceptance.cli.projects import Cli, write


def test_a_picture_shows_what_changed_since_a_migration(project: Path, cli: Cli) -> None:
    plain = cli("schema", "--format", "mermaid")
    assert plain.code == 0
    assert plain.out.startswith('erDiagram\n    "orders" {\n        INTEGER id PK\n')
    changed = cli("schema", "--format", "mermaid", "--since", "1")
    assert '"orders":::added {' in changed.out and '"users" {' in changed.out
    assert '"users":::added {' in cli("schema", "--format", "mermaid", "--since", "0").out


def test_one_page_shows_several_databases(project: Path, cli: Cli) -> None:
    ran = cli("schema", "-d", "primary", "-d", "analytics", "--format", "html")
    assert ran.code == 0
    assert ran.out.count("<!doctype html>") == 1
    assert [f"<h2>{name}</h2>" in ran.out for name in ("primary", "analytics")] == [True, True]


def test_the_live_database_is_drawn_without_its_history(project: Path, cli: Cli) -> None:
    assert cli("migrate", "--to", "1").code == 0
    write(project, "primary", "0003_more", "-- upgrade\nCREATE TABLE more (id INTEGER);\n")
    ran = cli("schema", "--live", "--json", "--format", "html", "--since", "2")
    (found,) = ran.json["databases"]
    assert found["since"] == "0002"
    assert [(t["name"], t["mark"]) for t in found["diagram"]["tables"]] == [
        ("orders", "dropped"),
        ("users", ""),
    ]


def test_since_is_for_pictures_and_names_a_file(project: Path, cli: Cli) -> None:
    ran = cli("schema", "--since", "1")
    assert ran.code == 2 and "Add --format html" in ran.err
    ran = cli("schema", "--format", "html", "--since", "9")
    assert ran.code == 2 and ran.out == ""
    assert "there is no migration 0009 here; the newest is 0002" in ran.err
