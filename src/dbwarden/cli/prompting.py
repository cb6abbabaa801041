"""Ask the user at the terminal; Ctrl-C cancels a question."""

import shutil
import sys
import textwrap

import anyio
import anyio.from_thread
import anyio.to_thread

from dbwarden.cli import streams
from dbwarden.printable import on_one_line


def can_ask() -> bool:
    """Return whether stdin and stdout are terminals."""
    return sys.stdin.isatty() and streams.results().isatty()


async def confirm(question: str, *, default: bool = False) -> bool:
    """Ask until the answer is yes or no; an empty answer means *default*."""
    text, answers = question, "Y/n" if default else "y/N"
    while True:
        match (await ask(f"{text} [{answers}]", " ")).lower():
            case "":
                return default
            case "y" | "yes":
                return True
            case "n" | "no":
                return False
        text = f"Please answer y or n. {question}"


async def ask(question: str, after: str) -> str:
    """Print *question* and return the line typed; empty at the end of input."""
    streams.wipe_line()
    out = streams.results()
    question = on_one_line(question)
    out.write("\n".join(textwrap.wrap(question, shutil.get_terminal_size().columns - 1)) + after)
    out.flush()
    try:
        await anyio.wait_readable(sys.stdin)  # a terminal delivers whole lines
    except (NotImplementedError, OSError):  # Windows waits only for sockets
        line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    else:
        line = sys.stdin.readline()
    if not line.endswith("\n"):
        out.write("\n")
    return str(line).strip()


class Terminal:
    """An asker for worker threads."""

    def __init__(self, about: str | None = None) -> None:
        """Prefix each question with *about*, the name of the database."""
        self._about = f"{about}: " if about else ""

    def yes(self, question: str) -> bool:
        """Return whether the answer is yes."""
        return anyio.from_thread.run(confirm, self._about + question)

    def text(self, question: str) -> str:
        """Return the answer, which may be empty."""
        return anyio.from_thread.run(ask, self._about + question, "\n> ")
