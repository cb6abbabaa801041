"""All problems of the options are reported together; valid options become a configuration."""

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbwarden.config import checks
from dbwarden.config.checks import ValueProblem
from dbwarden.config.database_options import OPTIONS, DatabaseConfig
from dbwarden.config.option import Option
from dbwarden.config.registry import (
    TENANT_OPTIONS,
    DatabaseDeclaration,
    DatabaseOptions,
    TenantOptions,
)
from dbwarden.config.validation import validate
from dbwarden.types import Location

ROOT = Path("/project")
FILE = ROOT / "dbwarden.py"
GOOD = {"database_name": "primary", "database_url": "postgresql://ann:hunter2@h/shop"}


def checked(*options: dict[str, Any]) -> tuple[tuple[DatabaseConfig, ...], tuple[str, ...]]:
    declarations = [
        DatabaseDeclaration(options=given, location=Location(path=FILE, line=number))
        for number, given in enumerate(options, 1)
    ]
    databases, problems = validate(declarations, ROOT)
    assert not [each for each in databases if not isinstance(each, DatabaseConfig)]
    return tuple(each for each in databases if isinstance(each, DatabaseConfig)), problems


def good(*options: dict[str, Any]) -> tuple[DatabaseConfig, ...]:
    databases, problems = checked(*options)
    assert problems == ()
    return databases


def problems(*options: dict[str, Any]) -> tuple[str, ...]:
    databases, found = checked(*options)
    assert databases == ()
    assert "hunter2" not in repr(found)
    return found


def database(name: str, **options: Any) -> dict[str, Any]:
    return {"database_name": name, "database_url": f"sqlite:///{name}.db", **options}


def test_two_options_are_enough_for_one_database() -> None:
    (config,) = good(GOOD)
    assert config.database_type == "postgresql"
    assert config.migrations_dir == ROOT / "migrations" / "primary"
    assert config.root == ROOT
    assert config.default


def test_every_default_is_the_one_the_model_states() -> None:
    (config,) = good(GOOD)
    for field in dataclasses.fields(DatabaseConfig):
        if field.default is not dataclasses.MISSING and field.name != "default":
            assert getattr(config, field.name) == field.default


def test_every_option_is_typed_checked_and_kept() -> None:
    options = set(typing.get_type_hints(DatabaseOptions))
    assert options == set(OPTIONS)
    assert DatabaseOptions.__required_keys__ == {
        name for name, option in OPTIONS.items() if option.required
    }
    assert options == {field.name for field in dataclasses.fields(DatabaseConfig)} - {
        "root",
        "dev",
        "migrations_name",
        "primary",
        "project",
    }


def test_tenants_have_the_options_of_the_table() -> None:
    options = set(typing.get_type_hints(TenantOptions))
    assert options - set(TENANT_OPTIONS) == {
        name for name, option in OPTIONS.items() if option.tenants
    }


@pytest.mark.parametrize(("name", "option"), OPTIONS.items())
def test_the_type_allows_none_where_the_table_does(name: str, option: Option) -> None:
    if option.check is checks.source:
        return  # its type allows any object
    hint = typing.get_type_hints(DatabaseOptions)[name]
    try:
        option.check(None, ROOT)
        accepted = True
    except ValueProblem:
        accepted = option.is_unset(None)
    assert (type(None) in typing.get_args(hint)) is accepted


def test_every_option_reaches_the_configuration() -> None:
    function: Callable[[], str] = lambda: "postgresql://h/db"  # noqa: E731
    given: dict[str, Any] = {
        "database_name": "primary",
        "database_type": "postgresql",
        "database_url": function,
        "default": True,
        "model_paths": ["app.models", "models.py", "app/models", Path("m")],
        "schema_paths": ["sql/views.sql", Path("/srv/x.sql")],
        "migrations_dir": "db/../sql",
        "migration_url": "postgresql://direct/db",
        "dev_database_type": "postgresql",
        "dev_database_url": "postgresql://dev/db",
        "overlap_models": True,
        "compare_privileges": True,
        "partitions": "all",
        "timeout": None,
        "connect_timeout": 1,
        "lock_timeout": 2.5,
        "lock_retries": 0,
        "statement_timeout": 9,
        "migration_lock_timeout": 8,
        "pool_size": 1,
        "max_overflow": 0,
        "pool_timeout": 3,
        "pool_recycle": -1,
        "pool_pre_ping": False,
        "engine_options": {"echo": True},
        "ledger_table": "ledger",
        "ledger_schema": "audit",
        "scratch": "postgresql://scratch/db",
        "scratch_setup": "roles.sql",
    }
    replica = {**given, "database_name": "replica", "replica_of": "primary", "default": False}
    config, second = good(given, replica)
    assert second.replica_of == "primary"
    settled = {
        "model_paths": ("app.models", "/project/models.py", "/project/app/models", "/project/m"),
        "schema_paths": (ROOT / "sql/views.sql", Path("/srv/x.sql")),
        "migrations_dir": ROOT / "sql",
        "scratch_setup": ROOT / "roles.sql",
    }
    for name, value in {**given, **settled}.items():
        assert getattr(config, name) == value, name


