"""The search for the configuration file."""

from pathlib import Path

import pytest

from dbwarden.config.finding import find_config
from dbwarden.errors import ConfigurationError, ConfigurationNotFound


@pytest.fixture
def repository(project: Path) -> Path:
    """A repository with ``app/deep`` inside and a stray file above."""
    (project / "dbwarden.py").write_text("raise SystemExit('not mine')")
    root = project / "repository"
    (root / "app" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    return root


def file(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_in_the_working_folder_is_found(project: Path) -> None:
    expected = file(project / "dbwarden.py")
    assert find_config() == expected


def test_a_file_above_is_found_up_to_the_repositorys_root(repository: Path) -> None:
    expected = file(repository / "dbwarden.py")
    assert find_config(repository / "app" / "deep") == expected


def test_the_nearest_file_counts(repository: Path) -> None:
    file(repository / "dbwarden.py")
    expected = file(repository / "app" / "dbwarden.py")
    assert find_config(repository / "app" / "deep") == expected


def test_nothing_is_taken_from_above_the_repository(repository: Path) -> None:
    with pytest.raises(ConfigurationNotFound) as caught:
        find_config(repository / "app")
    assert f"up to {repository}" in str(caught.value)
    assert "dbwarden init" in str(caught.value.next_step)


def test_a_worktrees_git_file_marks_a_root_too(project: Path) -> None:
    file(project / "dbwarden.py")
    file(project / "tree" / ".git", "gitdir: elsewhere")
    with pytest.raises(ConfigurationNotFound):
        find_config(project / "tree")


def test_without_a_repository_a_pyproject_marks_the_root(project: Path) -> None:
    file(project / "pyproject.toml")
    (project / "app").mkdir()
    expected = file(project / "dbwarden.py")
    assert find_config(project / "app") == expected


def test_without_any_mark_only_the_folder_itself_is_searched(project: Path) -> None:
    file(project / "dbwarden.py")
    (project / "app").mkdir()
    with pytest.raises(ConfigurationNotFound) as caught:
        find_config(project / "app")
    assert "above" not in str(caught.value)


def test_a_pyproject_precedes_the_file_next_to_it(repository: Path) -> None:
    file(repository / "dbwarden.py")
    expected = file(repository / "conf" / "databases.py")
    file(repository / "pyproject.toml", '[tool.dbwarden]\nconfig = "conf/databases.py"')
    assert find_config(repository / "app") == expected


@pytest.mark.parametrize(
    "text",
    ["", "[tool.dbwarden]", "[tool.other]\nfor = 'dbwarden'", "tool.dbwarden = 1", "dbwarden='x'"],
)
def test_a_pyproject_that_names_no_file_does_not_count(repository: Path, text: str) -> None:
    file(repository / "pyproject.toml", text)
    expected = file(repository / "dbwarden.py")
    assert find_config(repository) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool.dbwarden]\nconfig = "none.py"', "none.py, which [tool.dbwarden] config in"),
        ("[tool.dbwarden]\nconfig = 3", "config is not text"),
        ("[tool.dbwarden\n", "not valid TOML"),
    ],
)
def test_an_invalid_pyproject_is_an_error(repository: Path, text: str, words: str) -> None:
    file(repository / "dbwarden.py")
    file(repository / "pyproject.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        find_config(repository)
    assert words in str(caught.value)


def test_a_named_file_precedes_the_variable_and_the_search(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dbwarden.py", "by_variable.py", "by_name.py"):
        file(project / name)
    monkeypatch.setenv("DBWARDEN_CONFIG", "by_variable.py")
    assert find_config() == project / "by_variable.py"
    assert find_config(explicit="by_name.py") == project / "by_name.py"


def test_a_missing_named_file_is_reported_with_its_origin(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(project / "dbwarden.py")
    with pytest.raises(ConfigurationNotFound, match="which --config names, does not exist"):
        find_config(explicit="none.py")
    monkeypatch.setenv("DBWARDEN_CONFIG", str(project))
    with pytest.raises(ConfigurationNotFound, match="DBWARDEN_CONFIG names, is a folder"):
        find_config()
