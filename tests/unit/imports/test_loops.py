from collections.abc import Sequence
from dataclasses import replace

import pytest

from dbwarden.dialects.authoring import Repeated
from dbwarden.files.lexing import POSTGRESQL
from dbwarden.imports.loops import TIMES, Sent, counts_to_try, find_loops
from dbwarden.imports.rendering import Recorded

BATCH = "UPDATE a SET b = 1 WHERE id IN (SELECT id FROM a WHERE b = 7 LIMIT 500)"
OTHER = "DELETE FROM c"
LOOP = [BATCH] * (TIMES + 1)
Loops = dict[int, Repeated]


def loops(base: list[str], *tries: list[str], counts: Sequence[int] = (1, 9)) -> Loops:
    sent = [Sent(place, sql) for place, sql in enumerate(base)]
    runs = [[Sent(place, sql) for place, sql in enumerate(one)] for one in tries]
    return dict(find_loops(sent, dict(zip(counts, runs, strict=False)), POSTGRESQL))


def test_a_statement_that_every_try_repeats_is_a_loop() -> None:
    once = [OTHER, *LOOP, OTHER]
    assert loops([OTHER, BATCH, OTHER], once, once) == {1: Repeated(parts=(BATCH,))}
    assert loops([BATCH, OTHER], [BATCH, OTHER]) == {}  # the count is read, and decides nothing


def test_numbers_may_grow_by_the_same_step() -> None:
    page = "INSERT INTO a SELECT '0 rows', id FROM b ORDER BY id LIMIT 500 OFFSET {}; -- 0"
    pages = [page.format(500 * number) for number in range(TIMES + 1)]
    first, last = page.split("{}")
    assert loops([pages[0]], pages) == {
        0: Repeated(parts=(first, last), counters=((0, 500),)),
    }
    uneven = [*pages[:-1], page.format(9)]
    quoted = [f"INSERT INTO a VALUES ('{number}')" for number in range(TIMES + 1)]
    for texts in (uneven, quoted):
        with pytest.raises(LookupError):
            loops([texts[0]], texts)


@pytest.mark.parametrize(
    "tries",
    [
        [],
        [[OTHER]],
        [[BATCH, OTHER]],  # something follows if rows were changed
        [[BATCH] * 2],  # stops at another count than none
        [LOOP, [BATCH]],  # goes on for low counts only
        [[BATCH], LOOP],  # stops at a count that is not known
        [[BATCH] * (TIMES + 2)],
    ],
)
def test_counts_that_decide_more_are_not_explained(tries: list[list[str]]) -> None:
    with pytest.raises(LookupError):
        loops([BATCH], *tries)


def test_a_loop_may_end_at_less_than_a_full_batch() -> None:
    batch = Recorded(sql=BATCH, counted=True)
    assert counts_to_try([Recorded(sql=BATCH)]) == ()
    counts = counts_to_try([batch, replace(batch, sql="DELETE FROM c", values=((True, 40),))])
    assert counts == (1, 6, 7, 39, 40, 499, 500, 1_000_000)
    tries = [LOOP if count >= 500 else [BATCH] for count in counts]
    assert loops([BATCH], *tries, counts=counts) == {0: Repeated(parts=(BATCH,), least=500)}
