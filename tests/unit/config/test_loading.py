"""A configuration file runs once per path, and errors have a place and a reason."""

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

import dbwarden
from dbwarden.config.loading import Project, load_project
from dbwarden.config.registry import current_registry
from dbwarden.errors import (
    ConfigurationError,
    ConfigurationNotFound,
    UnknownDatabase,
    UsageError,
)
from dbwarden.library import database_config

WriteConfig = Callable[[str], Path]
ONE = 'database_config(database_name="primary", database_url="sqlite:///app.db")\n'

COUNTED = """
from pathlib import Path
with (Path(__file__).parent / "runs").open("a") as runs:
    runs.write("x")
"""


def failure(path: Path | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_project(path)
    return caught.value


def test_the_specs_file_loads(write_config: WriteConfig, project: Path) -> None:
    write_config("""
        database_config(
            database_name="primary",
            default=True,
            database_type="postgresql",
            database_url="postgresql://user:password@localhost/myapp",
            model_paths=["app.models.primary"],
        )
        database_config(
            database_name="analytics",
            database_type="postgresql",
            database_url="postgresql://user:password@localhost/analytics",
            model_paths=["app.models.analytics"],
        )
        database_config(
            database_name="logging",
            database_type="postgresql",
            database_url="postgresql://user:password@localhost/logs",
            model_paths=["app.models.logging"],
        )
    """)
    loaded = load_project()
    assert loaded.path == project / "dbwarden.py"
    assert loaded.root == project
    assert loaded.names == ("primary", "analytics", "logging")
    assert loaded.default.database_name == "primary"
    assert loaded.default.migrations_dir == project / "migrations" / "primary"
    assert "password@" not in repr(loaded)


def test_a_file_is_run_once_and_again_on_request(write_config: WriteConfig, project: Path) -> None:
    path = write_config(COUNTED + ONE)
    first = load_project()
    assert load_project(path) is load_project(str(path)) is first
    assert (project / "runs").read_text() == "x"
    again = load_project(reload=True)
    assert again == first
    assert again is not first
    assert (project / "runs").read_text() == "xx"


def test_a_reload_sees_a_recent_edit(write_config: WriteConfig) -> None:
    write_config(ONE)
    assert load_project().names == ("primary",)
    write_config(ONE.replace("primary", "another"))
    assert load_project(reload=True).names == ("another",)


def test_concurrent_threads_load_one_project(write_config: WriteConfig, project: Path) -> None:
    write_config("import time; time.sleep(0.05)" + COUNTED + ONE)
    start = threading.Barrier(8)
    loaded: list[Project] = []

    def ask() -> None:
        start.wait()
        loaded.append(load_project())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 8
    assert all(each is loaded[0] for each in loaded)
    assert (project / "runs").read_text() == "x"


async def test_concurrent_tasks_load_one_project(write_config: WriteConfig, project: Path) -> None:
    write_config(COUNTED + ONE)
    loaded: list[Project] = []

    async def ask() -> None:
        loaded.append(await anyio.to_thread.run_sync(load_project))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(ask)
    assert all(each is loaded[0] for each in loaded)
    assert (project / "runs").read_text() == "x"


def test_the_files_own_imports_come_from_its_folder(
    write_config: WriteConfig, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "settings_of_this_test.py").write_text('URL = "sqlite:///from_settings.db"')
    path = write_config("""
        from settings_of_this_test import URL
        database_config(database_name="primary", database_url=URL)
    """)
    monkeypatch.chdir("/")
    try:
        assert "from_settings" in load_project(path).default.display_url
        assert sys.path[0] == str(project)
    finally:
        sys.modules.pop("settings_of_this_test", None)


def test_a_folder_that_is_importable_already_keeps_its_place(
    write_config: WriteConfig, project: Path
) -> None:
    write_config(ONE)
    sys.path.append(str(project))
    before = list(sys.path)
    load_project()
    assert sys.path == before


def test_the_file_never_replaces_the_package(write_config: WriteConfig) -> None:
    write_config("import dbwarden\nassert dbwarden.database_config is database_config\n" + ONE)
    load_project()
    assert sys.modules["dbwarden"] is dbwarden


def test_the_file_is_a_module_of_its_own(write_config: WriteConfig) -> None:
    write_config("""
        import dataclasses, sys
        @dataclasses.dataclass
        class Settings:
            url: "str" = "sqlite://"
        assert sys.modules[__name__].Settings is Settings
        assert __name__ != "__main__"
        database_config(database_name="primary", database_url=Settings().url)
    """)
    assert load_project().names == ("primary",)


def test_a_program_without_a_file_configures_itself(project: Path) -> None:
    database_config(database_name="primary", database_url="sqlite:///a.db")
    loaded = load_project()
    assert loaded.path == Path(__file__)
    assert loaded.default.database_url == "sqlite:///a.db"


def test_a_file_takes_precedence_over_the_program(write_config: WriteConfig) -> None:
    database_config(database_name="other", database_url="sqlite:///a.db")
    write_config(ONE)
    assert load_project().names == ("primary",)


def test_no_file_anywhere_says_what_to_do(project: Path) -> None:
    database_config(database_name="other", database_url="sqlite:///a.db")
    with pytest.raises(ConfigurationNotFound):
        load_project(project / "none.py")
    current_registry().declarations.clear()
    with pytest.raises(ConfigurationNotFound, match=r"there is no dbwarden\.py"):
        load_project()


def test_problems_are_reported_together_and_the_next_load_reads_again(
    write_config: WriteConfig,
) -> None:
    path = write_config('database_config(database_name="ui", database_url="", timeout=0)')
    error = failure()
    assert error.location is not None
    assert error.location.path == path
    assert len(error.problems) == 3
    assert "3 problems" in str(error)
    write_config(ONE.replace("app.db", "app.db?x=1"))
    assert "has a problem" in str(failure())
    write_config(ONE)
    assert load_project().names == ("primary",)


def test_a_file_without_any_database_is_an_error(write_config: WriteConfig) -> None:
    write_config("")
    assert "configures no database" in str(failure())


def test_an_exception_is_reported_with_its_line_and_cause(write_config: WriteConfig) -> None:
    path = write_config('import os\nos.environ["NO_SUCH_VARIABLE"]\n')
    error = failure()
    assert "KeyError: 'NO_SUCH_VARIABLE'" in str(error)
    assert error.location is not None
    assert (error.location.path, error.location.line) == (path, 3)
    assert isinstance(error.__cause__, KeyError)
    assert "environment variable" in str(error.next_step)


def test_an_exception_without_a_message_is_reported_by_its_type(write_config: WriteConfig) -> None:
    write_config("raise RuntimeError")
    assert str(failure()).endswith("RuntimeError")


def test_an_exception_in_another_module_names_both_places(
    write_config: WriteConfig, project: Path
) -> None:
    (project / "broken_settings.py").write_text("\n\n1 / 0\n")
    write_config("import broken_settings\n" + ONE)
    error = failure()
    assert "ZeroDivisionError" in str(error)
    assert f"raised in {project / 'broken_settings.py'}:3" in str(error)
    assert error.location is not None
    assert error.location.line == 2


def test_a_missing_module_is_reported_with_the_searched_path(
    write_config: WriteConfig, project: Path
) -> None:
    write_config("import no_such_module_anywhere\n")
    error = failure()
    assert "ModuleNotFoundError" in str(error)
    assert str(project) in str(error.next_step)


def test_a_failed_file_leaves_nothing_behind(write_config: WriteConfig, project: Path) -> None:
    write_config("1 / 0")
    for _ in range(2):
        before = list(sys.path), set(sys.modules)
        failure()
        assert (sys.path, set(sys.modules)) == before
        sys.path.insert(0, str(project))


@pytest.mark.parametrize(
    ("text", "line"),
    [("x = [\n", 2), ("\n\n  indented\n", 4), ('x = "\\N{no}"', 2)],
)
def test_a_syntax_error_is_reported_with_its_line(
    write_config: WriteConfig, text: str, line: int
) -> None:
    (write_config("")).write_text("from dbwarden import database_config\n" + text)
    error = failure()
    assert "SyntaxError" in str(error)
    assert error.location is not None
    assert error.location.line == line


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"x = 1\0"])
def test_a_file_that_is_no_text_is_an_error(project: Path, raw: bytes) -> None:
    (project / "dbwarden.py").write_bytes(raw)
    assert str(project / "dbwarden.py") in str(failure())


