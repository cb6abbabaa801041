"""A password with every character that is hard to mask, and a look at all that shows it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.loading import reload_project

CANARY = "kanari1 x'kanari2\"%kanari3@:kanari4,;#kanari5"
MARK = "kanari"
ENCODED = quote(CANARY, safe="")
TESTS = str(Path(__file__).parent.parent)


def configure(folder: Path, call: str, **options: object) -> None:
    """Write a dbwarden.py; a string that begins with ``=`` is Python code."""
    written = (
        f"{name}={value[1:] if isinstance(value, str) and value.startswith('=') else repr(value)}"
        for name, value in options.items()
    )
    lines = ["from dbwarden import database_config, tenant_databases"]
    lines += ["from pydantic import SecretStr", "from sqlalchemy import make_url"]
    (folder / "dbwarden.py").write_text("\n".join([*lines, f"{call}({', '.join(written)})"]))
    reload_project(folder / "dbwarden.py")


def everything_in(error: BaseException) -> Iterator[str]:
    """Yield what an error tracker shows: texts and variables of the chain, without our tests'."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting += [each.__cause__, each.__context__, *members]
        yield f"{each!s} {each!r} {vars(each)!r}"
        traceback = each.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if not frame.f_code.co_filename.startswith(TESTS):
                for name, value in frame.f_locals.items():
                    yield f"{frame.f_code.co_filename}:{traceback.tb_lineno}: {name} = {value!r}"
            traceback = traceback.tb_next


def judge(error: BaseException) -> None:
    """Fail if *error* or its frames show the password."""
    shown = list(everything_in(error))
    assert shown
    assert [line for line in shown if MARK in line] == []
