"""Find the expressions in which two definitions differ, such as the condition of a trigger.

The server prints definitions in one form, so that equal ones differ at most inside parentheses.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|[^\s'"(),]+""")
_SEPARATORS = frozenset({",", "WITH"})
"""What separates the expressions inside parentheses: ``(room WITH =, during WITH &&)``."""

_ROW_COLUMN = re.compile(r"""'(?:[^']|'')*'|\b(old|new)\.(?:"((?:[^"]|"")+)"|(\w+))""")


@dataclass(frozen=True, slots=True)
class _Group:
    """The text between two parentheses."""

    text: str


def differing_expressions(one: str, other: str) -> Sequence[tuple[str, str]]:
    """Return the pairs of expressions in which two definitions differ.

    There is none if the definitions differ elsewhere.
    """
    first, second = list(_parts(one)), list(_parts(other))
    if len(first) != len(second):
        return ()
    pairs: list[tuple[str, str]] = []
    for before, after in zip(first, second, strict=True):
        if before == after:
            continue
        if not isinstance(before, _Group) or not isinstance(after, _Group):
            return ()
        items = _items(before.text), _items(after.text)
        if len(items[0]) != len(items[1]):
            return ()
        pairs += [pair for pair in zip(*items, strict=True) if pair[0] != pair[1]]
    return pairs


def name_row_columns(text: str) -> str:
    """Return *text* with ``old.a`` written as ``"old.a"``, the name of one column."""

    def name(match: re.Match[str]) -> str:
        row, quoted, plain = match.groups()
        return f'"{row}.{quoted or plain}"' if row else match[0]

    return _ROW_COLUMN.sub(name, text)


def _parts(text: str) -> Iterator[str | _Group]:
    """Yield the tokens of *text*, and each outer group as one part."""
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] == "(":
            start = token.end() if depth == 0 else start
            depth += 1
        elif token[0] == ")":
            depth -= 1
            if depth == 0:
                yield _Group(text[start : token.start()])
        elif depth == 0:
            yield token[0]


def _items(text: str) -> list[str]:
    """Return the parts of a group between its separators."""
    items, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] == "(") - (token[0] == ")")
        if depth == 0 and token[0] in _SEPARATORS:
            items.append(text[start : token.start()].strip())
            start = token.end()
    return [*items, text[start:].strip()]
