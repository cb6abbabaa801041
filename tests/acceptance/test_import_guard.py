"""A ``dbwarden.py`` in a project's root never hides the package, however Python is started.

Everything here runs the wheel, installed into a fresh environment, as users do; only what the
package depends on comes from the environment of the tests, so that no index is asked.
"""

import os
import re
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths of a POSIX environment are used")


# -- one wheel, one environment, one project ----------------------------------------------------


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(),
        check=check,
        capture_output=True,
        text=True,
        timeout=100,
    )


def environment() -> dict[str, str]:
    """The variables of a user's shell: none of the tests' own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "COV", "PYTEST", "DBWARDEN", "VIRTUAL_ENV"))
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel was installed with pip."""
    return install(wheel, tmp_path_factory.mktemp("environment"))


@pytest.fixture
def own_environment(wheel: Path, tmp_path: Path) -> Path:
    """The same for one test, which may break it."""
    return install(wheel, tmp_path / "environment")


def install(wheel: Path, folder: Path) -> Path:
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    # Only now: pip must not take the tests' own dbwarden for the one it installs.
    site_packages(python).joinpath("dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def site_packages(python: Path) -> Path:
    (found,) = python.parent.parent.glob("lib/python*/site-packages")
    return found


FILES = {
    "dbwarden.py": """
        from app.settings import URL
        from dbwarden import database_config
        database_config(database_name="primary", database_url=URL)
        """,
    "app/__init__.py": "",
    "app/settings.py": 'URL = "sqlite:///app.db"',
    "app/shown.py": """
        import dbwarden
        from dbwarden import load_project
        def shown():
            project = load_project()
            return f"{dbwarden.__file__} {project.path} {project.names[0]}"
        """,
    "app/main.py": """
        from fastapi import FastAPI
        from app.shown import shown
        app = FastAPI()
        app.get("/")(shown)
        shown()  # as well while it is imported
        """,
    "main.py": "from app.shown import shown; print(shown())",
    "tests/test_app.py": """
        from app.shown import shown
        def test_shown():
            assert "site-packages" in shown()
        """,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text).lstrip())
    return root


def expected(python: Path, project: Path) -> str:
    package = site_packages(python) / "dbwarden" / "__init__.py"
    return f"{package} {project / 'dbwarden.py'} primary"


# -- what is installed --------------------------------------------------------------------------


def test_the_wheel_holds_the_package_the_guard_and_its_line(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        line = archive.read("dbwarden_guard.pth").decode()
    assert {"dbwarden/__init__.py", "dbwarden/py.typed", "_dbwarden_guard.py"} <= set(names)
    # Python's site module runs a line of a .pth file only if it begins like this.
    assert line.startswith("import ")
    assert line.count("\n") == 1


def test_a_start_of_python_imports_nothing_for_the_guard(installed: Path, project: Path) -> None:
    script = "import sys; print(*sys.modules)"
    assert "_dbwarden_guard" not in run(installed, "-c", script, cwd=project).stdout.split()


def test_the_guard_is_there_once_and_first(installed: Path, project: Path) -> None:
    # In a virtual environment Python runs the lines of .pth files twice.
    script = "import sys; print(*(type(finder).__name__ for finder in sys.meta_path))"
    finders = run(installed, "-c", script, cwd=project).stdout.split()
    assert finders[0] == "DBWardenGuard"
    assert finders.count("DBWardenGuard") == 1


def test_the_development_environment_has_the_guard_too(project: Path) -> None:
    script = "import dbwarden; print(dbwarden.__file__)"
    shown = run(sys.executable, "-c", script, cwd=project).stdout.strip()
    assert shown == str(REPOSITORY / "src" / "dbwarden" / "__init__.py")


# -- every way to start -------------------------------------------------------------------------


def test_without_the_guard_the_file_would_hide_the_package(installed: Path, project: Path) -> None:
    script = "import sys; del sys.meta_path[0]; import app.shown"
    failed = run(installed, "-c", script, cwd=project, check=False)
    assert failed.returncode == 1
    assert "circular import" in failed.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("-c", "from app.shown import shown; print(shown())"),
        ("main.py",),
        ("-m", "main"),
        ("-I", "-c", "import sys; sys.path.insert(0, '.'); import main"),
        ("-W", "error", "main.py"),
    ],
    ids=" ".join,
)
def test_scripts_in_the_projects_root_work(
    installed: Path, project: Path, command: Sequence[str]
) -> None:
    shown = run(installed, *command, cwd=project)
    assert shown.stdout.strip() == expected(installed, project)
    assert shown.stderr == ""


def test_the_file_itself_can_be_run(installed: Path, project: Path) -> None:
    shown = run(installed, "dbwarden.py", cwd=project)
    assert (shown.stdout, shown.stderr) == ("", "")


