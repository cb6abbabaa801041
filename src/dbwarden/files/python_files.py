"""Parse a backfill that is written in Python. Pure: the code is not run.

Its header is in comments at the top, with the directives of a SQL file::

    # dbwarden: backfill
    # table: users
    # batch: 100

    async def upgrade(batch):
        ...
"""

import ast
import re
from pathlib import Path

from dbwarden.files.checksum import checksum
from dbwarden.files.lexing import SourceText, lexis_of
from dbwarden.files.migration import Migration, Section
from dbwarden.files.naming import parse_name
from dbwarden.files.parsing import ParsingState, build, read_backfill, read_comments
from dbwarden.types import DatabaseName, DialectName

_HEADER = re.compile(r"(?:[ \t]*(?:#[^\n]*)?(?:\n|$))*")
_HASH = re.compile(r"^([ \t]*)#", re.MULTILINE)


def parse_python(
    text: str, *, path: Path, database: DatabaseName, dialect: DialectName
) -> Migration:
    """Parse *text*, the content of the Python file at *path*, as a backfill of *database*.

    Its upgrade section is the code below the header. Arguments are those of ``parsing.parse``.

    Raises:
        MigrationFileError: Every problem of the file, each with its line.
    """
    name = parse_name(path, database)
    match = _HEADER.match(text)
    end = match.end() if match else 0
    header = _HASH.sub(r"\1--", text[:end])  # the directives of SQL, on the same lines
    state = ParsingState(SourceText(text=header, path=path, database=database), lexis_of(dialect))
    read_comments(state)
    backfill = read_backfill(state, name)
    if state.backfill.start is None:
        state.add_problem(
            0,
            "a migration in Python has to be a backfill",
            "Add # dbwarden: backfill and # table: NAME at the top, or write it in SQL.",
        )
    code = text[end:]
    line = text.count("\n", 0, end) + 1
    _check_code(state, code, line)
    section = Section(text=code, line=line, checksum=checksum(code))
    return build(state, name, header, {"upgrade": section}, backfill)


def _check_code(state: ParsingState, code: str, line: int) -> None:
    """Check that *code*, which begins on *line*, has ``async def upgrade(batch)``."""
    path, database = state.source.path, state.source.database

    def problem(at: int, message: str, next_step: str) -> None:
        source = SourceText(text="", path=path, line=line + at - 1, database=database)
        state.problems.append(source.error(0, message, next_step))

    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:
        at = error.lineno if isinstance(error, SyntaxError) else None
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        problem(at or 1, f"the code is not valid Python: {what}", "Correct it.")
        return
    for node in tree.body:
        match node:
            case ast.AsyncFunctionDef(name="upgrade"):
                if not _takes_batch(node.args):
                    problem(
                        node.lineno,
                        "upgrade takes other arguments than one batch",
                        "Write it as async def upgrade(batch):",
                    )
                return
            case ast.FunctionDef(name="upgrade"):
                problem(
                    node.lineno,
                    "upgrade is no coroutine function",
                    "Write it as async def upgrade(batch):",
                )
                return
    problem(1, "the file has no function upgrade", "Add async def upgrade(batch): to it.")


def _takes_batch(arguments: ast.arguments) -> bool:
    """Return whether a call with one positional argument fits *arguments*."""
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = len(positional) - len(arguments.defaults)
    if any(default is None for default in arguments.kw_defaults):
        return False
    return needed <= 1 and (bool(positional) or arguments.vararg is not None)
