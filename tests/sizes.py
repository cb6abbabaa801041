"""Fail when a function is over 60 lines or a file over 400 (src only). Run by `make check`."""

import ast
import sys
from pathlib import Path

LONGEST_FUNCTION = 60
LONGEST_FILE = 400


def too_long(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    found = []
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        found.append(f"{path}: {lines} lines (at most {LONGEST_FILE})")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                found.append(f"{path}:{node.lineno}: {node.name} has {size} lines")
    return found


if __name__ == "__main__":
    problems = [line for path in sorted(Path("src").rglob("*.py")) for line in too_long(path)]
    sys.stdout.writelines(f"{line}\n" for line in problems)
    sys.exit(1 if problems else 0)
