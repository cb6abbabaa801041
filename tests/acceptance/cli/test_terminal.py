"""Questions at a terminal. Ctrl-C ends them and leaves nothing behind."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import USERS, write

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

HANGS = 60
"""So many seconds without a word are not slow."""

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
        self._from = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dbwarden", *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "60", "TERM": term},
        )
        os.close(slave)

    def until(self, *texts: str) -> None:
        """Read until each of *texts* was shown, in that order, after what was awaited before."""
        for text in texts:
            while (found := self._flat().find(text, self._from)) < 0:
                ready, _, _ = select.select([self._master], [], [], HANGS)
                assert ready, f"{text!r} was never shown, but: {self.seen}"
                self.seen += os.read(self._master, 4096).decode().replace("\r\n", "\n")
            self._from = found + len(text)

    def _flat(self) -> str:
        """All that was shown, as if the terminal were wide."""
        return self.seen.replace("\n", " ")

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


def test_an_answer_is_used(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age")
    person.until("> ")
    person.type("7\n")
    assert person.ended() == 0
    written = (project / "migrations" / "primary" / files(project)[1]).read_text()
    assert "7" in written


def test_a_refused_value_is_asked_for_again_and_no_answer_is_lost(
    project: Path,
) -> None:
    models = MODELS.replace("    email: Mapped[str]", "    mail: Mapped[str] = mapped_column(Text)")
    text = f"from sqlalchemy import Text\n{models}    nick: Mapped[str]\n"
    (project / "models.py").write_text(text)
    person = AtTerminal(project, "make-migrations", "-m", "more")
    person.until("[y/N] ")
    person.type("y\n")
    person.until("age is new", "> ")
    person.type("seven\n")
    person.until("seven is refused: no such column: seven", "> ")
    person.type("NULL\n")
    person.until("NULL is not a value for a NOT NULL column", "> ")
    person.type("7\n")
    person.until("nick is new", "> ")
    person.type("'nobody'\n")
    assert person.ended() == 0
    assert "--unproven" not in person.seen
    assert person.seen.count("Is mail the new name") == 1
    written = (project / "migrations" / "primary" / files(project)[1]).read_text()
    assert "RENAME COLUMN email TO mail" in written
    assert "seven" not in written
    assert "7" in written and "'nobody'" in written


def test_an_empty_answer_writes_a_migration_that_declares_its_failure(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age")
    person.until("> ")
    person.type("\n")
    assert person.ended() == 0
    written = (project / "migrations" / "primary" / files(project)[1]).read_text()
    assert "-- Fails where tables have rows" in written
    assert '--fill users.age="0"' in written


def test_only_yes_and_no_answer_a_question(project: Path) -> None:
    models = MODELS.replace("    email: Mapped[str]\n", "").replace("    age: Mapped[int]\n", "")
    (project / "models.py").write_text(models)
    person = AtTerminal(project, "make-migrations", "-m", "less")
    for text in ("maybe", "yess", "ja"):
        person.until("[y/N] ")
        person.type(f"{text}\n")
        person.until("Please answer y or n.")
    person.until("[y/N] ")
    person.type("yes\n")
    assert person.ended() == 0
    assert len(files(project)) == 2


def test_no_answer_to_a_question_means_no(project: Path) -> None:
    models = MODELS.replace("    email: Mapped[str]\n", "").replace("    age: Mapped[int]\n", "")
    (project / "models.py").write_text(models)
    person = AtTerminal(project, "make-migrations", "-m", "less")
    person.until("[y/N] ")
    person.type("\n")
    assert person.ended() == 2
    assert len(files(project)) == 1


def test_the_activity_of_a_command_is_shown_and_erased(project: Path) -> None:
    person = AtTerminal(project, "make-migrations", "-m", "age", term="xterm")
    person.until("> ")
    person.type("7\n")
    assert person.ended() == 0
    shown = person.seen.replace("\n", "\r").split("\r\x1b[K")
    assert "primary: reading the models ..." in shown
    assert "primary: proving the migration: up, down and up again ..."[:59] in shown
    assert any(part.startswith("users.age is new") for part in shown)
    assert shown[-1].startswith("Wrote migrations/")


def test_the_progress_of_each_database_is_shown_and_erased(project: Path) -> None:
    person = AtTerminal(project, "migrate", term="xterm")
    assert person.ended() == 0
    shown = person.seen.replace("\r", "")
    assert f"\x1b[Kprimary  [{' ' * 24}] 0/?  0:00" in shown
    before, after = shown.rsplit("\x1b[1F\x1b[J", 1)
    assert "migrated" not in before
    assert "primary   migrated  0001" in after


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
    assert "error: primary: interrupted: the run was stopped" in person.seen
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


EVIL = "\x1b]0;owned\x07\u202e\x9b"
STEERING = set("\x1b\x07\u202e\x9b")


def test_no_file_name_controls_the_terminal_or_forges_a_line(project: Path) -> None:
    write(project, "primary", f"0002_{EVIL}\nerror:forged", USERS)
    for arguments in (("status",), ("check", "--log-format", "console")):
        person = AtTerminal(project, *arguments)
        assert person.ended() == 2
        shown = "".join(person.seen.split())
        assert "\\x1b]0;owned\\x07\\u202e\\x9b\\nerror:forged" in shown
        assert not STEERING & set(person.seen)


def test_no_text_of_a_database_controls_the_terminal(project: Path) -> None:
    sql = f'CREATE TABLE "{EVIL}" (id);\nINSERT INTO "{EVIL}" VALUES (1, 2);'
    write(project, "primary", "0002_names", f"-- upgrade\n{sql}\n")
    for arguments in (("migrate",), ("migrate", "--json"), ("migrate", "--log-format", "console")):
        person = AtTerminal(project, *arguments)
        assert person.ended() == 1
        assert "owned" in person.seen
        assert not STEERING & set(person.seen)


def test_init_asks_for_what_no_flag_says(tmp_path: Path) -> None:
    terminal = AtTerminal(tmp_path, "init")
    terminal.until("The kind of database: postgresql or sqlite?")
    terminal.type("mysql\n")
    terminal.until("Please answer postgresql or sqlite.")
    terminal.type("post\n")
    terminal.until("Empty: a development server")
    terminal.type("postgresql://app@localhost/shop\n")
    terminal.until("The module with your SQLAlchemy models")
    terminal.type("shop.models\n")
    terminal.until("Write a FastAPI application? [y/N]")
    terminal.type("y\n")
    assert terminal.ended() == 0
    text = (tmp_path / "dbwarden.py").read_text()
    assert '"postgresql://app@localhost/shop"' in text and '["shop.models"]' in text
    assert (tmp_path / "shop" / "main.py").exists()


def test_a_command_is_shown_before_the_project_is_loaded(tmp_path: Path) -> None:
    """The project waits until the line of the start was read. The first output wipes the line."""
    os.mkfifo(tmp_path / "read")
    (tmp_path / "dbwarden.py").write_text(f"open('read').close()\n{CONFIGURATION}")
    terminal = AtTerminal(tmp_path, "databases", term="xterm")
    terminal.until("dbwarden databases ...")
    with (tmp_path / "read").open("w"):
        assert terminal.ended() == 0
    assert terminal.seen.startswith("\r\x1b[Kdbwarden databases ...\r\x1b[K")
    assert terminal.seen.count("...") == 1


def test_help_shows_no_line_of_the_start(tmp_path: Path) -> None:
    terminal = AtTerminal(tmp_path, "databases", "--help", term="xterm")
    assert terminal.ended() == 0
    assert "..." not in terminal.seen.partition("Usage")[0]
