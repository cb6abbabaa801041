"""Find the statements that a revision repeats for as long as they change rows. Pure.

A revision may read how many rows a statement changed, and an empty database always answers none.
So the import runs it again with other answers: the first ``TIMES`` reads of a statement return a
count that is made up. If that changes nothing but how often a statement is sent, the counts decide
nothing else. A loop may end at less than a full batch: the counts next to each number in such a
statement are tried too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dbwarden.dialects.authoring import Repeated
from dbwarden.files.lexing import Lexis
from dbwarden.imports.rendering import Recorded

TIMES = 3
"""How often each statement gets a count that is made up."""
_COUNTS = (1, 1_000_000)
_BATCHES = 3
"""The most sizes of batches that are tried."""
_NUMBER = re.compile(r"(?<![\w.$])[0-9]+(?![\w.])")


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that was sent, and its place among those that were recorded."""

    place: int
    sql: str


def counts_to_try(recorded: Sequence[Recorded]) -> tuple[int, ...]:
    """Return the counts to make up, one for each run; none if *recorded* reads no count."""
    counted = [item for item in recorded if item.counted]
    if not counted:
        return ()
    sizes = dict.fromkeys(size for item in counted for size in _sizes(item) if size > 1)
    near = [count for size in list(sizes)[:_BATCHES] for count in (size - 1, size)]
    return tuple(sorted({*_COUNTS, *near}))


def _sizes(item: Recorded) -> Iterator[int]:
    yield from map(int, _NUMBER.findall(item.sql))
    for values in item.values:
        given = values.values() if isinstance(values, Mapping) else values or ()
        yield from (value for value in given if type(value) is int)


def find_loops(
    sent: Sequence[Sent], tries: Mapping[int, Sequence[Sent]], lexis: Lexis
) -> Mapping[int, Repeated]:
    """Return the statements of *sent* that *tries* repeat, by their places.

    *tries* are the runs with other counts, by the count.

    Raises:
        LookupError: The counts decide more than that, or nothing was tried.
    """
    if not tries:
        raise LookupError("nothing was tried")
    found = {
        count: _compare([each.sql for each in one], sent, lexis)
        for count, one in sorted(tries.items())
    }
    places = dict.fromkeys(place for loops in found.values() for place in loops)
    return {place: _loop(place, found) for place in places}


def _loop(place: int, found: Mapping[int, Mapping[int, Repeated]]) -> Repeated:
    """Return the loop of one statement, which goes on from a count on: the one before ended it."""
    going = {count: loops[place] for count, loops in found.items() if place in loops}
    least = min(going)
    one = going[least]
    if any(each != one for each in going.values()) or len(going) < sum(
        count >= least for count in found
    ):
        raise LookupError("the runs differ")
    if least > 1 and least - 1 not in found:
        raise LookupError("it is not known where the loop ends")
    return replace(one, least=least)


def _compare(texts: Sequence[str], sent: Sequence[Sent], lexis: Lexis) -> Mapping[int, Repeated]:
    """Return the statements of *sent* that are repeated in *texts*, the run with other counts."""
    loops: dict[int, Repeated] = {}
    position = 0
    for one in sent:
        repeated = _series(texts[position : position + TIMES + 1], lexis)
        if repeated is None and texts[position : position + 1] != [one.sql]:
            raise LookupError("another statement was sent")
        if repeated is not None and one.sql == texts[position]:
            loops[one.place] = repeated
        position += 1 if repeated is None else TIMES + 1
    if position != len(texts):
        raise LookupError("more statements were sent")
    return loops


def _series(texts: Sequence[str], lexis: Lexis) -> Repeated | None:
    """Return what *texts* repeat, with numbers that grow by the same step each time."""
    if len(texts) != TIMES + 1:
        return None
    found = [list(_numbers(text, lexis)) for text in texts]
    parts = [_around(text, places) for text, places in zip(texts, found, strict=True)]
    if any(each != parts[0] for each in parts):
        return None
    values = [
        tuple(int(text[start:end]) for start, end in places)
        for text, places in zip(texts, found, strict=True)
    ]
    steps = [
        {later - earlier for earlier, later in pairwise(column)}
        for column in zip(*values, strict=True)
    ]
    if any(len(each) != 1 for each in steps):
        return None
    return _repeated(parts[0], values[0], [each.pop() for each in steps])


def _numbers(text: str, lexis: Lexis) -> Iterator[tuple[int, int]]:
    """Yield start and end of each whole number outside of quotes and comments."""
    position = 0
    while opener := lexis.openers.search(text, position):
        for match in _NUMBER.finditer(text, position, opener.start()):
            yield match.span()
        position = lexis.close(text, opener.start())
        if position < 0:
            return
    for match in _NUMBER.finditer(text, position):
        yield match.span()


def _around(text: str, places: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(text)]
    return tuple(text[start:end] for start, end in zip(starts, ends, strict=True))


def _repeated(parts: Sequence[str], values: Sequence[int], steps: Sequence[int]) -> Repeated:
    """Return the series with its growing numbers; the others belong to the text."""
    texts, counters = [parts[0]], list[tuple[int, int]]()
    for part, value, step in zip(parts[1:], values, steps, strict=True):
        if step:
            counters.append((value, step))
            texts.append(part)
        else:
            texts[-1] += f"{value}{part}"
    return Repeated(parts=tuple(texts), counters=tuple(counters))
