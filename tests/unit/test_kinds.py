"""Choices by database kind: each is a ``match`` that mypy proves to be complete."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import dbwarden
from dbwarden.types import DialectName

SOURCE = Path(dbwarden.__file__).parent
KINDS = frozenset(get_args(DialectName))


def outside_dialects() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "children" in path.parts:
            continue  # runs in the environment of another tool, which has no dbwarden
        if "dialects" not in path.parts and any(f'"{kind}"' in text for kind in KINDS):
            yield path.relative_to(SOURCE), ast.parse(text)


def names_kind(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Constant) and part.value in KINDS for part in ast.walk(node))


def is_complete(match: ast.Match) -> bool:
    return "assert_never" in ast.unparse(match.cases[-1])


def test_choices_by_kind_are_complete_matches() -> None:
    modules = list(outside_dialects())
    assert modules
    wrong = []
    for path, tree in modules:
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and names_kind(node):
                wrong.append(f"{path}:{node.lineno} compares a kind")
            if isinstance(node, ast.Match) and any(names_kind(case.pattern) for case in node.cases):
                wrong += [] if is_complete(node) else [f"{path}:{node.lineno} has no assert_never"]
    assert wrong == []
