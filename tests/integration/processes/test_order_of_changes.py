"""The order of changes is the same in every process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from dbwarden.schema import Schema
from tests.unit.diff.schemas import schemas


@pytest.mark.long
def test_the_order_of_changes_depends_on_no_order_of_sets(tmp_path: Path) -> None:
    """The same schemas, compared in processes in which sets and strings are ordered otherwise."""
    pairs: list[tuple[Schema, Schema]] = []

    @given(schemas(), schemas())
    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    def collect(one: Schema, other: Schema) -> None:
        pairs.append((one, other))

    collect()
    path = tmp_path / "pairs"
    path.write_bytes(pickle.dumps(pairs))
    orders = {_changes_with(seed, path) for seed in ("0", "1", "2", "3")}
    assert len(orders) == 1
    assert len(orders.pop().splitlines()) > 2 * len(pairs)


PRINTED = """
import pickle, sys
from pathlib import Path
from dbwarden.diff import diff
for one, other in pickle.loads(Path(sys.argv[1]).read_bytes()):
    for change in diff(one, other):
        print(type(change).__name__, change.ref)
    print("end of pair")
"""


def _changes_with(seed: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINTED, str(path)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
