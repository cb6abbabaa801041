"""Reference pages, written from the code: options, results, and the public names."""

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterable, Iterator

import dbwarden

_PRIVATE_PART = re.compile(r"\b(?:dbwarden|typing|collections|pathlib|datetime)(?:\.\w+)*\.(\w+)")


def options_page() -> str:
    """Return every command with its options, from the tables of the command line."""
    from dbwarden.cli.app import build

    text = build().generate_docs()
    text = re.sub(r"## Table of Contents\n.*?\n\n(?=\*\*)", "", text, flags=re.DOTALL)
    text = text.replace("# dbwarden\n", "# Options of every command\n", 1)
    text = re.sub(r"(For example:)\n((?:    .+\n?)+)", _example, text)
    return re.sub(r"^## dbwarden ", "## ", text, flags=re.MULTILINE).replace("(#dbwarden-", "(#")


def _example(found: re.Match[str]) -> str:
    lines = "".join(line.strip() + "\n" for line in found[2].splitlines())
    return f"{found[1]}\n\n```sh\n{lines}```\n"


def api_page() -> str:
    """Return the directives that make mkdocstrings write every public name."""
    parts = ["# Python API", "", "All names are imported from the module of their heading."]
    for module, names in _public_names():
        parts += ["", f"## {module}", ""]
        for name in names:
            home = _home_of(module, name)
            parts += [f"::: {home}", "    options:", f"      heading: {name}", ""]
    return "\n".join(parts)


def _public_names() -> Iterator[tuple[str, list[str]]]:
    for module in ("dbwarden", "dbwarden.fastapi", "dbwarden.asgi", "dbwarden.testing"):
        found = importlib.import_module(module)
        yield module, sorted(name for name in found.__all__ if not name.startswith("_"))
    yield "dbwarden.fleet", ["run", "Outcome", "OutcomeState"]
    yield "dbwarden.fastapi.metrics", ["DBWardenCollector"]
    yield "dbwarden.drawing.mermaid", ["mermaid"]
    yield "dbwarden.drawing.page", ["page"]


def _home_of(module: str, name: str) -> str:
    """Return the full name of the definition of *name*."""
    value = inspect.unwrap(getattr(importlib.import_module(module), name))
    home = getattr(value, "__module__", module)
    return f"{home}.{getattr(value, '__name__', name)}"


def results_page() -> str:
    """Return every result type with its fields, which are also those of the JSON documents."""
    types = list(_result_types())
    parts = [
        "# Results and JSON",
        "",
        "Each operation returns one of these frozen dataclasses. `--json` prints the same fields, "
        "as [the commands' page](commands.md#json) describes.",
    ]
    for each in types:
        parts += ["", f"## {each.__name__}", "", inspect.cleandoc(each.__doc__ or ""), ""]
        parts += ["| field | type |", "|---|---|"]
        parts += [f"| `{name}` | {_shown(type_, types)} |" for name, type_ in _fields(each)]
    return "\n".join(parts) + "\n"


def _fields(each: type) -> Iterable[tuple[str, object]]:
    hints = typing.get_type_hints(each)
    for item in dataclasses.fields(each):
        yield item.name, hints[item.name]


def _result_types() -> Iterator[type]:
    """Yield the results of all operations, and the dataclasses in their fields."""
    seen: dict[type, None] = {}
    waiting = [
        inspect.unwrap(getattr(dbwarden, name)).__annotations__.get("return")
        for name in sorted(dbwarden.__all__)
        if inspect.iscoroutinefunction(inspect.unwrap(getattr(dbwarden, name)))
    ]
    while waiting:
        for each in _dataclasses_in(waiting.pop(0)):
            if each not in seen:
                seen[each] = None
                waiting += [type_ for _, type_ in _fields(each)]
    yield from sorted(seen, key=lambda each: each.__name__)


def _dataclasses_in(hint: object) -> Iterator[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for argument in typing.get_args(hint):
        yield from _dataclasses_in(argument)


def _shown(hint: object, types: Iterable[type]) -> str:
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    text = _PRIVATE_PART.sub(r"\1", text).replace("NoneType", "None").replace(" | ", " or ")
    links = [each.__name__ for each in types if re.search(rf"\b{each.__name__}\b", text)]
    shown = f"`{text}`"
    return shown + "".join(f", [{name}](#{name.lower()})" for name in links)
