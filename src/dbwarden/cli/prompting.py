"""Questions to the person at the terminal, which Ctrl-C ends."""

import shutil
import sys
import textwrap

import anyio
import anyio.from_thread
import anyio.to_thread

from dbwarden.cli import progress, streams
from dbwarden.printable import on_one_line


def can_ask() -> bool:
    """Whether there is somebody to ask: a terminal on both sides."""
    return sys.stdin.isatty() and streams.results().isatty()


async def confirmed(question: str) -> bool:
    """Ask until the answer is yes or no; no answer at all means no."""
    text = question
    while True:
        match (await answered(f"{text} [y/N]", " ")).lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False
        text = f"Please answer y or n. {question}"


async def answered(question: str, after: str) -> str:
    """The line that is typed after *question*; empty at the end of input."""
    progress.wipe()
    out = streams.results()
    question = on_one_line(question)
    out.write("\n".join(textwrap.wrap(question, shutil.get_terminal_size().columns - 1)) + after)
    out.flush()
    try:
        await anyio.wait_readable(sys.stdin)  # a terminal has whole lines
    except (NotImplementedError, OSError):  # Windows waits for sockets alone
        line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    else:
        line = sys.stdin.readline()
    if not line.endswith("\n"):
        out.write("\n")
    return str(line).strip()


class Terminal:
    """Asks the person at the terminal, out of worker threads."""

    def __init__(self, about: str | None = None) -> None:
        """Say *about* which database each question is, where there are several."""
        self._about = f"{about}: " if about else ""

    def yes(self, question: str) -> bool:
        """Whether the answer is yes."""
        return anyio.from_thread.run(confirmed, self._about + question)

    def text(self, question: str) -> str:
        """What is answered; empty for nothing."""
        return anyio.from_thread.run(answered, self._about + question, "\n> ")