def test_none_means_left_out_for_options_of_the_environment() -> None:
    assert good(GOOD) == good(
        {
            **GOOD,
            "database_type": None,
            "migrations_dir": None,
            "migration_url": None,
            "dev_database_type": None,
            "dev_database_url": "",
            "replica_of": None,
            "ledger_schema": None,
            "scratch_setup": None,
        }
    )


def test_a_development_type_without_url_is_refused_only_when_used() -> None:
    (config,) = good({**GOOD, "dev_database_type": "postgresql", "dev_database_url": None})
    assert config.dev_database_url is None


def test_the_only_database_that_is_no_replica_is_the_default() -> None:
    primary, replica = good(database("primary"), database("replica", replica_of="primary"))
    assert primary.default
    assert not replica.default


def test_several_databases_need_no_default() -> None:
    assert [config.default for config in good(database("a"), database("b"))] == [False, False]
    assert [config.default for config in good(database("a"), database("b", default=True))] == [
        False,
        True,
    ]


def test_a_replica_takes_migrations_history_and_development_from_its_primary() -> None:
    shared = {
        "migrations_dir": "sql",
        "ledger_table": "ledger",
        "dev_database_url": "sqlite:///dev.db",
    }
    primary, replica = good(
        database("primary", **shared), database("replica", replica_of="primary")
    )
    for name in ("migrations_dir", "ledger_table", "dev_database_url", "dev_database_type"):
        assert getattr(replica, name) == getattr(primary, name)


def test_a_replica_may_share_target_and_folder_with_its_primary() -> None:
    url = "postgresql://h/db"
    primary = database("primary", database_url=url, migrations_dir="sql")
    replica = database("replica", database_url=url, migrations_dir="sql", replica_of="primary")
    assert len(good(primary, replica)) == 2


def test_the_connect_timeout_may_come_from_the_url() -> None:
    (config,) = good({**GOOD, "database_url": "postgresql://h/db?connect_timeout=3"})
    assert config.connect_timeout == 3.0
    (config,) = good(
        {**GOOD, "database_url": "postgresql://h/db?connect_timeout=3", "connect_timeout": 3}
    )
    assert config.connect_timeout == 3.0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"ledger_schema": "audit"}, {}),
        ({"ledger_table": "ledger_a"}, {"ledger_table": "ledger_b"}),
        ({"database_url": "postgresql://h/db?options=-c%20search_path%3Da,public"}, {}),
    ],
)
def test_one_database_may_hold_two_ledgers(first: dict[str, Any], second: dict[str, Any]) -> None:
    url = "postgresql://h/db"
    assert good(
        database("one", **{"database_url": url, **first}),
        database("two", **{"database_url": url, **second}),
    )


def test_databases_in_memory_are_all_different() -> None:
    assert good(database("a", database_url="sqlite://"), database("b", database_url="sqlite://"))


def test_the_embedded_server_and_automatic_scratch_are_keywords() -> None:
    (config,) = good({**GOOD, "dev_database_url": "embedded", "scratch": "auto"})
    assert config.dev_database_url == "embedded"
    assert config.dev_database_type is None
    (config,) = good({"database_name": "primary", "database_url": "embedded"})
    assert (config.database_type, config.url, config.is_embedded) == ("postgresql", None, True)
    assert config.display_url == "embedded"