@pytest.mark.parametrize(
    "command", [("-m", "dbwarden"), ()], ids=["python -m dbwarden", "dbwarden"]
)
def test_the_command_line_works(installed: Path, project: Path, command: Sequence[str]) -> None:
    program = installed if command else installed.parent / "dbwarden"
    shown = run(program, *command, "databases", cwd=project)
    assert "primary" in shown.stdout


@pytest.mark.parametrize("command", ["pytest", "python -m pytest"])
def test_pytest_works(installed: Path, project: Path, command: str) -> None:
    # Plain pytest puts no working folder on sys.path; its users say so in their settings.
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    options = ("-q", "-p", "no:cacheprovider")
    if command == "pytest":
        script = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
        shown = run(installed, "-c", script, *options, cwd=project)
    else:
        shown = run(installed, "-m", "pytest", *options, cwd=project)
    assert "1 passed" in shown.stdout


@contextmanager
def serving(*command: str | Path, cwd: Path) -> Iterator[str]:
    """A server that was started with *command*, at the address that it logs."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=environment() | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield address_in(process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def address_in(lines: Iterator[str]) -> str:
    seen = []
    for line in lines:
        seen.append(line)
        if found := re.search(r"running on (http://[\d.]+:\d+)", line):
            return found[1]
    raise AssertionError("the server did not start:\n" + "".join(seen))


def get(address: str) -> httpx.Response:
    """The answer of a server whose workers may still be starting."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        return client.get(address, timeout=60)


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)], ids=" ".join)
def test_uvicorn_works(installed: Path, project: Path, options: Sequence[str]) -> None:
    command: tuple[str | Path, ...] = (
        installed,
        "-m",
        "uvicorn",
        "app.main:app",
        "--port",
        "0",
        *options,
    )
    with serving(*command, cwd=project) as address:
        assert get(address).json() == expected(installed, project)


@pytest.mark.long
@pytest.mark.parametrize("verb", ["dev", "run"])
def test_fastapi_dev_and_run_work(installed: Path, project: Path, verb: str) -> None:
    command = (installed, "-m", "fastapi", verb, "app/main.py", "--port", "0")
    with serving(*command, cwd=project) as address:
        assert get(address).json() == expected(installed, project)


# -- it never breaks anything -------------------------------------------------------------------


def test_a_package_earlier_on_the_path_still_comes_first(installed: Path, project: Path) -> None:
    other = project / "checkout" / "dbwarden"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    script = "import sys; sys.path.insert(0, 'checkout'); import dbwarden; print(dbwarden.__file__)"
    shown = run(installed, "-c", script, cwd=project).stdout.strip()
    assert shown == str(other / "__init__.py")


def test_an_empty_folder_of_that_name_is_skipped(installed: Path, project: Path) -> None:
    (project / "dbwarden.py").unlink()
    (project / "dbwarden").mkdir()
    script = "import dbwarden; print(dbwarden.__file__)"
    shown = run(installed, "-c", script, cwd=project).stdout.strip()
    assert shown == str(site_packages(installed) / "dbwarden" / "__init__.py")


@pytest.mark.long
@pytest.mark.parametrize("left", ["dbwarden_guard.pth", "_dbwarden_guard.py"])
def test_half_an_uninstallation_breaks_no_start_of_python(
    own_environment: Path, tmp_path: Path, left: str
) -> None:
    packages = site_packages(own_environment)
    gone = {"dbwarden_guard.pth", "_dbwarden_guard.py"} - {left}
    for name in gone:
        (packages / name).unlink()
    (packages / "dbwarden").rename(packages / "gone")
    (tmp_path / "dbwarden.py").write_text("mine = 1")
    script = "import json, dbwarden; print(dbwarden.mine)"
    shown = run(own_environment, "-W", "error", "-c", script, cwd=tmp_path)
    assert (shown.stdout, shown.stderr) == ("1\n", "")


def test_without_the_package_the_name_is_searched_as_usual(
    own_environment: Path, tmp_path: Path
) -> None:
    (site_packages(own_environment) / "dbwarden").rename(tmp_path / "gone")
    failed = run(own_environment, "-c", "import dbwarden", cwd=tmp_path, check=False)
    assert "No module named 'dbwarden'" in failed.stderr
    (tmp_path / "dbwarden.py").write_text("print('mine')")
    assert run(own_environment, "-c", "import dbwarden", cwd=tmp_path).stdout == "mine\n"


@pytest.mark.long
def test_pip_takes_all_of_it_away_again(own_environment: Path, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", own_environment, "--disable-pip-version-check")
    packages = site_packages(own_environment)
    (packages / "dependencies.pth").write_text("")  # a file that keeps the folder
    run(*pip, "uninstall", "--quiet", "--yes", "dbwarden", cwd=tmp_path)
    assert [path.name for path in packages.iterdir()] == ["dependencies.pth"]
