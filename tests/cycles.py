"""Fail when modules of src import each other in a circle. Run by `make check`.

Imports inside functions count, because they hide a circle. Imports for type checkers alone do not.
The package's own ``__init__`` is excepted, because it names everything that users call.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SRC = Path("src")


def modules(src: Path) -> dict[str, Path]:
    """Return the files of all modules in *src* by dotted name."""
    found = {}
    for path in sorted(src.rglob("*.py")):
        parts = path.relative_to(src).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module imports, except for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for other in node.orelse:
                    yield from imported(other)
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case _:
                yield from imported(node)


def graph(src: Path) -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    known = modules(src)
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        if "." not in name:
            continue
        imports = found[name] = set()
        for target in imported(ast.parse(path.read_text(encoding="utf-8"))):
            module = target if target in known else target.rpartition(".")[0]
            if module in known and "." in module and module != name:
                imports.add(module)
    return found


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


if __name__ == "__main__":
    if circle := cycle(graph(SRC)):
        sys.exit(f"modules import each other: {' -> '.join(reversed(circle))}")