def test_all_problems_of_all_databases_are_reported_with_their_places() -> None:
    found = problems(
        database("primary", default=True, timeout="60"),
        database("ui", databse_type="sqlite", default=True),
        {"database_url": "postgresql://ann:hunter2@h:x/db"},
    )
    assert found == (
        "primary.timeout: must be a number of seconds above 0, or None for no limit, not '60' "
        "(dbwarden.py:1)",
        "ui.databse_type: there is no such option; did you mean 'database_type'? (dbwarden.py:2)",
        "ui.database_name: 'ui' is reserved; take another name (dbwarden.py:2)",
        "ui.default: 'primary' is the default already (dbwarden.py:2)",
        "database_config.database_name: is missing (dbwarden.py:3)",
        "database_config.database_url: the port is not a number from 1 to 65535. If what follows "
        "the : is a password, an @ and the host are missing, or: write @ as %40, : as %3A, / as "
        "%2F, ? as %3F and % as %25 in user and password (dbwarden.py:3)",
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("database_name", 7, "must be text, not 7"),
        ("database_name", "", "must be text"),
        ("database_name", "Primary", "such as 'primary'"),
        ("database_name", "postgresql://ann:hunter2@h/db", "is a URL, not a name"),
        ("database_url", None, "is the environment variable set?"),
        ("database_type", "postgres", "did you mean 'postgresql'?"),
        ("database_type", 3, "not 3"),
        ("database_type", "sqlite", "is 'sqlite', but database_url is of kind postgresql"),
        ("default", 1, "must be True or False, not 1"),
        ("default", None, "must be True or False, not None"),
        ("model_paths", "app.models", "must be a list; write ['app.models']"),
        ("model_paths", 1, "must be a list, not 1"),
        ("model_paths", [3], "3 is neither a dotted module"),
        ("model_paths", ["app-models"], "'app-models' is neither a dotted module"),
        ("model_paths", [""], "neither a dotted module"),
        ("schema_paths", Path("x.sql"), "must be a list; write ['x.sql']"),
        ("schema_paths", [b""], "must be a path"),
        ("migrations_dir", "", "must be a path, not ''"),
        ("migrations_dir", 3, "must be a path, not 3"),
        ("migration_url", "sqlite:///a.db", "database_type is 'postgresql', but migration_url"),
        ("scratch", "sqlite:///a.db", "but scratch is of kind sqlite"),
        ("scratch", "somewhere", "not a database URL"),
        ("scratch", 1, "must be text"),
        ("dev_database_url", "mysql://u:hunter2@h/db", "no kind of database"),
        ("replica_of", "primary", "a database cannot be its own replica"),
        ("replica_of", "primry", "no database 'primry' is configured; did you mean 'primary'?"),
        ("timeout", 0, "above 0, or None for no limit, not 0"),
        ("timeout", True, "not True"),
        ("timeout", float("nan"), "not nan"),
        ("timeout", float("inf"), "not inf"),
        ("connect_timeout", None, "above 0, not None"),
        ("lock_timeout", -1, "not -1"),
        ("pool_recycle", -2, "above 0, or -1, not -2"),
        ("lock_retries", -1, "must be a whole number, 0 or more, not -1"),
        ("pool_size", 0, "must be a whole number, 1 or more, not 0"),
        ("pool_size", 2.5, "not 2.5"),
        ("pool_size", True, "not True"),
        ("engine_options", ["echo"], "must be a dictionary with text as keys"),
        ("engine_options", {1: "hunter2"}, "must be a dictionary with text as keys"),
        ("engine_options", {"pool_size": 5}, "is an option of database_config itself"),
        ("engine_options", {"creator": 5}, "is set by dbwarden"),
        ("ledger_table", "a.b", "must be a plain name"),
        ("ledger_schema", "x" * 64, "must be a plain name"),
        ("ledger_table", "x" * 80, "xxx...'"),
        ("scratch_setup", ["a"], "not a value of type list"),
        ("tiemout", 3, "there is no such option; did you mean 'timeout'?"),
    ],
)
def test_a_wrong_value_is_reported_with_its_option(name: str, value: object, words: str) -> None:
    (found,) = problems({**GOOD, name: value})
    assert f".{name}: " in found
    assert words in found


def test_a_problem_outside_the_project_shows_the_whole_path() -> None:
    declaration = DatabaseDeclaration(
        options={}, location=Location(path=Path("/else/x.py"), line=3)
    )
    _, found = validate([declaration], ROOT)
    assert all(problem.endswith("(/else/x.py:3)") for problem in found)


