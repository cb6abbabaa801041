"""Questions at a terminal: answered, and ended by Ctrl-C, which leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_cli import USERS, write

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

CONFIGURATION = """
from dbwarden import database_config
database_config(database_name="primary", database_url="sqlite:///app.db", model_paths=["models"])
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    age: Mapped[int]
"""


class AtTerminal:
    """A command whose three streams are one terminal."""

    def __init__(self, folder: Path, *arguments: str, term: str = "dumb") -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dbwarden", *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "60", "TERM": term},
        )
        os.close(slave)

    def until(self, text: str) -> None:
        """Read until *text* was shown."""
        while text not in self.seen:
            self.seen += os.read(self._master, 4096).decode().replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def ended(self) -> int:
        """Read to the end; the exit code."""
        try:
            while data := os.read(self._master, 4096):
                self.seen += data.decode().replace("\r\n", "\n")
        except OSError:  # Linux says EIO when nobody has the terminal open any more
            pass
        os.close(self._master)
        return self.process.wait(timeout=30)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION)
    (tmp_path / "models.py").write_text(MODELS)
    write(tmp_path, "primary", "0001_create_users", USERS)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "migrations" / "primary").iterdir())


def test_an_answer_is_taken(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age")
    person.until("> ")
    person.type("7\n")
    assert person.ended() == 0
    written = (project / "migrations" / "primary" / files(project)[1]).read_text()
    assert "7" in written


def test_what_a_command_is_at_is_shown_and_taken_away(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age", term="xterm")
    person.until("> ")
    person.type("7\n")
    assert person.ended() == 0
    shown = person.seen.replace("\n", "\r").split("\r\x1b[K")
    assert "primary: reading the models ..." in shown
    assert "primary: proving the migration: up, down and up again ..."[:59] in shown
    assert any(part.startswith("users.age is new") for part in shown)
    assert shown[-1].startswith("Wrote migrations/")


def test_questions_are_wrapped_between_words(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age")
    person.until("> ")
    person.process.send_signal(signal.SIGINT)
    person.ended()
    assert max(len(line) for line in person.seen.splitlines()) < 60


def test_errors_are_wrapped_between_words(project: Path) -> None:
    (project / "migrations/primary/primary__0001_create_users.sql").write_text("SELECT 1;\n")
    person = AtTerminal(project, "migrate")
    assert person.ended() == 2
    _, told = person.seen.split("error: ")
    assert len(told.splitlines()) > 2
    assert max(len(line) for line in told.splitlines()) <= 60


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_an_interrupt_ends_a_question_and_nothing_is_written(
    project: Path, number: int, code: int
) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age")
    person.until("> ")
    person.process.send_signal(number)
    assert person.ended() == code
    assert "error: interrupted" in person.seen
    assert "Traceback" not in person.seen
    assert files(project) == ["primary__0001_create_users.sql"]


def test_an_interrupt_ends_the_question_of_repair(project: Path) -> None:
    migrated = AtTerminal(project, "migrate")
    assert migrated.ended() == 0
    (project / "migrations" / "primary" / "primary__0001_create_users.sql").unlink()
    person = AtTerminal(project, "repair", "--forget", "0001")
    person.until("[y/N] ")
    person.process.send_signal(signal.SIGINT)
    assert person.ended() == 130
    status = AtTerminal(project, "status")
    status.ended()
    assert "missing" in status.seen


def test_a_table_fits_into_a_narrow_terminal(project: Path) -> None:
    assert AtTerminal(project, "migrate").ended() == 0
    person = AtTerminal(project, "history")
    assert person.ended() == 0
    assert "0001  create users  applied" in person.seen
    assert max(len(line) for line in person.seen.splitlines()) <= 60
