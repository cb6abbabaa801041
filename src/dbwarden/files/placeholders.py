"""Find and fill the placeholders of a backfill's SQL, such as ``{batch}``. Pure.

A placeholder is outside of quotes and comments, where SQL has no braces. ``{batch}`` stands for
the condition of one batch of rows; ``{batch:u}`` is the same for a table with the alias ``u``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dbwarden.files.lexing import Lexis

BATCH = "batch"

_BRACES = re.compile(r"\{[ \t]*([A-Za-z_]\w*)?[ \t]*(?::[ \t]*(\w+))?[ \t]*\}")


class Placeholder(NamedTuple):
    """A placeholder from *start* to *end* of a text; ``alias`` is the name after its colon."""

    start: int
    end: int
    name: str
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A text whose placeholders were replaced, and the offsets before and after each of them.

    ``edges`` has the end of each placeholder in the original and in the filled text.
    """

    text: str
    edges: tuple[tuple[int, int, int], ...] = ()

    def original(self, offset: int) -> int:
        """Return the offset in the original text of *offset* in the filled one."""
        shift = 0
        for start, before, after in self.edges:
            if offset < start:
                break
            if offset < after:
                return before - 1
            shift = before - after
        return offset + shift


def placeholders(lexis: Lexis, text: str) -> Iterator[Placeholder]:
    """Yield the placeholders of *text* in order, up to an unclosed quote or comment."""
    if "{" not in text:
        return
    for start, end in _code(lexis, text):
        for match in _BRACES.finditer(text, start, end):
            yield Placeholder(
                start=match.start(), end=match.end(), name=match[1] or "", alias=match[2]
            )


def _code(lexis: Lexis, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part of *text* that is outside of quotes and comments."""
    position = 0
    while opener := lexis.openers.search(text, position):
        yield position, opener.start()
        position = lexis.close(text, opener.start())
        if position < 0:
            return
    yield position, len(text)


def fill(text: str, found: Sequence[Placeholder], condition: Callable[[str | None], str]) -> Filled:
    """Replace the placeholders *found* in *text* with the *condition* for their alias."""
    parts: list[str] = []
    edges: list[tuple[int, int, int]] = []
    position = length = 0
    for item in found:
        before, new = text[position : item.start], condition(item.alias)
        parts += [before, new]
        start = length + len(before)
        length = start + len(new)
        edges.append((start, item.end, length))
        position = item.end
    parts.append(text[position:])
    return Filled(text="".join(parts), edges=tuple(edges))