def test_a_function_needs_a_type_next_to_it() -> None:
    (found,) = problems({"database_name": "primary", "database_url": lambda: "sqlite://"})
    assert found.startswith("primary.database_type: is missing")


def test_a_development_url_must_be_of_the_development_type() -> None:
    (found,) = problems({**GOOD, "dev_database_type": "sqlite", "dev_database_url": "postgres://h"})
    assert "dev_database_type: is 'sqlite', but dev_database_url is of kind postgres" in found


def test_sqlite_has_no_namespace_and_no_embedded_server() -> None:
    first, second = problems(database("a", ledger_schema="x", dev_database_url="embedded"))
    assert "SQLite has no namespaces" in first
    assert "the embedded server is for PostgreSQL" in second
    (found,) = problems({**GOOD, "database_url": "embedded", "database_type": "sqlite"})
    assert found.startswith("primary.database_url: the embedded server is for PostgreSQL")


def test_two_connect_timeouts_contradict_each_other() -> None:
    url = "postgresql://h/db?connect_timeout=3"
    (found,) = problems({**GOOD, "database_url": url, "connect_timeout": 4})
    assert "database_url: connect_timeout is 3 in the URL and 4 for the database" in found
    (found,) = problems({**GOOD, "migration_url": url})
    assert "migration_url: connect_timeout is 3 in the URL and 5 for the database" in found
    (found,) = problems(
        {**GOOD, "database_url": url, "dev_database_url": "postgresql://h/d?connect_timeout=4"}
    )
    assert "dev_database_url: connect_timeout is 4 in the URL and 3 for the database" in found


def test_a_name_is_given_once() -> None:
    (found,) = problems(database("a"), database("a", database_url="sqlite:///b.db"))
    assert "a.database_name: 'a' is configured already, on line 1 (dbwarden.py:2)" in found


def test_two_databases_with_one_target_are_an_error() -> None:
    (found,) = problems(
        database("a", database_url="postgresql://ann:hunter2@localhost/db"),
        database("b", database_url="postgres://127.0.0.1:5432/db", ledger_schema="public"),
    )
    assert found.startswith("b.database_url: is the same database as 'a' (postgresql://127.0.0.1")
    assert "if it only reads there, say replica_of='a'" in found
    assert "ledger_schema" in found


def test_two_development_databases_with_one_target_are_an_error() -> None:
    dev = {"dev_database_url": "sqlite:///dev.db"}
    (found,) = problems(database("a", **dev), database("b", **dev))
    assert found.startswith("b.dev_database_url: is the same database as 'a'")
    assert "replica_of" not in found


def test_two_databases_with_one_folder_are_an_error() -> None:
    (found,) = problems(
        database("a", migrations_dir="sql"), database("b", migrations_dir="./x/../sql")
    )
    assert found.startswith("b.migrations_dir: is the folder of 'a' already")


def test_a_default_folder_can_collide_too() -> None:
    (found,) = problems(database("a"), database("b", migrations_dir="migrations/a"))
    assert "migrations_dir: is the folder of" in found


def test_a_replica_of_a_replica_or_of_another_kind_is_refused() -> None:
    found = problems(
        database("a"),
        database("b", replica_of="a"),
        database("c", replica_of="b"),
        {**GOOD, "replica_of": "a"},
    )
    assert "c.replica_of: 'b' is itself a replica; name its primary" in found[0]
    assert "primary.replica_of: 'a' is of kind sqlite, this one is postgresql" in found[1]


def test_a_replica_cannot_be_the_default() -> None:
    (found,) = problems(database("a"), database("b", replica_of="a", default=True))
    assert "b.default: a replica takes no migrations" in found


def test_a_replica_of_an_invalid_primary_is_not_a_second_problem() -> None:
    (found,) = problems(database("a", database_url="nonsense"), database("b", replica_of="a"))
    assert found.startswith("a.database_url")


def test_a_misspelled_word_is_reported_with_the_accepted_words() -> None:
    scratch, dev = problems(database("a", scratch="embeded"), database("b", dev_database_url="em"))
    assert "; or say 'auto' or 'embedded'; did you mean 'embedded'?" in scratch
    assert "sqlite:///; or say 'embedded' (" in dev
    (url,) = problems(database("a", scratch="localhost/db"))
    assert "or say" not in url