def test_a_syntax_error_in_an_imported_module_is_not_blamed_on_the_file(
    write_config: WriteConfig, project: Path
) -> None:
    (project / "broken_syntax.py").write_text("x = (\n")
    write_config("import broken_syntax")
    error = failure()
    assert "broken_syntax.py" in str(error)
    assert error.location is not None
    assert error.location.line == 2


def test_an_unreadable_file_is_reported(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(ONE)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    # Tests may run as root, whom no file mode stops.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert str(failure(path)) == f"{path}: the file cannot be read: Permission denied"


def test_a_file_that_loads_its_own_project_is_an_error(write_config: WriteConfig) -> None:
    write_config("import dbwarden\ndbwarden.load_project()\n" + ONE)
    error = failure()
    assert "being loaded already" in str(error)
    write_config(ONE)
    assert load_project().names == ("primary",)


def test_no_password_shows_when_the_settings_print_theirs(write_config: WriteConfig) -> None:
    write_config("""
        import pydantic
        class Settings(pydantic.BaseModel):
            database_url: int
        Settings(database_url="postgresql://ann:hunter2@h/db")
    """)
    error = failure()
    assert "ValidationError" in str(error)
    shown = "".join(traceback.format_exception(error))
    assert "hunter2" not in shown


def test_no_password_shows_with_a_syntax_error_on_its_line(write_config: WriteConfig) -> None:
    write_config('database_config(database_url="postgresql://ann:hunter2@h/db"')
    assert "hunter2" not in "".join(traceback.format_exception(failure()))


@pytest.fixture
def three(write_config: WriteConfig) -> Project:
    write_config("""
        for name in ("primary", "tenant_a", "tenant_b"):
            database_config(database_name=name, database_url=f"sqlite:///{name}.db")
    """)
    return load_project()


def names(project: Project, *patterns: str, all_databases: bool = False) -> list[str]:
    return [each.database_name for each in project.select(patterns, all_databases=all_databases)]


def test_databases_are_chosen_by_name_and_pattern_in_configured_order(three: Project) -> None:
    assert names(three, "tenant_b", "primary") == ["primary", "tenant_b"]
    assert names(three, "tenant_*", "tenant_a") == ["tenant_a", "tenant_b"]
    assert names(three, all_databases=True) == ["primary", "tenant_a", "tenant_b"]


def test_without_a_name_the_default_is_chosen(write_config: WriteConfig) -> None:
    write_config(ONE)
    assert names(load_project()) == ["primary"]


def test_without_a_default_a_command_must_name_a_database(three: Project) -> None:
    with pytest.raises(UsageError, match="no database is the default") as caught:
        three.select()
    assert "--all" in str(caught.value.next_step)


def test_all_and_single_names_exclude_each_other(three: Project) -> None:
    with pytest.raises(UsageError, match="at the same time"):
        three.select(["primary"], all_databases=True)


def test_an_unknown_name_is_reported_with_the_known_ones(three: Project) -> None:
    assert three.database("primary").database_name == "primary"
    with pytest.raises(UnknownDatabase, match="did you mean 'primary'") as caught:
        three.database("primry")
    assert "tenant_a, tenant_b" in str(caught.value.next_step)
    with pytest.raises(UnknownDatabase, match="other_"):
        three.select(["primary", "other_*"])


def test_a_long_list_of_databases_is_shortened(write_config: WriteConfig) -> None:
    write_config("""
        for number in range(30):
            database_config(database_name=f"db_{number}", database_url=f"sqlite:///{number}.db")
    """)
    with pytest.raises(UnknownDatabase) as caught:
        load_project().database("zzz")
    assert str(caught.value.next_step).endswith("db_19 ....")
